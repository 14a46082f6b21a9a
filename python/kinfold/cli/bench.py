"""Try indexes on your own vectors: build each, sweep its settings, and say which to take for a recall and a memory.

The vectors are a .npy, .fvecs or .bvecs file (n, d), or an HDF5 file of ann-benchmarks, which brings queries and truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.text import shown as in_one_line
from kinfold.cli.options import count, memory, share
from kinfold.cli.output import check_writable, say, show, table, write_json

if TYPE_CHECKING:
    from kinfold.cli.bench_data import BenchData

SUMMARY = "which index is the fastest on your vectors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold bench``."""
    from kinfold.base.metrics import METRICS
    from kinfold.index.tune import MEASURES

    parser.add_argument("vectors", help="file of vectors")
    parser.add_argument(
        "--queries", metavar="FILE", help="file of queries (default: a tenth of the vectors, 1,000 at most)"
    )  # fmt: skip
    parser.add_argument(
        "--truth", metavar="FILE",
        help=".ivecs or .npy of the queries' true neighbours, as rows of the vectors (default: they are computed)",
    )  # fmt: skip
    parser.add_argument(
        "--specs", nargs="+", metavar="SPEC",
        help='indexes such as "IVF1024,PQ16,RSQ8" (default: by size and dimension)',
    )  # fmt: skip
    parser.add_argument("--metric", choices=METRICS, help="default: l2, or what the file says")
    parser.add_argument(
        "--recall", type=share, default=0.9, metavar="R", help="the recall that is wanted (default: 0.9)"
    )  # fmt: skip
    parser.add_argument(
        "--measure", choices=MEASURES, default="k@k",
        help="k@k: share of the true k that is found; 1@1, 1@k: the true nearest is first, or among k (default: k@k)",
    )  # fmt: skip
    parser.add_argument(
        "--memory", type=memory, metavar="BYTES",
        help="at most: a plain number is bytes a vector, with a unit (500MB, 2GB) the whole",
    )  # fmt: skip
    parser.add_argument("-k", type=count, default=10, metavar="K", help="neighbours (default: 10)")
    parser.add_argument(
        "--batch", type=count, metavar="N", help="queries of a call (default: all; 1: one at a time)"
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=count, default=3, metavar="N", help="timings; the best counts (default: 3)"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with curves and table")
    parser.add_argument("--png", metavar="FILE", help="write the curves as a picture (needs matplotlib)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Build, sweep, recommend; 1 where no index meets the wish."""
    from kinfold.cli.bench_data import read
    from kinfold.index.trial import recommend, suggest

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
    budget = _bytes(options.memory, n)
    best = recommend(trials, budget)
    shown = _comparison(trials, best, budget, data, options)
    if options.html:
        from kinfold.report.curves import write_curves

        write_curves(options.html, shown)
    if options.png:
        from kinfold.report.plot import write_plot

        write_plot(options.png, shown)
    if options.json:
        write_json(options.json, _figures(trials, best, data, options))
    if options.json != "-":
        _tell(trials, best, shown, options)
    return 0 if best is not None else 1


def _check_specs(specs: list[str], dim: int, metric: str) -> None:
    """Say what no index can be made of before the first is built."""
    from kinfold.index.factory import index_factory

    for spec in specs:
        try:
            index_factory(spec, dim, metric=metric, verbose=False)
        except ValueError as error:
            raise ValueError(f"--specs: {spec}: {error}") from None


def _trials(specs: list[str], data: BenchData, options: argparse.Namespace) -> list[Any]:
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
                spec, data.base, data.queries, truth, options.k, recall=options.recall, metric=data.metric,
                measure=options.measure, batch=options.batch, rounds=options.rounds, verbose=not options.quiet,
            )  # fmt: skip
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


def _named(options: argparse.Namespace) -> str:
    """The measure with its k: 10@10, 1@10."""
    name: str = options.measure.replace("k", str(options.k))
    return name


def _written(setting: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in setting.items())


def _advice(trials: list[Any], best: Any, budget: float | None, options: argparse.Namespace) -> str:
    """What to take, or what stands in the way."""
    named = _named(options)
    if best is not None:
        setting = best.setting
        how = f" with {_written(setting.options)}" if setting.options else ""
        return (
            f"Take {best.spec}{how}: recall {named} {setting.recall:.3f}, {setting.qps:,.0f} queries/s, "
            f"{best.bytes_per_vector:,.0f} bytes a vector."
        )
    small = [trial for trial in trials if budget is None or trial.memory <= budget]
    enough = [trial for trial in trials if trial.reached]
    reasons = [f"No index of these reaches recall {named} {options.recall:g}"]
    if budget is not None:
        reasons[0] += " within the memory"
    if small:
        near = max(small, key=lambda trial: trial.setting.recall)
        reasons.append(f"{near.spec} comes nearest with {near.setting.recall:.3f}")
    if enough:
        least = min(enough, key=lambda trial: trial.memory)
        reasons.append(f"{least.spec} has it with {least.bytes_per_vector:,.0f} bytes a vector")
    return "; ".join(reasons) + "."


def _example(best: Any, dim: int, metric: str, k: int) -> str:
    """The recommendation as a program."""
    if best is None:
        return ""
    setting = best.setting.options
    given = "".join(f", {name}={value}" for name, value in setting.items())
    chosen = "" if metric == "l2" else f', metric="{metric}"'
    return (
        "import kinfold as kf\n\n"
        f'index = kf.index_factory("{best.spec}", {dim}{chosen})\n'
        "index.train(sample)\n"
        "index.add(vectors)\n"
        f"distances, ids = index.search(queries, {k}{given})"
    )


def _comparison(
    trials: list[Any], best: Any, budget: float | None, data: BenchData, options: argparse.Namespace
) -> Any:
    from kinfold.base.threads import get_threads
    from kinfold.report.curves import Comparison, Curve, Spot

    def spot(point: Any) -> Any:
        return Spot(point.recall, point.qps, _written(point.options))

    curves = tuple(
        Curve(
            trial.spec, tuple(map(spot, trial.setting.curve)), spot(trial.setting), trial.reached,
            budget is None or trial.memory <= budget, trial.bytes_per_vector, trial.build_seconds,
        )
        for trial in trials
    )  # fmt: skip
    n, dim = data.base.shape
    facts = {
        "Vectors": f"{n:,} of dimension {dim}",
        "Queries": f"{len(data.queries):,}{' held out' if data.held_out else ''}, "
        + ("all at once" if options.batch is None else f"{options.batch} a call"),
        "Metric": data.metric,
        "Threads": str(get_threads()),
        "Wanted": f"recall {_named(options)} ≥ {options.recall:g}"
        + ("" if budget is None else f", at most {budget / n:,.0f} bytes a vector"),
    }
    return Comparison(
        f"Indexes for {Path(options.vectors).name}", curves, _named(options), options.recall,
        None if best is None else trials.index(best), _advice(trials, best, budget, options),
        _example(best, dim, data.metric, options.k), facts,
    )  # fmt: skip


def _figures(
    trials: list[Any], best: Any, data: BenchData, options: argparse.Namespace
) -> dict[str, Any]:
    from kinfold.base.threads import get_threads

    def point(p: Any) -> dict[str, Any]:
        return {"options": p.options, "recall": p.recall, "qps": p.qps}

    n, dim = data.base.shape
    return {
        "vectors": options.vectors, "n": n, "dim": dim, "queries": len(data.queries), "metric": data.metric,
        "k": options.k, "measure": _named(options), "recall": options.recall, "threads": get_threads(),
        "recommended": None if best is None else best.spec,
        "indexes": [
            {
                "spec": trial.spec, "memory": trial.memory, "bytes_per_vector": trial.bytes_per_vector,
                "build_seconds": trial.build_seconds, "reached": trial.reached, **point(trial.setting),
                "curve": [point(p) for p in trial.setting.curve],
            }
            for trial in trials
        ],
    }  # fmt: skip


def _tell(trials: list[Any], best: Any, shown: Any, options: argparse.Namespace) -> None:
    lines = [
        ["index", f"recall {_named(options)}", "queries/s", "bytes/vector", "build s", "setting"]
    ]
    for trial in trials:
        setting = trial.setting
        lines.append(
            [
                f"{'*' if trial is best else ' '} {trial.spec}",
                f"{setting.recall:.3f}", f"{setting.qps:,.0f}", f"{trial.bytes_per_vector:,.0f}",
                f"{trial.build_seconds:.1f}", _written(setting.options) or "-",
            ]
        )  # fmt: skip
    lines[0][0] = "  index"
    show(table(lines))
    show(f"\n{shown.advice}")
    if not options.quiet:
        for name, target in (("page", options.html), ("picture", options.png)):
            if target:
                show(f"{name}: {in_one_line(target)}")
