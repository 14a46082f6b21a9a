"""The largest eigenvalues of a normalised graph and their eigenvectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors
from kinfold.graph.flow import flow_graph
from kinfold.graph.knn import KNNGraph

# Below, or where most eigenvectors are wanted, the matrix is written out.
_DENSE = 1500
# Vectors beside the wanted ones: a share of them, and at least so many.
_SPARE, _LEAST_SPARE = 0.1, 20
_DEGREE, _ROUNDS = 12, 12


def largest_eigenpairs(
    graph: KNNGraph, r: int, *, seed: int = 0, tolerance: float = 1e-4
) -> tuple[Vectors, NDArray[np.float64]]:
    """The r algebraically largest eigenvalues of D^-1/2 W D^-1/2, descending, and eigenvectors (n, r).

    By subspace iteration (Halko, Martinsson & Tropp 2011) on a Chebyshev polynomial of the matrix that
    holds the unwanted end of the spectrum down (Zhou & Saad 2007), until eigenvalues change by no more
    than ``tolerance``; written out and solved where the graph is small or r near n. Each eigenvector's
    largest entry is positive.
    """
    n = len(graph)
    width = r + max(_LEAST_SPARE, int(_SPARE * r))
    if n <= _DENSE or 2 * width >= n:
        values, vectors = np.linalg.eigh(_written_out(graph))
        return _signed(vectors[:, : -r - 1 : -1]), values[: -r - 1 : -1].copy()
    system = flow_graph(graph)
    random = np.random.default_rng(seed)
    basis = _orthonormal(random.standard_normal((width, n), dtype=np.float32))
    low, kept = 0.0, np.full(r, np.inf)
    for _ in range(_ROUNDS):
        basis = _orthonormal(_filtered(system, basis, low))
        image = system.multiply(basis)
        small = (basis @ image.T).astype(np.float64)
        values, mixing = np.linalg.eigh((small + small.T) / 2)
        basis = mixing[:, ::-1].T.astype(np.float32) @ basis
        values = values[::-1]
        low = float(values[-1])
        if np.abs(values[:r] - kept).max() <= tolerance:
            break
        kept = values[:r]
    return _signed(basis[:r].T), values[:r].copy()


def _filtered(system: _core.graph.FlowGraph, x: Vectors, low: float) -> Vectors:
    """The Chebyshev polynomial that is at most 1 on [-1, low] and grows above, of rows x."""
    centre, half = np.float32((low - 1) / 2), np.float32((low + 1) / 2)
    before, now = x, (system.multiply(x) - centre * x) / half
    for _ in range(_DEGREE - 1):
        before, now = now, 2 / half * (system.multiply(now) - centre * now) - before
    return now


def _orthonormal(rows: Vectors) -> Vectors:
    """An orthonormal basis of what the rows span."""
    scale = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(np.linalg.qr((rows / np.maximum(scale, 1e-30)).T)[0].T)


def _written_out(graph: KNNGraph) -> NDArray[np.float64]:
    """The normalised weights as a dense matrix."""
    n = len(graph)
    dense = np.zeros((n, n))
    dense[np.repeat(np.arange(n), np.diff(graph.starts)), graph.neighbours] = graph.normalised()
    return dense


def _signed(vectors: NDArray[np.floating]) -> Vectors:
    """Columns with a positive largest entry, float32, row by row in memory."""
    top = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[top, np.arange(vectors.shape[1])] < 0, -1, 1)
    return np.ascontiguousarray(vectors * signs, np.float32)
