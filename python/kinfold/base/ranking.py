"""An answer: for each query, ids in order with their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.warn import warn_caller


def ids_in_front(values: NDArray[Any], ids: NDArray[Any]) -> bool:
    """Whether two arrays come in the order of earlier versions: whole numbers, the ids, before the values."""
    return values.dtype.kind in "iu" and ids.dtype.kind == "f"


class Neighbours(NamedTuple):
    """What a search returns; unpacks as ``distances, ids``.

    distances : float32 (n, k), or (k,) for one query; ascending (similarities: descending);
        +inf (-inf) where there are fewer than k.
    ids : int64, the same shape; -1 where there are fewer than k.

    Examples
    --------
    >>> distances, ids = kf.Neighbours(np.array([0.5, 0.7]), np.array([4, 2]))
    >>> ids.tolist()
    [4, 2]
    """

    distances: Vectors
    ids: Ids


@dataclass(frozen=True)
class Ranking:
    """Ranked lists, best first.

    scores : float32 (q, k); larger is better; -inf past the end of a list.
    ids : int64 (q, k); -1 past the end of a list.

    Examples
    --------
    >>> kf.Ranking.from_scores([[0.2, 0.9, 0.5]]).ids.tolist()
    [[1, 2, 0]]
    """

    scores: Vectors
    ids: Ids

    def __post_init__(self) -> None:
        if ids_in_front(self.scores, self.ids):
            warn_caller("ranking: expected scores before ids", DeprecationWarning)
            scores, ids = self.ids, self.scores
            object.__setattr__(self, "scores", scores)
            object.__setattr__(self, "ids", ids)
        if self.ids.ndim != 2 or self.ids.shape != self.scores.shape:
            raise ValueError(
                f"ranking: expected ids and scores of one shape (q, k), got {self.ids.shape} and {self.scores.shape}"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def from_ids(cls, ids: Any) -> Ranking:
        """Ranked ids (q, k), or one list (k,), without scores: the score falls by one a rank."""
        array = np.atleast_2d(np.asarray(ids, dtype=np.int64))
        scores = np.broadcast_to(-np.arange(array.shape[1], dtype=np.float32), array.shape)
        return cls(np.where(array >= 0, scores, -np.inf).astype(np.float32), array)

    @classmethod
    def from_neighbours(cls, neighbours: Neighbours, *, metric: str = "l2") -> Ranking:
        """The result of a search, ids int64 and scores float32; squared distances are negated: larger is better."""
        distances, ids = np.atleast_2d(neighbours[0]), np.atleast_2d(neighbours[1])
        scores = -distances if metric == "l2" else distances
        return cls(np.where(ids >= 0, scores, -np.inf).astype(np.float32), ids)

    @classmethod
    def from_scores(cls, scores: Any, k: int | None = None) -> Ranking:
        """Rank all items by a dense score matrix (q, n), best first, ties by ascending id."""
        matrix = np.atleast_2d(np.asarray(scores, dtype=np.float32))
        order = np.argsort(-matrix, axis=1, kind="stable")[:, :k].astype(np.int64)
        return cls(np.take_along_axis(matrix, order, axis=1), order)

    def valid(self, query: int) -> NDArray[np.int64]:
        """The ids of one list without the fill at its end, int64 (m,)."""
        row = self.ids[query]
        return row[row >= 0]
