"""Manifolds made flat."""

from __future__ import annotations

import os
from typing import Any

from kinfold.datasets.manifolds import swiss_roll
from kinfold.manifold.isomap import Isomap
from kinfold.manifold.kernel_pca import KernelPCA
from kinfold.manifold.laplacian import LaplacianEigenmaps
from kinfold.manifold.lle import LocallyLinearEmbedding
from kinfold.report.embedding import write_embeddings
from kinfold.transform.pca import PCA


def roll(path: str | os.PathLike[str]) -> None:
    """A rolled-up strip, coloured along it, in two dimensions by each method.

    Those that follow neighbours unroll it; with so many neighbours that they reach across turns, or by variance
    alone, turns come to lie upon one another.
    """
    sample, models = swiss_roll(1500), unrolling()
    maps = {name: model.fit_transform(sample.points) for name, model in models.items()}
    write_embeddings(path, {"the roll": sample.points, **maps}, sample.coordinates[:, 0])


def unrolling() -> dict[str, Any]:
    """What is shown, by name: methods that unroll, and some that do not."""
    return {
        "Isomap, k = 8": Isomap(2, n_neighbors=8),
        "Isomap, k = 60": Isomap(2, n_neighbors=60),
        "LLE, k = 12": LocallyLinearEmbedding(2, n_neighbors=12),
        "eigenmaps, k = 10": LaplacianEigenmaps(2, n_neighbors=10),
        "kernel PCA, rbf": KernelPCA(2, kernel="rbf", gamma=0.01),
        "PCA": PCA(2),
    }
