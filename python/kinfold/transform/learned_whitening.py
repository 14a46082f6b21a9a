"""Whitening learnt from pairs of vectors that match."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import (
    Vectors,
    as_answer,
    as_array,
    as_vectors,
    is_one,
)
from kinfold.base.estimator import Transformer
from kinfold.base.learnt import Extra, Learnt
from kinfold.base.parameters import Choice, Count, Maybe, Number
from kinfold.base.warn import warn_caller
from kinfold.transform.moments import rest_of, without

_Matrix = NDArray[np.float64]

_ROWS = 4096


class LearnedWhitening(Transformer):
    """Whiten the differences of matching vectors, then keep the directions in which the others differ most.

    With S the second moment of the differences of matching pairs, the inverse of its Cholesky factor makes these
    differences white; a rotation then diagonalises what ``second`` names, largest first. Mikolajczyk & Matas,
    ICCV 2007; as used by Radenovic, Tolias & Chum, PAMI 2019, section 3.4.

    Parameters
    ----------
    dim : dimensions to keep; None for all
    second :
        "all"          the second moment of all vectors about the mean of the queries: what published code computes
        "nonmatching"  that of the differences of pairs that do not match: the papers
    shrinkage : pull S towards a multiple of the identity by this share; needed where there are no more pairs
        than dimensions, in which case 0 becomes 1e-3, with a warning

    Attributes
    ----------
    mean : float32 (d,), of the queries: the first vectors of the pairs
    projection : float32 (d, dim)

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> pairs = np.arange(200).reshape(100, 2)  # rows that match
    >>> kf.LearnedWhitening(4).fit(x, pairs).transform(x).shape
    (200, 4)
    """

    kind: ClassVar[str] = "transform.LearnedWhitening"

    dim = Maybe(Count())
    second = Choice("all", "nonmatching")
    shrinkage = Number(0, 1)
    mean = Learnt(np.float32, ("n_features_in_",))
    projection = Learnt(np.float32, ("n_features_in_", "dim"))
    _rest = Extra(np.float32, ("n_features_in_",))

    def __init__(
        self, dim: int | None = None, *, second: str = "all", shrinkage: float = 0.0
    ) -> None:
        self.dim, self.second, self.shrinkage = dim, second, shrinkage

    @property
    def _n_features_out(self) -> int:
        return int(self.projection.shape[1])

    def fit(
        self, x: ArrayLike, pairs: ArrayLike | None = None, nonmatching: ArrayLike | None = None
    ) -> LearnedWhitening:
        """Learn from vectors and pairs of their rows.

        x : (n, d)
        pairs : int (m, 2)           rows that match; the first of each is the query. Or classes (n,), as the steps of a
            pipeline get them: each row matches the others of its class
        nonmatching : int (m', 2)    rows that do not, for second="nonmatching"; None for all pairs of rows
            that are not in ``pairs``
        Raises ValueError for pairs that are no rows, or whose vectors are all equal.
        """
        vectors = as_vectors(x, "x")
        n, d = vectors.shape
        matching = _pairs(_of_classes(pairs, n), "pairs", n)
        keep = d if self.dim is None else self.dim
        if keep > d:
            raise ValueError(f"dim: expected at most {d}, the vectors' dimension, got {keep}")
        mean = vectors[matching[:, 0]].mean(axis=0, dtype=np.float64)
        same = _differences(vectors, matching) / len(matching)
        level = float(np.trace(same)) / d
        if level <= 0:
            raise ValueError(
                "pairs: expected some vectors that differ, all matching ones are equal"
            )
        share = self.shrinkage
        if share == 0 and len(matching) <= d:
            share = 1e-3
            warn_caller(
                f"learnt from {len(matching)} pairs in {d} dimensions: shrinkage is set to {share:g}"
            )
        same = (1 - share) * same + share * level * np.eye(d)
        inverse = np.linalg.inv(_cholesky(same, level))
        other = inverse @ self._second(vectors, mean, matching, nonmatching) @ inverse.T
        rotation = np.linalg.eigh((other + other.T) / 2)[1][:, ::-1][:, :keep]
        projection = inverse.T @ rotation
        largest = np.abs(projection).argmax(axis=0)
        projection *= np.where(projection[largest, np.arange(keep)] < 0, -1.0, 1.0)
        if not np.abs(projection).max() <= np.finfo(np.float32).max:
            raise ValueError(
                "pairs: expected differences whose inverse float32 can hold, got a root mean square of "
                f"{np.sqrt(level):.1g}"
            )
        self.mean = mean.astype(np.float32)
        self.projection = np.ascontiguousarray(projection, dtype=np.float32)
        self._rest = rest_of(mean, self.projection, np.ones(keep))
        self.n_features_in_ = d
        return self

    def transform(self, x: ArrayLike) -> Vectors:
        """Vectors (n, d), or one (d,), to float32 (n, dim) or (dim,); not normalised."""
        self._check_names(x)
        vectors = as_vectors(x, "x", dim=len(self.mean), empty=True, one=True)
        rest = without(self._rest, self.projection)
        projected = as_answer(_core.quantize.linear(vectors, self.mean, self.projection, rest), "x")
        return projected[0] if is_one(x, "x") else projected

    def affine(self) -> tuple[Vectors, Vectors]:
        """Mean (d,) and projection (d, dim), float32, with which transform(x) is (x - mean) @ projection."""
        return self.mean, self.projection

    def _second(
        self, vectors: Vectors, mean: _Matrix, matching: NDArray[np.int64], nonmatching: Any
    ) -> _Matrix:
        """The second matrix (d, d), up to a factor that no eigenvector depends on."""
        if self.second == "all":
            return _scatter(vectors, mean)
        if nonmatching is not None:
            return _differences(vectors, _pairs(nonmatching, "nonmatching", len(vectors)))
        # Over all pairs the differences' moments sum up to n times the scatter about the mean.
        whole = len(vectors) * _scatter(vectors, vectors.mean(axis=0, dtype=np.float64))
        listed = np.unique(np.sort(matching, axis=1), axis=0)
        return whole - _differences(vectors, listed)


def _of_classes(y: Any, n: int) -> Any:
    """All pairs of rows of one class, where there is a class for each of n rows; else what was given."""
    if y is None:
        raise ValueError("pairs: expected rows that match, or a class for each, got None")
    classes = np.asarray(y)
    if classes.ndim != 1 or len(classes) != n:
        return y
    _, codes = np.unique(classes, return_inverse=True)
    rows = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    return np.concatenate(
        [np.stack([own[side] for side in np.triu_indices(len(own), 1)], axis=1) for own in rows]
    )


def _pairs(x: Any, name: str, n: int) -> NDArray[np.int64]:
    pairs = as_array(x, name)
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(
            f"{name}: expected rows (m, 2) of whole numbers, got {pairs.dtype} {pairs.shape}"
        )
    if pairs.min() < 0 or pairs.max() >= n:
        raise ValueError(f"{name}: expected rows below {n}, got {pairs.min()} to {pairs.max()}")
    return pairs.astype(np.int64)


def _differences(vectors: Vectors, pairs: NDArray[np.int64]) -> _Matrix:
    """The sum over pairs of (a - b)(a - b)^T."""
    total = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(pairs), _ROWS):
        some = pairs[start : start + _ROWS]
        gap = vectors[some[:, 0]].astype(np.float64) - vectors[some[:, 1]]
        total += gap.T @ gap
    return total


def _scatter(vectors: Vectors, mean: _Matrix) -> _Matrix:
    """The sum over vectors of (x - mean)(x - mean)^T."""
    total = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(vectors), _ROWS):
        centred = vectors[start : start + _ROWS] - mean
        total += centred.T @ centred
    return total


def _cholesky(matrix: _Matrix, level: float) -> _Matrix:
    """The lower factor; where the matrix is singular to rounding, of it plus the least of the identity that helps."""
    load = 0.0
    while True:
        try:
            factor = np.linalg.cholesky(matrix + load * level * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            load = max(1e-10, load * 10)
        else:
            return np.asarray(factor, np.float64)
