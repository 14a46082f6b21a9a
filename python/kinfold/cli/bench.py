"""Try indexes on your own vectors: build each, sweep its settings, and say which to take for a recall and a memory.

The vectors are a .npy, .fvecs or .bvecs file (n, d), or an HDF5 file of ann-benchmarks, which brings queries and truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.text import shown
from kinfold.cli.options import count, memory, share
from kinfold.cli.output import check_writable, say, show, table, write_json

if TYPE_CHECKING:
    from kinfold.cli.bench_data import BenchData
    from kinfold.index.trial import Trial
    from kinfold.report.comparison import Wish
    from kinfold.report.curves import Comparison

SUMMARY = "which index is the fastest on your vectors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold bench``."""
    from kinfold.base.metrics import METRICS
    from kinfold.index.tune import MEASURES

    parser.add_argument("vectors", help="file of vectors")
    parser.add_argument(
        "--queries",
        metavar="FILE",
        help="file of queries (default: a tenth of the vectors, 1,000 at most)",
    )
    parser.add_argument(
        "--truth",
        metavar="FILE",
        help=".ivecs or .npy of the queries' true neighbours, as rows of the vectors (default: they are computed)",
    )
    parser.add_argument(
        "--specs",
        nargs="+",
        metavar="SPEC",
        help='indexes such as "IVF1024,PQ16,RSQ8" (default: by size and dimension)',
    )
    parser.add_argument("--metric", choices=METRICS, help="default: l2, or what the file says")
    parser.add_argument(
        "--recall",
        type=share,
        default=0.9,
        metavar="R",
        help="the recall that is wanted (default: 0.9)",
    )
    parser.add_argument(
        "--measure",
        choices=MEASURES,
        default="k@k",
        help="k@k: share of the true k that is found; 1@1, 1@k: the true nearest is first, or among k (default: k@k)",
    )
    parser.add_argument(
        "--memory",
        type=memory,
        metavar="BYTES",
        help="at most: a plain number is bytes a vector, with a unit (500MB, 2GB) the whole",
    )
    parser.add_argument("-k", type=count, default=10, metavar="K", help="neighbours (default: 10)")
    parser.add_argument(
        "--batch",
        type=count,
        metavar="N",
        help="queries of a call (default: all; 1: one at a time)",
    )
    parser.add_argument(
        "--rounds", type=count, default=3, metavar="N", help="timings; the best counts (default: 3)"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with curves and table")
    parser.add_argument(
        "--png", metavar="FILE", help="write the curves as a picture (needs matplotlib)"
    )


def run(options: argparse.Namespace) -> int:
    """Build, sweep, recommend; 1 where no index meets the wish."""
    from kinfold.cli.bench_data import read
    from kinfold.index.trial import suggest
    from kinfold.report.comparison import Wish, comparison_of

    for target in (options.json, options.html, options.png):
        if target:
            check_writable(target)
    if options.png:
        from kinfold.base.extras import require

        require("matplotlib")
    data = read(options)
    n, dim = data.base.shape
    specs = options.specs or suggest(n, dim)
    _check_specs(specs, dim, data.metric)
    trials = _trials(specs, data, options)
    wish = Wish(
        n,
        dim,
        len(data.queries),
        data.metric,
        options.k,
        options.measure,
        options.recall,
        _bytes(options.memory, n),
        options.batch,
        data.held_out,
    )
    comparison = comparison_of(f"Indexes for {Path(options.vectors).name}", trials, wish)
    if options.html:
        from kinfold.report.curves import write_curves

        write_curves(options.html, comparison)
    if options.png:
        from kinfold.report.plot import write_plot

        write_plot(options.png, comparison)
    if options.json:
        write_json(options.json, _figures(trials, comparison, wish, options))
    if options.json != "-":
        _tell(comparison, options)
    return 0 if comparison.best is not None else 1


def _check_specs(specs: list[str], dim: int, metric: str) -> None:
    """Say what no index can be made of before the first is built."""
    from kinfold.index.factory import index_factory

    for spec in specs:
        try:
            index_factory(spec, dim, metric=metric, verbose=False)
        except ValueError as error:
            raise ValueError(f"--specs: {spec}: {error}") from None


def _trials(specs: list[str], data: BenchData, options: argparse.Namespace) -> list[Trial]:
    from kinfold.index.flat import FlatIndex
    from kinfold.index.trial import attempt

    remark = (lambda text: None) if options.quiet else say
    truth = data.truth
    if truth is None:
        remark(
            f"computing the true neighbours of {len(data.queries)} queries among {len(data.base)} vectors"
        )
        exact = FlatIndex(data.base.shape[1], metric=data.metric)
        exact.add(data.base)
        truth = exact.search(data.queries, options.k).ids
        del exact
    trials, reason = [], ""
    for spec in dict.fromkeys(specs):
        remark(f"trying {spec}")
        try:
            trial = attempt(
                spec,
                data.base,
                data.queries,
                truth,
                options.k,
                recall=options.recall,
                metric=data.metric,
                measure=options.measure,
                batch=options.batch,
                rounds=options.rounds,
                verbose=not options.quiet,
            )
        except ValueError as error:
            reason = f"{spec}: {error}"
            remark(f"skipped {reason}")
            continue
        trials.append(trial)
    if not trials:
        raise ValueError(f"no index could be built; {reason}")
    return trials


def _bytes(limit: tuple[float, bool] | None, n: int) -> float | None:
    """The memory of a whole index that is allowed."""
    if limit is None:
        return None
    number, each = limit
    return number * n if each else number


def _figures(
    trials: list[Trial], comparison: Comparison, wish: Wish, options: argparse.Namespace
) -> dict[str, Any]:
    from kinfold.base.threads import get_threads

    def point(p: Any) -> dict[str, Any]:
        return {"options": p.options, "recall": p.recall, "qps": p.qps}

    return {
        "vectors": options.vectors,
        "n": wish.n,
        "dim": wish.dim,
        "queries": wish.queries,
        "metric": wish.metric,
        "k": wish.k,
        "measure": wish.named,
        "recall": wish.recall,
        "threads": get_threads(),
        "recommended": None if comparison.best is None else trials[comparison.best].spec,
        "indexes": [
            {
                "spec": trial.spec,
                "memory": trial.memory,
                "bytes_per_vector": trial.bytes_per_vector,
                "build_seconds": trial.build_seconds,
                "reached": trial.reached,
                **point(trial.setting),
                "curve": [point(p) for p in trial.setting.curve],
            }
            for trial in trials
        ],
    }


def _tell(comparison: Comparison, options: argparse.Namespace) -> None:
    head = [f"recall {comparison.measure}", "queries/s", "bytes/vector", "build s", "setting"]
    lines = [["  index", *head]]
    for i, curve in enumerate(comparison.curves):
        lines.append(
            [
                f"{'*' if i == comparison.best else ' '} {curve.name}",
                f"{curve.chosen.recall:.3f}",
                f"{curve.chosen.qps:,.0f}",
                f"{curve.bytes_per_vector:,.0f}",
                f"{curve.build_seconds:.1f}",
                curve.chosen.label or "-",
            ]
        )
    show(table(lines))
    show(f"\n{comparison.advice}")
    if not options.quiet:
        for name, target in (("page", options.html), ("picture", options.png)):
            if target:
                show(f"{name}: {shown(target)}")
