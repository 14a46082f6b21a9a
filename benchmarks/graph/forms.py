"""Time per query, and accuracy lost, of all forms of diffusion against the number of nodes; draws the times.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.graph.forms [--n 10000 100000 1000000] [--plot FILE]

SIFT descriptors, mutual neighbours among 50, alpha = 0.99; queries enter by their 10 nearest nodes. One thread,
processor time, queries one at a time and in one call. Accuracy against the limit of conjugate gradients: mean
relative error of the scores (where all nodes have one), and the share of its first 100 nodes that are found. Of the
offline form only the rows that the queries need are made: the time for all is what one took, times n.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data, measure
from benchmarks.graph.diffusion import ALPHA, graph_of

K_QUERY, TOP = 10, 100


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor, and the result."""
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def forms(graph: kf.KNNGraph, near: Any, arguments: argparse.Namespace) -> Any:
    """Yields name, seconds to prepare, and the ranking as a function of the rows of queries."""
    n = len(graph)
    first = near.ids[:, :K_QUERY], near.distances[:, :K_QUERY]

    def ranker(flow: Any) -> Callable[[slice], Any]:
        return lambda rows: flow.rank(first[1][rows], first[0][rows], TOP)

    for name, make in (
        ("conjugate gradients, 20", lambda: kf.Diffusion(graph, alpha=ALPHA)),
        ("the same, weights float16", lambda: kf.Diffusion(graph, alpha=ALPHA, storage="float16")),
        ("walk, 300 steps", lambda: kf.RandomWalk(graph, alpha=ALPHA, tolerance=0)),
    ):
        seconds, flow = timed(make)
        yield name, seconds, flow, ranker(flow)
    for size in (1000, 5000):
        cut = near.ids[:, :size], near.distances[:, :size]
        truncated = kf.TruncatedDiffusion(graph, k_query=K_QUERY, alpha=ALPHA)
        yield (
            f"truncated to {size}",
            0.0,
            None,
            lambda rows, cut=cut, flow=truncated: flow.rank(cut[1][rows], cut[0][rows], TOP),
        )
    nodes = np.unique(first[0])
    for keep in (1000, 5000):
        empty = kf.OfflineDiffusion(
            np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), alpha=ALPHA,
            gamma=graph.gamma, metric=graph.metric, keep=keep, iterations=20, tolerance=1e-6,
        )  # fmt: skip
        seconds, offline = timed(lambda empty=empty: empty.updated(graph, nodes))
        yield f"offline, keeping {keep}", seconds / len(nodes) * n, offline, ranker(offline)
    for rank in arguments.ranks:
        if n * rank > arguments.most:
            continue
        seconds, spectral = timed(
            lambda rank=rank: kf.SpectralRanking(rank, alpha=ALPHA).fit(graph)
        )
        yield f"spectral, rank {rank}", seconds, spectral, ranker(spectral)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--ranks", type=int, nargs="*", default=[100, 500])
    parser.add_argument(
        "--most", type=int, default=20_000_000, help="numbers in all eigenvectors, at most"
    )
    parser.add_argument("--plot", type=Path, help="draw the times here")
    arguments = parser.parse_args()
    kf.set_threads(1)
    print(
        measure.heading(
            ["nodes", "form", "prepared, s", "ms a query, alone", "among others", "error", "first 100"]
        )
    )  # fmt: skip
    times: dict[str, list[tuple[int, float]]] = {}
    for n in arguments.n:
        graph = graph_of(n)
        parts = data.sift(n)
        base, queries = parts["base"], parts["queries"][: arguments.queries]
        base /= np.linalg.norm(base, axis=1, keepdims=True)
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        index = kf.FlatIndex(base.shape[1], metric="ip")
        index.add(base)
        near = index.search(queries, min(5000, n))
        del index, base, parts
        limit = kf.Diffusion(graph, alpha=ALPHA, iterations=300, tolerance=1e-6).scores(
            near.distances[:, :K_QUERY], near.ids[:, :K_QUERY]
        )
        best = [set(np.argsort(-row, kind="stable")[:TOP].tolist()) for row in limit]
        for name, prepared, flow, rank in forms(graph, near, arguments):
            if n < data.MILLION:
                rank(slice(0, 1))
            alone = timed(lambda rank=rank: rank(slice(0, 1)))[0]
            together, found = timed(lambda rank=rank: rank(slice(0, arguments.queries)))
            error = ""
            if flow is not None:
                scores = flow.scores(near.distances[:, :K_QUERY], near.ids[:, :K_QUERY])
                relative = np.linalg.norm(scores - limit, axis=1) / np.linalg.norm(limit, axis=1)
                error = f"{relative.mean():.1e}"
            kept = np.mean([len(b & set(ids.tolist())) / TOP for b, ids in zip(best, found.ids)])
            times.setdefault(name, []).append((n, 1000 * alone))
            print(
                measure.row(
                    [
                        n, name, f"{prepared:.1f}", f"{1000 * alone:.2f}",
                        f"{1000 * together / len(queries):.2f}", error, f"{kept:.2f}",
                    ]
                ),
                flush=True,
            )  # fmt: skip
    if arguments.plot:
        draw(times, arguments.plot)


def draw(times: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Milliseconds of one query against nodes, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for at, (name, points) in enumerate(times.items()):
        axes.loglog(*zip(*points), marker="osD^vPX*d"[at % 9], label=name)
    axes.set(xlabel="nodes", ylabel="ms a query")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
