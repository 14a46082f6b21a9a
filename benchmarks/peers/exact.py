"""Exact search by several libraries: ``build(base, metric)`` returns ``search(queries, k) -> (distances, ids)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import kinfold as kf

Search = Callable[[Any, int], Any]


def kinfold(base: Any, *, scan: str = "auto") -> Search:
    index = kf.FlatIndex(base.shape[1])
    index.add(base)
    return lambda queries, k: index.search(queries, k, scan=scan)


def kinfold_f32(base: Any) -> Search:
    return kinfold(base, scan="f32")


def faiss(base: Any) -> Search:
    import faiss

    index = faiss.IndexFlatL2(base.shape[1])
    index.add(base)
    return index.search


def sklearn(base: Any) -> Search:
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(algorithm="brute", metric="sqeuclidean").fit(base)
    return lambda queries, k: model.kneighbors(queries, k)


def numpy(base: Any) -> Search:
    """A product of matrices in blocks of 64 queries and a partial sort."""
    norms = np.einsum("ij,ij->i", base, base)

    def search(queries: Any, k: int) -> Any:
        distances = np.empty((len(queries), k), np.float32)
        ids = np.empty((len(queries), k), np.int64)
        for at in range(0, len(queries), 64):
            part = queries[at : at + 64]
            all_distances = norms - 2 * part @ base.T
            near = np.argpartition(all_distances, k - 1, axis=1)[:, :k]
            values = np.take_along_axis(all_distances, near, axis=1)
            order = np.argsort(values, axis=1)
            ids[at : at + 64] = np.take_along_axis(near, order, axis=1)
            values = np.take_along_axis(values, order, axis=1)
            distances[at : at + 64] = values + np.einsum("ij,ij->i", part, part)[:, None]
        return distances, ids

    return search


PEERS: dict[str, tuple[Callable[[Any], Search], str | None]] = {
    "kinfold": (kinfold, None),
    "kinfold f32": (kinfold_f32, None),
    "kinfold avx2": (kinfold, "avx2"),
    "kinfold f32 avx2": (kinfold_f32, "avx2"),
    "faiss": (faiss, None),
    "sklearn": (sklearn, None),
    "numpy": (numpy, None),
}
