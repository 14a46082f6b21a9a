"""Building neighbour lists: Kinfold exactly, through an index and by descent, beside the peers.

    python -m benchmarks.graph.knn_graph [--n 100000] [--threads 1] [--level avx2] [--only NAME ...]

SIFT descriptors of real photos, length one, k = 50. CPU seconds of this process (all its threads) and wall
seconds; recall against exact lists, of a sample where n is large. Recall first, then time: a contestant that
finds less is no rival.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data
from kinfold import KNNLists, _core
from kinfold.base.neighbours import other_neighbours
from kinfold.index.base import unit_rows

K = 50
SAMPLE = 2000


def kinfold_exact(x: NDArray[Any], threads: int) -> NDArray[Any]:
    return KNNLists.build(x, K).ids


def kinfold_descent(x: NDArray[Any], threads: int) -> NDArray[Any]:
    return KNNLists.build(x, K, method="nn-descent").ids


def kinfold_index(x: NDArray[Any], threads: int) -> NDArray[Any]:
    cells = 1 << int(np.log2(len(x) ** 0.5))
    return KNNLists.build(x, K, index=f"IVF{cells},SQ8", nprobe=max(8, cells // 8)).ids


def faiss_exact(x: NDArray[Any], threads: int) -> NDArray[Any]:
    import faiss

    return faiss.knn(x, x, K + 1, metric=faiss.METRIC_INNER_PRODUCT)[1]


def faiss_cells(x: NDArray[Any], threads: int) -> NDArray[Any]:
    import faiss

    index = faiss.index_factory(x.shape[1], "IVF316,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(x[:: max(1, len(x) // 100_000)])
    index.add(x)
    index.nprobe = 32
    return index.search(x, K + 1)[1]


def faiss_descent(x: NDArray[Any], threads: int) -> NDArray[Any]:
    import faiss

    index = faiss.IndexNNDescentFlat(x.shape[1], 64)
    index.nndescent.search_L = 100
    index.add(x)
    graph = faiss.vector_to_array(index.nndescent.final_graph)
    return graph.reshape(len(x), -1)[:, :K]


def pynndescent(x: NDArray[Any], threads: int) -> NDArray[Any]:
    from pynndescent import NNDescent

    return NNDescent(x, metric="euclidean", n_neighbors=K + 1, n_jobs=threads).neighbor_graph[0]


def hnswlib(x: NDArray[Any], threads: int) -> NDArray[Any]:
    import hnswlib

    index = hnswlib.Index("l2", x.shape[1])
    index.init_index(len(x), M=16, ef_construction=100)
    index.set_num_threads(threads)
    index.add_items(x)
    index.set_ef(100)
    return index.knn_query(x, K + 1)[0].astype(np.int64)


CONTESTANTS: dict[str, Callable[[NDArray[Any], int], NDArray[Any]]] = {
    "kinfold exact": kinfold_exact, "kinfold nn-descent": kinfold_descent,
    "kinfold IVF": kinfold_index, "pynndescent": pynndescent, "hnswlib": hnswlib,
    "faiss IVF316, nprobe 32": faiss_cells, "faiss NNDescent": faiss_descent,
    "faiss exact": faiss_exact,
}  # fmt: skip


def recall(found: NDArray[Any], rows: NDArray[Any], truth: NDArray[Any]) -> float:
    """The share of the K true neighbours found, the row itself passed over."""
    lists = [[j for j in found[i].tolist() if j != i][:K] for i in rows.tolist()]
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(lists, truth.tolist())]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--level", choices=_core.levels())
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    arguments = parser.parse_args()
    kf.set_threads(arguments.threads)
    if arguments.level:
        _core.set_level(arguments.level)
    if any(name.startswith("faiss") for name in arguments.only):
        import faiss

        faiss.omp_set_num_threads(arguments.threads)
    x = unit_rows(data.sift()["base"][: arguments.n])
    rows = np.random.default_rng(0).choice(len(x), min(SAMPLE, len(x)), replace=False)
    truth = other_neighbours(x[rows], x, rows, K, metric="ip").ids
    if "pynndescent" in arguments.only:
        pynndescent(x[:2000], arguments.threads)  # compiles at its first use
    print(f"{len(x)} vectors, {arguments.threads} threads, {_core.level()}", flush=True)
    for name in arguments.only:
        wall, cpu = time.perf_counter(), time.process_time()
        found = CONTESTANTS[name](x, arguments.threads)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        share = recall(found, rows, truth)
        print(
            f"{name:26} recall {share:.4f}  cpu {cpu:7.2f} s  wall {wall:7.2f} s  peak so far {peak:.2f} GB",
            flush=True,
        )


if __name__ == "__main__":
    main()
