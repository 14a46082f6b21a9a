"""k-d trees against scipy, pykdtree, scikit-learn and nanoflann: build, queries, and leaves visited.

    python -m benchmarks.index.kd_tree --dims 2 3 8 16 --n 100000 1000000 --out kd_tree.json
    OMP_NUM_THREADS=2 python -m benchmarks.index.kd_tree --threads 2
    python -m benchmarks.index.kd_tree --leaves

Points and queries fill the unit cube, float32, or lie near curves in it (--points curves). Distances of some queries
must be scipy's before anything is timed. One thread is measured in processor time, which other programs disturb less;
the best of several rounds taken in turn counts. A peer that needs more than a minute for a round is asked once.
"""

from __future__ import annotations

import importlib.util
import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks.measure import REST, heading, row
from benchmarks.peers import trees
from kinfold import _core
from kinfold.index.kd_scan import DIMENSIONS

DEPTHS = (1, 10)
CHECKED = 100
LEAF_DIMS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20)


def points(kind: str, n: int, d: int, seed: int) -> NDArray[np.float32]:
    """Uniform in the unit cube, or near 20 curves."""
    random = np.random.default_rng(seed)
    if kind == "uniform":
        return random.random((n, d), np.float32)
    shape = np.random.default_rng(7)
    rates, phases = shape.uniform(1, 6, (20, d)), shape.uniform(0, 6, (20, d))
    which, at = random.integers(20, size=n), random.random((n, 1))
    x = np.sin(rates[which] * at + phases[which]) + 0.01 * random.standard_normal((n, d))
    return x.astype(np.float32)


def queries_for(d: int) -> int:
    """As many as take a moment in that dimension."""
    return 100_000 if d <= 4 else 5000 if d <= 10 else 500


def taken(call: Callable[[], Any], threads: int) -> float:
    """Seconds of a call: of the processor for one thread, of the wall for several."""
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    call()
    return clock() - start


def fastest(calls: dict[str, Callable[[], Any]], arguments: Namespace) -> dict[str, float]:
    """The least seconds of each call, taken in turn."""
    least = dict.fromkeys(calls, np.inf)
    for _ in range(arguments.rounds):
        for name, call in calls.items():
            if np.isinf(least[name]) or least[name] < 60:
                time.sleep(REST)
                least[name] = min(least[name], taken(call, arguments.threads))
    return least


def measure(n: int, d: int, arguments: Namespace) -> dict[str, Any]:
    """Build seconds and queries per second of every library."""
    x = points(arguments.points, n, d, 0)
    q = points(arguments.points, arguments.queries or queries_for(d), d, 1)
    threads = arguments.threads
    present = {
        name: build
        for name, build in trees.LIBRARIES.items()
        if importlib.util.find_spec(name.split(",")[0]) and name.split(",")[0] in arguments.only
    }
    if d >= DIMENSIONS and "kinfold" in present:
        present = {"kinfold": trees.kinfold, "kinfold, tree": trees.kinfold_tree, **present}
    builds = fastest(
        {name: lambda build=build: build(x, threads) for name, build in present.items()}, arguments
    )
    searches = {name: build(x, threads) for name, build in present.items()}
    expected = trees.scipy(x, threads)(q[:CHECKED], 10, threads)[0]
    for name, search in searches.items():
        got = search(q[:CHECKED], 10, threads)[0]
        if not np.allclose(got, expected, rtol=1e-4, atol=1e-6):
            raise SystemExit(f"{name}: distances differ from scipy's")
    found: dict[str, Any] = {"n": n, "d": d, "build": builds}
    for k in DEPTHS:
        least = fastest(
            {
                name: lambda search=search, k=k: search(q, k, threads)
                for name, search in searches.items()
            },
            arguments,
        )
        found[f"k{k}"] = {name: len(q) / took for name, took in least.items()}
    return found


def table(result: dict[str, Any]) -> str:
    """Markdown: milliseconds, thousand queries a second, and Kinfold's ratio to each peer."""
    lines = [json.dumps(result["run"]), ""]
    lines.append(heading(["n", "d", "library", "build ms", *(f"k = {k}, k/s" for k in DEPTHS)]))
    for record in result["records"]:
        for name in record["build"]:
            ours = record["build"].get("kinfold", np.nan) / record["build"][name]
            cells = [f"{record['build'][name] * 1e3:,.1f} ({1 / ours:.1f}×)"]
            for k in DEPTHS:
                rates = record[f"k{k}"]
                ratio = rates.get("kinfold", np.nan) / rates[name]
                cells.append(f"{rates[name] / 1e3:,.1f} ({ratio:.1f}×)")
            lines.append(row([f"{record['n']:,}", record["d"], name, *cells]))
    return "\n".join(lines)


def leaves(arguments: Namespace) -> str:
    """Markdown: how many leaves a query looks at, as the dimension grows."""
    lines = [heading(["n", "d", "leaves", "k = 1", "share", "k = 10", "share"])]
    shares: dict[int, list[float]] = {k: [] for k in DEPTHS}
    for n in arguments.n:
        for d in LEAF_DIMS:
            tree = kf.KDTree(points(arguments.points, n, d, 0), scan=False)
            q = points(arguments.points, 200, d, 1)
            total = tree.stats()["leaves"]
            cells = []
            for k in DEPTHS:
                # One by one: in a batch a query begins at the leaf of the one before.
                visited = np.mean([tree.query(one, k, return_stats=True)[2] for one in q])
                cells += [f"{visited:,.1f}", f"{visited / total:.2%}"]
                shares[k].append(visited / total)
            lines.append(row([f"{n:,}", d, f"{total:,}", *cells]))
    if arguments.plot:
        draw(arguments.plot, shares, arguments.n[0])
    return "\n".join(lines)


def draw(path: Path, shares: dict[int, list[float]], n: int) -> None:
    """The share of the leaves that a query looks at, by dimension."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for k, of in shares.items():
        axes.plot(LEAF_DIMS, of[: len(LEAF_DIMS)], marker="o", label=f"k = {k}")
    axes.set(
        xlabel="dimension", ylabel="leaves looked at", ylim=(0, 1),
        title=f"A k-d tree turns exhaustive: {n:,} uniform points",
    )  # fmt: skip
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the tables."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 3, 8, 16])
    parser.add_argument("--n", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--points", choices=["uniform", "curves"], default="uniform")
    parser.add_argument("--queries", type=int, default=0, help="0: by the dimension")
    parser.add_argument("--threads", type=int, default=1, help="of every library")
    parser.add_argument("--level", choices=_core.levels(), help="Kinfold's instruction set")
    parser.add_argument("--rounds", type=int, default=3, help="the best counts")
    parser.add_argument("--only", default=",".join(trees.LIBRARIES), help="libraries")
    parser.add_argument("--plot", type=Path, help="with --leaves: draw them into this PNG")
    parser.add_argument("--leaves", action="store_true", help="print leaves visited instead")
    parser.add_argument("--out", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    kf.set_threads(arguments.threads)
    if arguments.level is not None:
        _core.set_level(arguments.level)
    if arguments.leaves:
        print(leaves(arguments))
        return
    described = {"points": arguments.points, "threads": arguments.threads, "level": _core.level()}
    result: dict[str, Any] = {"run": described, "records": []}
    for n in arguments.n:
        for d in arguments.dims:
            result["records"].append(measure(n, d, arguments))
            if arguments.out:
                arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
