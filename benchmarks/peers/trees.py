"""k-d trees: ``build(points, threads)`` returns ``search(queries, k, threads) -> (distances, rows)``, Euclidean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Search = Callable[[Any, int, int], tuple[NDArray[Any], NDArray[Any]]]
Build = Callable[[NDArray[Any], int], Search]


def kinfold(points: NDArray[Any], threads: int) -> Search:
    """KDTree over float32, or over what came."""
    import kinfold as kf

    tree = kf.KDTree(points)
    return lambda q, k, t: tree.query(q, k, workers=t)


def kinfold_double(points: NDArray[Any], threads: int) -> Search:
    """KDTree over float64: the bits of scipy."""
    return kinfold(points.astype(np.float64), threads)


def kinfold_tree(points: NDArray[Any], threads: int) -> Search:
    """KDTree that never scans."""
    import kinfold as kf

    tree = kf.KDTree(points, scan=False)
    return lambda q, k, t: tree.query(q, k, workers=t)


def napf(points: NDArray[Any], threads: int) -> Search:
    """nanoflann by napf."""
    import napf

    tree = napf.KDT(points, nthread=threads)

    def search(queries: Any, k: int, t: int) -> tuple[NDArray[Any], NDArray[Any]]:
        squares, rows = tree.knn_search(queries, k, t)
        return np.sqrt(squares), rows

    return search


def pynanoflann(points: NDArray[Any], threads: int) -> Search:
    """nanoflann by pynanoflann, which takes k when it builds; its results are sorted, too."""
    import pynanoflann

    tree = pynanoflann.KDTree(n_neighbors=1, metric="L2")
    tree.fit(points)

    def search(queries: Any, k: int, t: int) -> tuple[NDArray[Any], NDArray[Any]]:
        if t > 1:
            return tree.kneighbors_multithreaded(queries, k, nthreads=t)
        return tree.kneighbors(queries, k)

    return search


def pykdtree(points: NDArray[Any], threads: int) -> Search:
    """Threads by OMP_NUM_THREADS."""
    from pykdtree.kdtree import KDTree

    tree = KDTree(points)
    return lambda q, k, t: tree.query(q, k)


def scipy(points: NDArray[Any], threads: int) -> Search:
    """float64 whatever comes."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    return lambda q, k, t: tree.query(q, k, workers=t)


def sklearn(points: NDArray[Any], threads: int) -> Search:
    """One thread, float64."""
    from sklearn.neighbors import KDTree

    tree = KDTree(points)
    return lambda q, k, t: tree.query(q, k)


LIBRARIES: dict[str, Build] = {
    "kinfold": kinfold,
    "kinfold, float64": kinfold_double,
    "napf": napf,
    "pynanoflann": pynanoflann,
    "pykdtree": pykdtree,
    "scipy": scipy,
    "sklearn": sklearn,
}
