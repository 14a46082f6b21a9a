"""Tentative correspondences between the local features of two photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_number
from kinfold.base.local_features import LocalFeatures
from kinfold.local.sift import root_sift


@dataclass(frozen=True)
class Prepared:
    """What matching needs of a photo, made once where it is matched many times.

    root : float32 (n, 128), RootSIFT. place : int64 (n,), equal where positions are equal
    """

    root: Vectors
    place: NDArray[np.int64]


def prepare(features: LocalFeatures) -> Prepared:
    """RootSIFT of a photo's descriptors, and which features share a place."""
    place = np.unique(features.positions, axis=0, return_inverse=True)[1].reshape(-1)
    return Prepared(root_sift(features.descriptors), place.astype(np.int64))


def match(
    query: LocalFeatures | Prepared,
    photo: LocalFeatures | Prepared,
    *,
    ratio: float = 0.85,
    mutual: bool = True,
) -> NDArray[np.int64]:
    """Pairs of features that look alike, int64 (m, 2): rows of the query's and of the photo's features.

    ratio : the nearest must be nearer than this share of the second nearest that lies elsewhere
        (Lowe 2004, section 7.1); 1 for no such test. Features of one position count as one place.
    mutual : each must be the other's nearest
    Descriptors are compared as RootSIFT, by Euclidean distance. Each feature of either photo occurs at
    most once. Ascending by the query's rows.
    """
    as_number(ratio, "ratio", least=0.0, most=1.0)
    a = query if isinstance(query, Prepared) else prepare(query)
    b = photo if isinstance(photo, Prepared) else prepare(photo)
    if not len(a.root) or not len(b.root):
        return np.empty((0, 2), np.int64)
    similarity = a.root @ b.root.T
    best = similarity.argmax(axis=1)
    rows = np.arange(len(a.root))
    if mutual:
        rows = rows[similarity.argmax(axis=0)[best] == rows]
    if ratio < 1.0 and len(rows):
        nearest, rivals = similarity[rows, best[rows]], similarity[rows]
        # A second orientation of the same keypoint looks alike and is no rival.
        rivals[b.place[None, :] == b.place[best[rows]][:, None]] = -np.inf
        second = rivals.max(axis=1)
        # Squared distances are 2 - 2 <q, x>; a photo of one place holds no rival at all.
        clear = 1.0 - nearest < ratio**2 * (1.0 - np.maximum(second, -1.0))
        rows = rows[clear | np.isinf(second)]
    if not mutual and len(rows):
        # Of several query features with one match, the most alike is kept.
        order = np.lexsort((rows, -similarity[rows, best[rows]], best[rows]))
        rows = np.sort(rows[order[np.unique(best[rows][order], return_index=True)[1]]])
    return np.column_stack([rows, best[rows]]).astype(np.int64)
