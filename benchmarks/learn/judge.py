"""How good a map of few dimensions is."""

from __future__ import annotations

from typing import Any

import numpy as np

import kinfold as kf
from kinfold.base.neighbours import self_neighbours


def accuracy(points: Any, labels: Any, others: Any, theirs: Any) -> float:
    """The share of other points whose five nearest points agree with their label."""
    model = kf.KNNClassifier(n_neighbors=5).fit(points, labels)
    return float((model.predict(others) == theirs).mean())


def own_accuracy(points: Any, labels: Any) -> float:
    """The share of points whose five nearest others agree with their label: for maps without a place for new points."""
    near = self_neighbours(np.ascontiguousarray(points, np.float32), 5).ids
    known, codes = np.unique(labels, return_inverse=True)
    votes = (codes[near][:, :, None] == np.arange(len(known))).sum(axis=1)
    return float((votes.argmax(axis=1) == codes).mean())


def trustworthiness(x: Any, points: Any) -> float:
    """Of scikit-learn, 12 neighbours (Venna & Kaski, ICANN 2001): 1 where neighbours on the map are neighbours."""
    from sklearn.manifold import trustworthiness as of

    return float(of(x, points, n_neighbors=12))


def spread_within(points: Any, groups: Any) -> float:
    """The root mean square distance of points to the mean of their group, beside that to the mean of all."""
    _, of = np.unique(groups, return_inverse=True)
    counts = np.bincount(of)
    means = np.stack([np.bincount(of, weights=x) / counts for x in points.T], axis=1)
    within = ((points - means[of]) ** 2).sum(axis=1).mean()
    return float((within / ((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()) ** 0.5)


def circular_correlation(a: Any, b: Any) -> float:
    """Of angles in radians, from -1 to 1, whatever their origins (Fisher & Lee, Biometrika 70, 1983)."""
    (ca, sa), (cb, sb) = ((np.cos(x), np.sin(x)) for x in (a, b))
    over = 4 * ((ca * cb).sum() * (sa * sb).sum() - (ca * sb).sum() * (sa * cb).sum())
    under = [len(x) ** 2 - abs(np.exp(2j * np.asarray(x)).sum()) ** 2 for x in (a, b)]
    return float(over / (under[0] * under[1]) ** 0.5)
