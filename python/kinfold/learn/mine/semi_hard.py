"""Negatives that are farther than the positive, but not by much."""

from __future__ import annotations

from typing import Any

from kinfold.base.arrays import as_number
from kinfold.learn.mine.batch import Batch, triplets
from kinfold.learn.mine.found import Triplets


class SemiHard:
    """Each anchor and positive with the nearest of those negatives that are farther than the positive.

    margin : only where its squared distance is less than this above the positive's, so that the triplet loss is
        above zero; None for any
    Schroff, Kalenichenko & Philbin, CVPR 2015, eq. 4. Pairs without such a negative are left out.
    """

    def __init__(self, margin: float | None = None) -> None:
        self.margin = None if margin is None else as_number(margin, "margin", least=0)

    def __call__(self, descriptors: Any, labels: Any) -> Triplets:
        """Vectors (n, d) and classes (n,) to triplets of rows."""
        batch = Batch.of(descriptors, labels)
        anchor, positive = batch.pairs()
        squares = batch.distances**2
        bar = squares[anchor, positive][:, None]
        allowed = batch.negative[anchor] & (squares[anchor] > bar)
        if self.margin is not None:
            allowed &= squares[anchor] < bar + self.margin
        negative, some = batch.nearest(anchor, allowed)
        return triplets(anchor[some], positive[some], negative[some])
