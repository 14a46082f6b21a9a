"""How probable it is that a photo shows the same thing as a query: learnt on a gallery without labels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import as_array
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Count, Number

# Numbers of inliers that are told apart: 0, 1, ..., and this or more.
MOST_INLIERS = 15
# Of photos of the same thing, the share with so many inliers; and of unlike ones, to begin with: SIFT's, by the mixture
# below on real photos. The last of unlike ones fall by a constant factor.
_OF_SAME = (
    0.001,
    0.08,
    0.063,
    0.063,
    0.048,
    0.029,
    0.026,
    0.025,
    0.022,
    0.022,
    0.021,
    0.02,
    0.019,
    0.016,
    0.017,
    0.53,
)
_BY_CHANCE = (0.001, 0.68, 0.24, 0.07, 0.008, 0.0012, *(2e-4 * 0.3**i for i in range(10)))
# Pairs of unlike photos that the latter counts as.
_WORTH = 200
# What is known before anything is learnt: log odds at a typical unlike similarity, and what a deviation adds.
_BEFORE = (-6.0, 1.0)
_ROUNDS = 50


class Confidence(Declared):
    """Log odds that rise with the similarity, and with the inliers by how much likelier they are of one thing.

    A mixture of two: pairs of unlike photos, whose inliers come by chance, as random pairs of the gallery show; and
    pairs of the same thing. Efron's local false discovery rate (Efron, Tibshirani, Storey & Tusher, JASA 2001) of
    what geometry finds, whose prior is logistic in the similarity (Dempster, Laird & Rubin 1977: EM).

    mean, deviation : of the similarity of unlike photos: median, and what the quartiles make it
    photos : how many the gallery had
    weights : float64 (2,), log odds at that mean, and what a deviation above it adds
    chance : float64 (16,), the share of unlike pairs with 0, 1, ..., 15 or more inliers

    Examples
    --------
    >>> from kinfold.gallery.confidence import Confidence
    >>> Confidence().of([0.1, 0.1, 0.5], [1, 12, np.nan]).round(2)
    array([0.  , 1.  , 0.27])
    """

    kind: ClassVar[str] = "gallery.Confidence"

    mean = Number()
    deviation = Number(0, open=True)
    photos = Count(least=0)
    weights = Learnt(np.float64, (2,), finite=True)
    chance = Learnt(np.float64, (MOST_INLIERS + 1,), finite=True)

    def __init__(
        self,
        mean: float = 0.0,
        deviation: float = 0.1,
        *,
        photos: int = 0,
        weights: ArrayLike = _BEFORE,
        chance: ArrayLike = _BY_CHANCE,
    ) -> None:
        self.mean, self.deviation, self.photos = mean, deviation, photos
        self.weights = np.asarray(weights, np.float64)
        self.chance = np.asarray(chance, np.float64)

    def __repr__(self) -> str:
        return f"Confidence(mean={self.mean:.4g}, deviation={self.deviation:.4g}, {self.photos} photos)"

    @classmethod
    def learn(
        cls,
        unlike: ArrayLike,
        by_chance: ArrayLike,
        similarities: ArrayLike,
        inliers: ArrayLike,
        *,
        photos: int,
    ) -> Confidence:
        """From pairs of a gallery's own photos.

        unlike : similarities of any pairs, nearly all of which are unlike
        by_chance : int (m,), inliers of pairs that were drawn at random
        similarities, inliers : (n,), of photos and their nearest, of which some show the same thing
        photos : how many the gallery has
        """
        low, mean, high = np.quantile(np.asarray(unlike, np.float64), [0.25, 0.5, 0.75])
        # Of a normal distribution the quartiles are 1.349 deviations apart.
        made = cls(float(mean), max(float(high - low) / 1.349, 1e-6), photos=photos)
        counts = _WORTH * np.array(_BY_CHANCE)
        counts += np.bincount(_few(by_chance), minlength=MOST_INLIERS + 1)
        made.chance = counts / counts.sum()
        told = made._told()[_few(inliers)]
        x = np.column_stack([np.ones(len(told)), made._above(similarities)])
        before = np.array(_BEFORE)
        for _ in range(_ROUNDS):
            same = _logistic(x @ made.weights + told)
            # One step of Newton for the logistic prior, held near what was known before.
            prior = _logistic(x @ made.weights)
            slope = x.T @ ((prior * (1 - prior))[:, None] * x) + np.eye(2)
            pull = x.T @ (same - prior) - (made.weights - before)
            made.weights = made.weights + np.linalg.solve(slope, pull)
        # A photo that is more alike is never less probably of the same thing.
        made.weights[1] = max(made.weights[1], 0.0)
        return made

    def of(self, similarities: ArrayLike, inliers: ArrayLike) -> NDArray[np.float64]:
        """The probability of each pair, float64 (n,).

        similarities : (n,), as the engines together give them
        inliers : (n,), NaN where geometry did not look
        """
        found = as_array(inliers, "inliers").astype(np.float64)
        looked = np.isfinite(found)
        told = np.where(looked, self._told()[_few(np.where(looked, found, 0))], 0.0)
        return _logistic(self.weights[0] + self.weights[1] * self._above(similarities) + told)

    def _told(self) -> NDArray[np.float64]:
        """What each number of inliers adds to the log odds: more never less."""
        ratio = np.array(_OF_SAME) / np.maximum(self.chance, 1e-12)
        return np.log(np.minimum.accumulate(ratio[::-1])[::-1])

    def _above(self, similarities: ArrayLike) -> NDArray[np.float64]:
        """Similarities in deviations above unlike ones."""
        return (np.asarray(similarities, np.float64) - self.mean) / self.deviation


def _few(inliers: ArrayLike) -> NDArray[np.int64]:
    return np.minimum(np.asarray(inliers), MOST_INLIERS).astype(np.int64)


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
