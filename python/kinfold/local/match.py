"""Tentative correspondences between the local features of two photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_number
from kinfold.base.local_features import LocalFeatures
from kinfold.local.sift import root_sift


def match(
    query: LocalFeatures, photo: LocalFeatures, *, ratio: float = 0.85, mutual: bool = True
) -> NDArray[np.int64]:
    """Pairs of features that look alike, int64 (m, 2): rows of the query's and of the photo's features.

    ratio : the nearest must be nearer than this share of the second nearest that lies elsewhere
        (Lowe 2004, section 7.1); 1 for no such test. Features of one position count as one place.
    mutual : each must be the other's nearest
    Descriptors are compared as RootSIFT, by Euclidean distance. Each feature of either photo occurs at
    most once. Ascending by the query's rows.
    """
    as_number(ratio, "ratio", least=0.0, most=1.0)
    if not len(query) or not len(photo):
        return np.empty((0, 2), np.int64)
    similarity = root_sift(query.descriptors) @ root_sift(photo.descriptors).T
    best = similarity.argmax(axis=1)
    rows = np.arange(len(query))
    nearest = similarity[rows, best]
    if ratio < 1.0:
        # A second orientation of the same keypoint looks alike and is no rival.
        place = _places(photo)
        rivals = np.where(place[None, :] == place[best][:, None], -np.inf, similarity)
        second = rivals.max(axis=1)
        # Squared distances are 2 - 2 <q, x>; a photo of one place holds no rival at all.
        keep = (1.0 - nearest < ratio**2 * (1.0 - np.maximum(second, -1.0))) | np.isinf(second)
    else:
        keep = np.ones(len(query), bool)
    back = similarity.argmax(axis=0)
    if mutual:
        keep &= back[best] == rows
    else:
        # Of several query features with one match, the most alike is kept.
        order = np.lexsort((rows, -nearest, best))
        order = order[keep[order]]
        first = np.unique(best[order], return_index=True)[1]
        keep = np.zeros(len(query), bool)
        keep[order[first]] = True
    return np.column_stack([rows[keep], best[keep]]).astype(np.int64)


def _places(features: LocalFeatures) -> NDArray[np.int64]:
    """A number for each feature, equal where positions are equal."""
    return (
        np.unique(features.positions, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    )
