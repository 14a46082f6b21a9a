"""A collection's own map of a network's descriptors: learnt from pairs of its photos, the network as it is."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_answer, as_array, as_vectors, is_one
from kinfold.base.copies import first_copies
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.learnt import Extra, Figure, Learnt
from kinfold.base.parameters import Count, Number
from kinfold.transform.moments import rest_of, without
from kinfold.transform.pca import PCA


class Adapter(Transformer):
    """A whitening, turned so that photos of one thing are near one another: (x - mean) @ projection.

    It begins at the whitening that a gallery has, is held near it, and stops where photos of other things, whose pairs
    it did not see, find one another best; where none is found better than at first, it is the whitening.

    Parameters
    ----------
    dim, whiten : components of the whitening, at most, and its exponent; see `PCA`
    temperature : by which cosines are divided: a small one has eyes for the nearest of other things alone
    strength : of the pull back to the whitening: what the squared distance to it, divided by dim, counts
    epochs, rate : steps and size of the descent
    held_out : share of the pairs that are judged by
    runs : the mean of so many trainings, each of which holds out other things
    seed : of what is held out

    Attributes
    ----------
    mean : float32 (d,)
    projection : float32 (d, dim)
    pairs_ : how many pairs there were
    before_, after_ : mAP of what was held out, among all vectors: of the whitening, and of the best epoch; the means of
        the runs

    The loss is that of `learn.linear.pair_softmax`. A frozen network, what is verified taken for similar: after
    Radenovic, Tolias & Chum, ECCV 2016; the pull: Li, Grandvalet & Davoine, ICML 2018 (L2-SP).

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((40, 6)).repeat(2, axis=0)
    >>> x += np.random.default_rng(1).standard_normal(x.shape) * (2, 2, 1, 0.1, 0.1, 0.1)
    >>> pairs = np.arange(80).reshape(40, 2)  # rows that match
    >>> adapter = kf.Adapter(6, runs=1, verbose=False).fit(x, pairs)
    >>> adapter.transform(x).shape, adapter.after_ > adapter.before_
    ((80, 6), True)
    """

    kind: ClassVar[str] = "learn.Adapter"

    dim = Count()
    whiten = Number(0, 1)
    temperature = Number(0, open=True)
    strength = Number(0)
    epochs = Count()
    rate = Number(0, open=True)
    held_out = Number(0, 1, open=True)
    runs = Count()
    seed = Count(least=0)
    mean = Learnt(np.float32, ("n_features_in_",), finite=True)
    projection = Learnt(np.float32, ("n_features_in_", "width"), finite=True)
    _rest = Extra(np.float32, ("n_features_in_",))
    pairs_ = Figure()
    before_ = Figure()
    after_ = Figure()
    _CHECKED_LATE = True

    def __init__(
        self,
        dim: int = 256,
        *,
        whiten: float = 0.25,
        temperature: float = 0.1,
        strength: float = 3.0,
        epochs: int = 60,
        rate: float = 1e-2,
        held_out: float = 0.2,
        runs: int = 5,
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.dim, self.whiten, self.temperature = dim, whiten, temperature
        self.strength, self.epochs, self.rate = strength, epochs, rate
        self.held_out, self.runs, self.seed, self.verbose = held_out, runs, seed, verbose

    @property
    def _n_features_out(self) -> int:
        return int(self.projection.shape[1])

    def fit(self, X: ArrayLike, pairs: ArrayLike | None = None) -> Adapter:
        """Learn from descriptors of a collection, and pairs of them that show the same thing.

        X : (n, d), of all photos: those without a pair are told apart from the others
        pairs : int (m, 2), rows
        Raises ValueError for pairs that are no rows, of a row with itself or of fewer than two things; for NaN; and
        MissingExtraError without torch.
        """
        self._check_params()
        x = as_samples(X, least=3)
        rows = _as_pairs(pairs, len(x))
        from kinfold.learn.linear import learn_map

        kept, rows = _without_copies(x, rows)
        whitening = PCA(
            min(self.dim, len(x) - 1, x.shape[1]), whiten=self.whiten, shrinkage="ledoit-wolf"
        ).fit(x)
        mean, projection = whitening.affine()
        white = whitening.transform(x)
        found = [
            learn_map(
                white[kept], rows, temperature=float(self.temperature), strength=float(self.strength),
                epochs=self.epochs, rate=float(self.rate), held_out=float(self.held_out),
                seed=self.seed + run, patience=self.epochs, verbose=self.verbose,
            )
            for run in range(self.runs)
        ]  # fmt: skip
        turned = np.mean([matrix for matrix, _ in found], axis=0)
        self.mean = mean
        self.projection = np.ascontiguousarray(projection.astype(np.float64) @ turned, np.float32)
        self._rest = rest_of(mean.astype(np.float64), self.projection, np.ones(len(turned)))
        self.pairs_ = float(len(rows))
        before = [history.before or 0.0 for _, history in found]
        best = [max(e.score or 0.0 for e in history.epochs) for _, history in found]
        self.before_ = float(np.mean(before))
        self.after_ = float(np.maximum(before, best).mean())
        self.n_features_in_ = x.shape[1]
        return self

    def transform(self, X: ArrayLike) -> Vectors:
        """Vectors (n, d), or one (d,), to float32 (n, dim) or (dim,); not normalised."""
        self._check_fitted()
        self._check_names(X)
        one = is_one(X, "X")
        vectors = as_vectors(X, "X", dim=self.n_features_in_, empty=True, one=True)
        rest = without(self._rest, self.projection)
        mapped = as_answer(_core.quantize.linear(vectors, self.mean, self.projection, rest), "X")
        return mapped[0] if one else mapped

    def affine(self) -> tuple[Vectors, Vectors]:
        """Mean (d,) and projection (d, dim), float32, with which transform(x) is (x - mean) @ projection."""
        return self.mean, self.projection


def _without_copies(x: Vectors, pairs: Ids) -> tuple[Ids, Ids]:
    """The first copy of each vector, and pairs of these: a copy of a photo is none of another thing, and shows nothing.

    Raises ValueError where no pair is left.
    """
    first = first_copies(x)
    kept = np.flatnonzero(first == np.arange(len(x)))
    rows = np.sort(np.searchsorted(kept, first[pairs]), axis=1)
    rows = np.unique(rows[rows[:, 0] < rows[:, 1]], axis=0)
    if not len(rows):
        raise ValueError("pairs: expected some of different descriptors, got copies alone")
    return kept, rows


def _as_pairs(pairs: Any, n: int) -> Ids:
    """Rows (m, 2) below n, each pair once, the smaller row first."""
    array = as_array(pairs, "pairs")
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(
            f"pairs: expected rows (m, 2) that match, at least one, got {array.dtype} of shape {array.shape}"
        )
    if array.min() < 0 or array.max() >= n:
        raise ValueError(f"pairs: expected rows below {n}, got {array.min()} to {array.max()}")
    if (array[:, 0] == array[:, 1]).any():
        raise ValueError("pairs: expected rows of two photos, got one with itself")
    rows: Ids = np.unique(np.sort(array.astype(np.int64), axis=1), axis=0)
    return rows
