"""Clusters of photos drawn at random, and their descriptors."""

from __future__ import annotations

import numpy as np

from kinfold.learn.covisible import CoVisible

N = 40
X = np.random.default_rng(5).normal(size=(N, 6)).astype(np.float32)


def drawn(seed: int = 0, unsure: int = 6) -> CoVisible:
    """Eight clusters of three to five photos, and photos of none."""
    random = np.random.default_rng(seed)
    clusters = np.concatenate([np.repeat(np.arange(8), [5, 4, 4, 4, 3, 3, 3, 4]), np.full(10, -1)])
    clusters = random.permutation(clusters)
    ends = np.column_stack(np.triu_indices(N, 1))
    same = (clusters[ends[:, 0]] == clusters[ends[:, 1]]) & (clusters[ends[:, 0]] >= 0)
    pairs = ends[same & (random.random(len(ends)) < 0.8)]
    pairs = np.where(random.random((len(pairs), 1)) < 0.5, pairs, pairs[:, ::-1])
    common = random.integers(1, 60, len(pairs))
    scales = np.exp(random.normal(0, 0.5, len(pairs)))
    other = ends[~same]
    return CoVisible(
        clusters, pairs, common, np.full(N, 100), scales,
        unsure=random.permutation(other)[:unsure],
    )  # fmt: skip
