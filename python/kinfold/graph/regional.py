"""Diffusion over regions: several nodes an image, pooled into one score each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Vectors, as_array, as_ids, as_number, as_vectors
from kinfold.graph.flow import Scorer


class RegionalDiffusion(Scorer):
    """Images ranked by the pooled scores of their regions.

    nodes : Diffusion, RandomWalk, OfflineDiffusion or SpectralRanking, over a graph of regions
    images : int (regions,)       which image each node belongs to, from 0
    weights : float32 (regions,)  of each region in its image's sum: ``gmp_weights``; all 1 if not given

    Queries are those of the nodes: (q, regions, k) for queries of several regions, whose query vectors are
    added. Iscen, Tolias, Avrithis, Furon & Chum, CVPR 2017, section 4.2.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> flow = kf.Diffusion(kf.KNNGraph(10, reciprocal=False).fit(x))
    >>> images = np.arange(200) // 4  # four regions an image
    >>> kf.RegionalDiffusion(flow, images).rank([0.9, 0.8], [3, 5], k=4).ids.shape
    (4,)
    """

    def __init__(self, nodes: Scorer, images: ArrayLike, weights: ArrayLike | None = None) -> None:
        if not isinstance(nodes, Scorer):
            raise ValueError(f"nodes: expected a diffusion, got {type(nodes).__name__}")
        self.nodes = nodes
        self.images = as_ids(images, "images")
        if len(self.images) == 0 or self.images.max() >= len(self.images):
            raise ValueError("images: expected one for each region, from 0 to at most their number")
        if weights is None:
            weights = np.ones(len(self.images), np.float32)
        self.weights: Vectors = np.asarray(as_array(weights, "weights"), np.float32)
        if self.weights.shape != self.images.shape or not np.isfinite(self.weights).all():
            raise ValueError(
                f"weights: expected {len(self.images)} finite numbers, one a region, got shape {self.weights.shape}"
            )
        self._order = np.argsort(self.images, kind="stable")
        present, first = np.unique(self.images[self._order], return_index=True)
        if len(present) != present[-1] + 1:
            raise ValueError("images: expected each number up to the largest at least once")
        self._first = first

    def __len__(self) -> int:
        return len(self._first)

    def _scores(self, values: NDArray[Any], lists: NDArray[Any]) -> Vectors:
        scores = self.nodes._scores(values, lists)
        if scores.shape[1] != len(self.images):
            raise ValueError(
                f"images: expected {scores.shape[1]}, one for each node, got {len(self.images)}"
            )
        weighted = (scores * self.weights)[:, self._order]
        return np.add.reduceat(weighted, self._first, axis=1)


def gmp_weights(regions: ArrayLike, images: ArrayLike, *, ridge: float = 1.0) -> Vectors:
    """Weights of generalised max pooling: each image's regions count as alike after pooling.

    regions : float32 (n, d)   descriptors
    images : int (n,)          which image each belongs to
    Returns float32 (n,): b = (V'V + ridge I)^-1 1 of each image's descriptors V. Frequent regions count
    less. Murray & Perronnin, CVPR 2014, as used by Iscen et al., CVPR 2017, section 4.2.
    """
    vectors = as_vectors(regions, "regions")
    owners = as_ids(images, "images", n=len(vectors))
    ridge = as_number(ridge, "ridge", least=0, open=True)
    weights = np.empty(len(vectors), np.float32)
    order = np.argsort(owners, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
        part = vectors[rows].astype(np.float64)
        weights[rows] = np.linalg.solve(
            part @ part.T + ridge * np.eye(len(rows)), np.ones(len(rows))
        )
    return weights
