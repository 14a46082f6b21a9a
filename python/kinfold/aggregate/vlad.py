"""VLAD: one vector for all local descriptors of a photo (Jégou, Douze, Schmid & Pérez, CVPR 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.aggregate.aggregation import Aggregation
from kinfold.base.arrays import Vectors, as_count, as_vectors, owned
from kinfold.base.bags import as_descriptors
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Count, Flag, Number
from kinfold.quantize.kmeans import KMeans, assign


class VLAD(Aggregation):
    """Sums of residuals to the nearest of k centroids, normalised and concatenated.

    Parameters
    ----------
    k : number of centroids
    intra : each centroid's sum is scaled to length one (Arandjelović & Zisserman, CVPR 2013), so that
        repeated structures do not dominate
    residual : each residual is scaled to length one first (Delhumeau et al. 2013)
    power : exponent of the signed power law before the final normalisation; 1 for none
    vocabularies : so many codebooks of k centroids, learnt from different seeds; their vectors stand side by side. They
        are correlated: reduce them together by a whitening ``PCA`` (Jégou & Chum, ECCV 2012)
    iterations, sample, seed : of the k-means that learns the codebook

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> photos = np.split(x, 10)  # descriptors of each
    >>> kf.VLAD(4).fit(x).transform(photos).shape
    (10, 32)
    """

    kind: ClassVar[str] = "local.VLAD"

    k = Count(most=65536)
    intra = Flag()
    residual = Flag()
    power = Number(0, 1)
    vocabularies = Count(most=256).since(1)
    iterations = Count(least=0)
    sample = Count()
    seed = Count(least=0)
    codebook = Learnt(np.float32, ("_rows", "n_features_in_"), finite=True)

    def __init__(
        self,
        k: int = 64,
        *,
        intra: bool = True,
        residual: bool = False,
        power: float = 1.0,
        vocabularies: int = 1,
        iterations: int = 15,
        sample: int = 2000,
        seed: int = 0,
    ) -> None:
        self.k, self.intra, self.residual, self.power = k, intra, residual, power
        self.vocabularies, self.iterations = vocabularies, iterations
        self.sample, self.seed = sample, seed

    @property
    def _rows(self) -> int:
        return self.vocabularies * self.k

    @property
    def dim(self) -> int:
        """Dimensions of the descriptor: vocabularies * k times those of the local descriptors."""
        return int(self.codebook.size)

    @property
    def _n_features_out(self) -> int:
        return self.dim

    @classmethod
    def from_centroids(cls, centroids: ArrayLike, *, vocabularies: int = 1, **options: Any) -> VLAD:
        """A codebook (k, d) that was learnt elsewhere, or several below each other, (vocabularies * k, d).

        options : of the constructor but k
        Raises ValueError for vocabularies of unequal sizes.
        """
        book = as_vectors(centroids, "centroids")
        if len(book) % as_count(vocabularies, "vocabularies"):
            raise ValueError(
                f"centroids: expected as many in each of {vocabularies}, got {len(book)}"
            )
        made = cls(len(book) // vocabularies, vocabularies=vocabularies, **options)
        made.codebook = owned(book, centroids)
        made.n_features_in_ = book.shape[1]
        return made

    def fit(self, descriptors: ArrayLike, y: ArrayLike | None = None) -> VLAD:
        """Learn the codebook from local descriptors (n, d), n >= k, or those of photos, arrays (n_i, d)."""
        x = as_descriptors(descriptors, "descriptors")
        books = []
        for seed in range(self.seed, self.seed + self.vocabularies):
            model = KMeans(
                self.k, iterations=self.iterations, sample=self.sample, seed=seed, verbose=False
            )
            books.append(model.fit(x).centroids)
        self.codebook = np.concatenate(books)
        self.n_features_in_ = x.shape[1]
        return self

    def transform(self, photos: Sequence[Any]) -> Vectors:
        """One vector of length one for each photo: float32 (n, dim).

        photos : for each photo its local descriptors (n_i, d). A photo without any becomes zero.
        """
        d = self.codebook.shape[1]
        books = np.split(self.codebook, self.vocabularies)
        out = np.zeros((len(photos), self.dim), np.float32)
        for row, photo in enumerate(photos):
            vectors = as_vectors(photo, f"photos[{row}]", dim=d, empty=True)
            if len(vectors):
                parts = [self._aggregate(vectors, book).ravel() for book in books]
                # Parts are of length one, or zero.
                out[row] = np.concatenate(parts) / max(np.sqrt(sum(p.any() for p in parts)), 1)
        return out

    def _aggregate(self, vectors: Vectors, codebook: Vectors) -> Vectors:
        cells, _ = assign(vectors, codebook)
        residuals = vectors - codebook[cells]
        if self.residual:
            residuals = _scaled(residuals)
        order = np.argsort(cells, kind="stable")
        used, starts = np.unique(cells[order], return_index=True)
        sums = np.zeros(codebook.shape, np.float64)
        sums[used] = np.add.reduceat(residuals[order].astype(np.float64), starts, axis=0)
        if self.intra:
            sums = _scaled(sums)
        if self.power != 1.0:
            sums = np.sign(sums) * np.abs(sums) ** self.power
        norm = np.linalg.norm(sums)
        return (sums / norm if norm > 0 else sums).astype(np.float32)


def _scaled(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of length one; a zero row stays zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 1e-12)
