"""Local PCA: cells of vectors, each with principal components of its own."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_count, as_vectors
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice, Count, Number
from kinfold.base.random import generator
from kinfold.manifold.spectrum import signed
from kinfold.transform.eigen import leading

_Floats = NDArray[np.float64]
_ROWS = 4096
DISTANCES = ("reconstruction", "euclidean")


class LocalCode(NamedTuple):
    """cells : int64 (n,). coordinates : float32 (n, n_components), along the components of the cell."""

    cells: Ids
    coordinates: Vectors


class LocalPCA(Transformer):
    """Vectors fall into cells, by the distance to the cell's own principal subspace or to its mean.

    Parameters
    ----------
    n_components : p, of each cell; 0 with "reconstruction" is k-means
    n_cells : how many; fewer where there are fewer vectors
    distance : "reconstruction" (x - c)^T (I - U U^T) (x - c), under which the error never rises; or "euclidean"
        |x - c|^2, as vector quantization
    iterations, tolerance : stops after so many rounds, or where the error falls by less than this share
    restarts : the best of so many beginnings is kept
    seed : of the first cells, the Voronoi cells of random vectors

    Attributes
    ----------
    centroids_ : float32 (n_cells, d)
    components_ : float32 (n_cells, n_components, d), orthonormal rows; zero where a cell has fewer directions
    error_ : mean squared distance of the vectors from what stands for them
    history_ : float64 (rounds,), the error after each

    `transform` gives squared reconstruction distances to all cells, `predict` the nearest cell, `encode` cell and
    coordinates, `decode` the vectors that these stand for.
    Kambhatla & Leen, Neural Computation 9, 1997.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> model = kf.LocalPCA(2, n_cells=3).fit(x)
    >>> cells, coordinates = model.encode(x)
    >>> model.decode(cells, coordinates).shape
    (200, 8)
    """

    kind: ClassVar[str] = "manifold.LocalPCA"

    n_components = Count(least=0)
    n_cells = Count()
    distance = Choice(*DISTANCES)
    iterations = Count()
    tolerance = Number(least=0)
    restarts = Count()
    seed = Count(least=0)
    centroids_ = Learnt(np.float32, ("cells", "n_features_in_"))
    components_ = Learnt(np.float32, ("cells", "n_components", "n_features_in_"), empty=True)
    history_ = Learnt(np.float64, ("rounds",))
    _CHECKED_LATE = True

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_cells: int = 8,
        distance: str = "reconstruction",
        iterations: int = 100,
        tolerance: float = 1e-4,
        restarts: int = 1,
        seed: int = 0,
    ) -> None:
        self.n_components, self.n_cells, self.distance = n_components, n_cells, distance
        self.iterations, self.tolerance = iterations, tolerance
        self.restarts, self.seed = restarts, seed

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> LocalPCA:
        """Learn from vectors (n, d)."""
        self._check_params()
        vectors = as_samples(X, least=2)
        as_count(self.n_components, "n_components", least=0, most=vectors.shape[1])
        random = generator(self.seed)
        best: tuple[Any, Any, list[float]] | None = None
        for _ in range(self.restarts):
            found = self._grow(vectors, random)
            if best is None or found[2][-1] < best[2][-1]:
                best = found
        assert best is not None
        self.centroids_, self.components_ = (part.astype(np.float32) for part in best[:2])
        self.history_ = np.array(best[2])
        self.n_features_in_ = vectors.shape[1]
        return self

    @property
    def error_(self) -> float:
        """The mean squared distance of the vectors from what stands for them."""
        return float(self.history_[-1])

    @property
    def _n_features_out(self) -> int:
        return len(self.centroids_)

    def transform(self, X: ArrayLike) -> Vectors:
        """Squared reconstruction distances to the cells, float32 (n, n_cells)."""
        vectors = self._samples(X)
        blocks = self._blocks(vectors, self.centroids_, self.components_)
        return np.concatenate([subspace.astype(np.float32) for _, subspace in blocks])

    def predict(self, X: ArrayLike) -> Ids:
        """The cell of each vector by the distance that was chosen, int64 (n,)."""
        vectors = self._samples(X)
        return self._assign(vectors, self.centroids_, self.components_)[0]

    def encode(self, X: ArrayLike) -> LocalCode:
        """The cell of each vector, and its coordinates there."""
        vectors = self._samples(X)
        cells = self._assign(vectors, self.centroids_, self.components_)[0]
        coordinates = np.empty((len(vectors), self.components_.shape[1]), np.float32)
        for cell in np.unique(cells):
            own = cells == cell
            coordinates[own] = (vectors[own] - self.centroids_[cell]) @ self.components_[cell].T
        return LocalCode(cells, coordinates)

    def decode(self, cells: ArrayLike, coordinates: ArrayLike) -> Vectors:
        """The vectors float32 (n, d) that cells (n,) and coordinates (n, n_components) stand for.

        Raises ValueError for cells that there are not.
        """
        self._check_fitted()
        count, p = self.components_.shape[:2]
        found = np.asarray(cells)
        if (
            found.ndim != 1
            or found.dtype.kind not in "iu"
            or (len(found) and (found.min() < 0 or found.max() >= count))
        ):
            raise ValueError(f"cells: expected whole numbers (n,) from 0 to {count - 1}")
        given = np.asarray(coordinates)
        if p:
            given = as_vectors(given, "coordinates", dim=p, empty=True)
        if given.shape != (len(found), p):
            raise ValueError(f"coordinates: expected shape {(len(found), p)}, got {given.shape}")
        vectors = self.centroids_[found]
        for cell in np.unique(found):
            own = found == cell
            vectors[own] += given[own] @ self.components_[cell]
        return vectors

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Minus the mean squared distance of vectors from what stands for them."""
        vectors = self._samples(X)
        gaps = vectors - self.decode(*self.encode(X))
        return -float(np.einsum("ij,ij->", gaps, gaps, dtype=np.float64) / len(vectors))

    def _grow(
        self, vectors: Vectors, random: np.random.Generator
    ) -> tuple[_Floats, _Floats, list[float]]:
        """Centroids (K, d), components (K, p, d) and the error after each round, from a random beginning."""
        count = min(self.n_cells, len(vectors))
        first = vectors[random.permutation(len(vectors))[:count]].astype(np.float64)
        components = np.zeros((count, self.n_components, vectors.shape[1]))
        cells, errors = self._assign(vectors, first, components)
        centroids = first
        history: list[float] = []
        for _ in range(self.iterations):
            for cell in range(count):
                members = np.flatnonzero(cells == cell)
                if not len(members):
                    # An empty cell begins anew at the vector that is stood for worst.
                    members = np.array([errors.argmax()])
                    errors[members] = 0
                centroids[cell], components[cell] = _subspace(vectors[members], self.n_components)
            cells, errors = self._assign(vectors, centroids, components)
            history.append(float(errors.mean()))
            if len(history) > 1 and history[-2] - history[-1] <= self.tolerance * history[-2]:
                break
        return centroids, components, history

    def _assign(self, vectors: Vectors, centroids: Any, components: Any) -> tuple[Ids, _Floats]:
        """The cell of each vector, ties to the smaller, and its squared reconstruction distance there."""
        cells, errors = [], []
        for plain, subspace in self._blocks(vectors, centroids, components):
            chosen = (subspace if self.distance == "reconstruction" else plain).argmin(axis=1)
            cells.append(chosen)
            errors.append(subspace[np.arange(len(chosen)), chosen])
        return np.concatenate(cells), np.concatenate(errors)

    def _blocks(self, vectors: Vectors, centroids: Any, components: Any) -> Any:
        """Squared distances to means and to subspaces, float64 (rows, K), some rows at a time."""
        count, p, d = components.shape
        # Among the most of the cells: a mean would follow one that is far, and their differences drown.
        centre = np.sort(centroids, axis=0)[(count - 1) // 2].astype(np.float64)
        means = centroids - centre
        stack = components.reshape(-1, d).astype(np.float64)
        offsets = np.einsum("kpd,kd->kp", components, means, dtype=np.float64)
        for start in range(0, len(vectors), _ROWS):
            rows = vectors[start : start + _ROWS] - centre
            plain = np.einsum("ij,ij->i", rows, rows)[:, None] - 2 * rows @ means.T
            plain = np.maximum(plain + np.einsum("kd,kd->k", means, means), 0)
            along = (rows @ stack.T).reshape(len(rows), count, p) - offsets
            yield plain, np.maximum(plain - np.einsum("nkp,nkp->nk", along, along), 0)


def _subspace(vectors: Vectors, p: int) -> tuple[_Floats, _Floats]:
    """Mean (d,) and leading principal components (p, d); rows of zeros beyond the directions that there are."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    components = np.zeros((p, len(mean)))
    centred = vectors - mean
    most = min(p, len(vectors) - 1)
    if not most:
        return mean, components
    if len(vectors) > len(mean):
        values, found = leading(centred.T @ centred, most)
    else:
        values, weights = leading(centred @ centred.T, most)
        found = weights @ centred
    sound = values > max(values[0], 0) * 1e-12
    found = found[sound]
    if len(found):
        components[: len(found)] = signed(np.linalg.qr(found.T)[0].T)
    return mean, components
