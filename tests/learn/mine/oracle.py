"""Slow loops over a batch: what miners must find."""

from __future__ import annotations

import numpy as np


def batch(
    seed: int = 0, n: int = 24, dim: int = 6, classes: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors float32 (n, dim) and classes, one of which has a single member."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, dim)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = random.integers(0, classes, n)
    labels[3] = 77
    return x, labels


def distance(x: np.ndarray, i: int, j: int) -> float:
    return float(np.linalg.norm(x[i].astype(np.float64) - x[j]))


def valid(labels: np.ndarray) -> set[tuple[int, int, int]]:
    """All (anchor, positive, negative)."""
    n = range(len(labels))
    return {
        (a, p, q) for a in n for p in n for q in n
        if a != p and labels[a] == labels[p] and labels[a] != labels[q]
    }  # fmt: skip


def told(found) -> list[tuple[int, int, int]]:
    return list(zip(*(part.tolist() for part in found)))
