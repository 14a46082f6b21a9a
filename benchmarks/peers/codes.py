"""Exhaustive scans of product codes: ``build(...)`` returns ``search(queries, k, threads) -> (distances, ids)``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf

Search = Callable[[Any, int, int], tuple[NDArray[Any], NDArray[Any]]]


def shape(spec: str) -> tuple[int, int]:
    """Subquantizers and bits of "PQ16", "PQ16x4fs"."""
    match = re.fullmatch(r"PQ(\d+)(?:x(\d)fs)?", spec)
    if match is None:
        raise ValueError(f"spec: expected such as PQ16 or PQ32x4fs, got {spec!r}")
    return int(match[1]), int(match[2] or 8)


def kinfold(spec: str, train: NDArray[Any], base: NDArray[Any]) -> Any:
    """The index itself: its codebooks and decoded vectors are wanted too."""
    index = kf.index_factory(spec, base.shape[1], verbose=False)
    index.train(train)
    index.add(base, verbose=False)
    return index


def faiss(
    spec: str, train: NDArray[Any], base: NDArray[Any], codebooks: NDArray[Any] | None = None
) -> Search:
    """IndexPQ, or IndexPQFastScan for 4 bits; with codebooks (m, 2**bits, s) given, nothing is learnt."""
    import faiss

    m, bits = shape(spec)
    make = faiss.IndexPQ if bits == 8 else faiss.IndexPQFastScan
    index = make(base.shape[1], m, bits)
    if codebooks is None:
        index.train(train)
    else:
        if codebooks.size != index.pq.centroids.size():
            raise ValueError(f"codebooks: faiss wants a dimension that {m} divides")
        faiss.copy_array_to_vector(
            np.ascontiguousarray(codebooks, np.float32).reshape(-1), index.pq.centroids
        )
        index.is_trained = True
    index.add(base)

    def search(queries: Any, k: int, threads: int) -> tuple[NDArray[Any], NDArray[Any]]:
        faiss.omp_set_num_threads(threads)
        return index.search(queries, k)

    return search
