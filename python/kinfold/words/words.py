"""Visual words: a codebook of local descriptors, and which words a descriptor stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_count, as_number, as_vectors, owned, read_only
from kinfold.base.bags import as_descriptors
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer
from kinfold.base.learnt import Extra, Learnt
from kinfold.base.parameters import Count, Flag, Maybe, Text
from kinfold.base.warn import warn_caller
from kinfold.index.candidates import CandidateIndex
from kinfold.index.flat import FlatIndex
from kinfold.index.proposers.kd_forest import KDForest
from kinfold.quantize.kmeans import KMeans, assign, centroid_distances, warn_of_few

_TREES = 8
# Descriptors on fewer words than this share of those they could be on are of another kind.
_SPREAD = 0.05
# Of a Gaussian: its square is neither 0 nor infinite.
SIGMAS = 1e-100, 1e100


class VisualWords(Transformer):
    """A codebook of k words, with hard, multiple and soft assignment.

    Parameters
    ----------
    k : words
    branch : None for flat k-means; else the codebook is learnt by a tree of k-means with this many children
        (Nister and Stewenius, CVPR 2006), whose leaves are the words: training costs branch * log k / log branch
        instead of k distances a descriptor. k is then a power of it
    paths : with ``branch``: words are assigned by descending the tree, at each level to the children of so many of its
        nodes that are nearest: 1 as Nister and Stewenius, more as Schindler, Brown and Szeliski (CVPR 2007)
    checks : None for exact k-means; else descriptors are assigned in training by 8 randomized k-d trees over the words,
        which look at so many of them (Philbin, Chum, Isard, Sivic and Zisserman, CVPR 2007); without ``branch``
    iterations, sample, seed, verbose : of k-means
    fingerprint : of what extracted the descriptors; kept with the words, so that others can be refused

    Without ``paths`` words are assigned exactly, whatever they were learnt by, unless ``assign`` is told otherwise.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> words = kf.VisualWords(16, verbose=False).fit(x)
    >>> words.predict(x[:5]).shape
    (5,)
    """

    kind: ClassVar[str] = "local.Words"

    k = Count(most=1 << 24)
    branch = Maybe(Count(least=2))
    checks = Maybe(Count()).since(None)
    paths = Maybe(Count()).since(None)
    iterations = Count(least=0)
    sample = Maybe(Count())
    seed = Count(least=0)
    fingerprint = Text()
    verbose = Flag().unsaved()
    centroids = Learnt(np.float32, ("k", "n_features_in_"), finite=True)
    # The levels of the tree above the words, one after the other; None where there is none.
    _nodes = Extra(np.float32, ("_inner", "n_features_in_"), finite=True, empty=True)

    def __init__(
        self,
        k: int = 16384,
        *,
        branch: int | None = None,
        checks: int | None = None,
        paths: int | None = None,
        iterations: int = 10,
        sample: int | None = 100,
        seed: int = 0,
        fingerprint: str = "",
        verbose: bool = True,
    ) -> None:
        self.k, self.branch, self.checks, self.paths = k, branch, checks, paths
        self.iterations, self.sample, self.seed = iterations, sample, seed
        self.fingerprint, self.verbose = fingerprint, verbose
        if self.branch is not None and self.branch ** self._depth() != self.k:
            raise ValueError(f"k: expected a power of branch {self.branch}, got {k}")
        if self.branch is not None and self.checks is not None:
            raise ValueError("checks: expected none with branch")
        if self.branch is None and self.paths is not None:
            raise ValueError("paths: expected none without branch")
        # Words and a search over them, made when first asked for: exact, and by trees.
        self._exact: tuple[Vectors, FlatIndex] | None = None
        self._forest: tuple[Vectors, CandidateIndex] | None = None

    def _depth(self) -> int:
        depth, leaves = 0, 1
        while self.branch and leaves < self.k:
            depth, leaves = depth + 1, leaves * self.branch
        return depth

    @property
    def _inner(self) -> int:
        """Nodes of the tree above the words."""
        return sum((self.branch or 0) ** level for level in range(1, self._depth()))

    @property
    def _n_features_out(self) -> int:
        return len(self.centroids)

    @classmethod
    def from_centroids(cls, centroids: ArrayLike, **options: Any) -> VisualWords:
        """Words (k, d) that were learnt elsewhere.

        options : of the constructor but k
        Raises ValueError for ``branch``: the nodes above the words are not known.
        """
        if options.get("branch") is not None:
            raise ValueError("branch: expected none, for words alone are no tree")
        words = as_vectors(centroids, "centroids")
        made = cls(len(words), **options)
        made._adopt(owned(words, centroids))
        return made

    def fit(self, descriptors: Any, y: Any = None) -> VisualWords:
        """Learn the words from descriptors (n, d), n >= k, or those of photos, arrays (n_i, d).

        Raises ValueError for fewer.
        """
        x = as_descriptors(descriptors, "descriptors")
        if len(x) < self.k:
            raise ValueError(f"descriptors: expected at least {self.k}, got {len(x)}")
        warn_of_few(len(x), self.k)
        if self.branch is None:
            self._adopt(self._flat(x, self.k))
        else:
            *nodes, words = self._tree(x, self._depth())
            self._adopt(words, np.concatenate(nodes) if nodes else words[:0])
        return self

    def _flat(self, x: Vectors, k: int) -> Vectors:
        model = KMeans(
            k, iterations=self.iterations, sample=self.sample, seed=self.seed, verbose=self.verbose
        )
        return model._learn(x, nearest=None if self.checks is None else self._near).centroids

    def _near(self, x: Vectors, centroids: Vectors) -> tuple[Ids, Vectors]:
        assert self.checks is not None
        distances, found = self._trees(centroids).search(x, 1, checks=self.checks)
        return found[:, 0], distances[:, 0]

    def _trees(self, centroids: Vectors) -> CandidateIndex:
        forest = CandidateIndex(centroids.shape[1], KDForest(_TREES, seed=self.seed))
        forest.add(centroids, verbose=False)
        return forest

    def _tree(self, x: Vectors, depth: int) -> list[Vectors]:
        """The levels of a tree from the root's children to the leaves."""
        assert self.branch is not None
        leaves = self.branch**depth
        if len(x) <= leaves:
            # Too few for a word each: the descriptors themselves, the last one repeated.
            levels = [np.concatenate([x, np.repeat(x[-1:], leaves - len(x), axis=0)])]
            for _ in range(depth - 1):
                children = levels[0].reshape(-1, self.branch, x.shape[1])
                levels.insert(0, children.mean(axis=1, dtype=np.float64).astype(np.float32))
            return levels
        centroids = self._flat(x, self.branch)
        if depth == 1:
            return [centroids]
        labels, _ = assign(x, centroids)
        below = [
            self._tree(x[labels == i] if (labels == i).any() else centroids[i : i + 1], depth - 1)
            for i in range(self.branch)
        ]
        return [centroids, *(np.concatenate(level) for level in zip(*below))]

    def _adopt(self, centroids: Vectors, nodes: Vectors | None = None) -> None:
        self._nodes = None if nodes is None else np.ascontiguousarray(nodes, np.float32)
        self.centroids = read_only(np.ascontiguousarray(centroids, np.float32))
        self.n_features_in_ = self.centroids.shape[1]

    def assign(
        self,
        descriptors: Any,
        multiple: int = 1,
        *,
        checks: int | None = None,
        paths: int | None = None,
    ) -> tuple[Ids, Vectors]:
        """The nearest words of descriptors (n, d), nearest first.

        checks : the nearest of so many words, at least ``multiple``, that 8 randomized k-d trees name
        paths : the nearest of the words below so many nodes of the tree, as in the constructor
        Of neither: exactly the nearest, or by the ``paths`` of the constructor.
        Returns words int64 (n, multiple) and squared distances float32 (n, multiple).
        Raises ValueError for both.
        """
        centroids = self.centroids
        x = as_vectors(descriptors, "descriptors", dim=centroids.shape[1], empty=True)
        m = as_count(multiple, "multiple", most=self.k)
        if checks is not None and paths is not None:
            raise ValueError("paths: expected none with checks")
        if not len(x):
            return np.empty((0, m), np.int64), np.empty((0, m), np.float32)
        if checks is not None:
            looked_at = as_count(checks, "checks", least=m)
            forest = self._forest
            if forest is None or forest[0] is not centroids:
                self._forest = forest = centroids, self._trees(centroids)
            distances, words = forest[1].search(x, m, checks=min(looked_at, self.k))
            return words, distances
        followed = self.paths if paths is None else as_count(paths, "paths")
        if followed is not None:
            return self._descend(x, m, followed)
        exact = self._exact
        if exact is None or exact[0] is not centroids:
            index = FlatIndex(centroids.shape[1])
            index.add(centroids)
            self._exact = exact = centroids, index
        distances, words = exact[1].search(x, m)
        return words, distances

    def predict(self, descriptors: Any) -> Ids:
        """The nearest word of each descriptor, int64 (n,)."""
        return self.assign(self._samples(descriptors))[0][:, 0]

    def transform(self, descriptors: Any) -> Vectors:
        """Euclidean distances of descriptors (n, d) to the words, float32 (n, k)."""
        return centroid_distances(self._samples(descriptors), self.centroids)

    def _descend(self, x: Vectors, m: int, paths: int) -> tuple[Ids, Vectors]:
        if self.branch is None or self._nodes is None:
            raise ValueError("paths: expected none, for these words came without a tree")
        if min(paths * self.branch, self.k) < m:
            raise ValueError(
                f"paths: expected at least {-(-m // self.branch)} for {m} words a descriptor, got {paths}"
            )
        distances, words = _core.quantize.descend(
            x, self._nodes, self.centroids, self.branch, min(paths, self.k), m
        )
        return words, distances

    def soft(
        self, descriptors: Any, multiple: int = 3, *, sigma: float
    ) -> tuple[Ids, NDArray[np.float64]]:
        """Words (n, multiple) with weights that add to one: exp(-distance^2 / (2 sigma^2)).

        Philbin, Chum, Isard, Sivic and Zisserman, CVPR 2008, eq. 2.
        """
        sigma = as_number(sigma, "sigma", least=SIGMAS[0], most=SIGMAS[1])
        words, distances = self.assign(descriptors, multiple)
        # Relative to the nearest: far descriptors would have weights of zero over zero.
        exponents = (distances - distances[:, :1]).astype(np.float64) / (2 * sigma**2)
        weights = np.exp(-exponents)
        return words, weights / weights.sum(axis=1, keepdims=True)

    def check_fingerprint(self, fingerprint: str) -> None:
        """ValueError where descriptors of another extractor are brought."""
        if self.fingerprint != fingerprint:
            raise ValueError(
                f"fingerprint: the words were learnt on descriptors of '{self.fingerprint}', "
                f"got those of '{fingerprint}'"
            )

    def effective(self, assigned: Ids) -> float:
        """How many equally frequent words would be as uncertain as those of some descriptors: exp of the entropy."""
        counts = np.bincount(np.ravel(assigned))
        shares = counts[counts > 0] / max(1, np.size(assigned))
        return float(np.exp(-(shares * np.log(shares)).sum()))

    def check_spread(self, assigned: Ids) -> None:
        """Warn where descriptors fall on few words: under 5 % of all, or of as many as there are descriptors."""
        effective, possible = self.effective(assigned), min(self.k, np.size(assigned))
        if effective < _SPREAD * possible:
            warn_caller(
                f"words: the descriptors are spread over {effective:.0f} of {possible} possible words; were the "
                "words learnt on descriptors of another extractor?"
            )

    def _settle(self, sides: Mapping[str, Any]) -> None:
        # Files of trees that were learnt before they were descended have the words alone.
        if self._nodes is not None and self.branch is None:
            raise FileFormatError("array 'nodes': expected none without a tree")
        if self._nodes is None and self.paths is not None:
            raise FileFormatError("array 'nodes': expected one where words are assigned by paths")
        self._adopt(self.centroids, self._nodes)
