"""Triangulation embedding: one vector a photo from normalised residuals to all centroids, whitened and aggregated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.aggregate.aggregation import Aggregation
from kinfold.base.arrays import Vectors, as_vectors
from kinfold.base.bags import are_photos, as_descriptors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Extra, Learnt
from kinfold.base.parameters import Choice, Count, Flag, Maybe, Number
from kinfold.base.random import generator
from kinfold.quantize.kmeans import KMeans
from kinfold.transform.eigen import leading

AGGREGATIONS = ("democratic", "sum")
# Descriptors that are embedded at once, and those that the covariance is learnt on.
_BLOCK = 2048
_MOST_LEARNT = 50_000
# Photos whose sums are projected together.
_PHOTOS = 256
# Squared distances below this share of the squared lengths are computed without cancellation.
_NEAR = 1e-6


def democratic_weights(
    gram: Any, *, iterations: int = 10, gamma: float = 0.5
) -> NDArray[np.float64]:
    """Weights l (n,) such that l_i * (K l)_i is the same for all rows, as nearly as the iterations get.

    gram : (n, n) inner products of the descriptors, float32 or float64; negative ones count as none
    Jegou and Zisserman, CVPR 2014, section 4: l <- l / (l * (K l))^gamma.
    """
    products = np.asarray(gram)
    # Products in float32 are summed so: nothing is gained by reading twice the bytes.
    kernel = np.maximum(products, 0, dtype=np.result_type(products, np.float32))
    weights = np.ones(len(kernel))
    for _ in range(iterations):
        share = weights * (kernel @ weights.astype(kernel.dtype))
        weights = np.divide(weights, share**gamma, out=np.zeros_like(weights), where=share > 0)
    return weights


class TEmbedding(Aggregation):
    """Photos to vectors of (k - 1) * d dimensions: 1,920 for k = 16 and RootSIFT, 8,064 for k = 64.

    A descriptor becomes the directions from all centroids to it, centred and whitened without the d directions of
    largest variance, which tell little but where it lies. These are added up, turned to the axes of training
    photos where there are enough of them, and passed through a power law.

    Parameters
    ----------
    k : centroids
    aggregation : "democratic": weights by which each descriptor has an equal share of the sum, whatever its
        repetitions; or "sum"
    normalise : embedded descriptors are scaled to length one; None: where they are aggregated democratically
    power : exponent of the signed power law
    dim : keep so many dimensions after the rotation; None for all
    rotate : turn to the axes of training photos before the power law. None: where ``dim`` asks for it, or where there
        are at least as many photos as dimensions: axes of fewer cost accuracy
    seed : of the codebook

    Jegou and Zisserman, CVPR 2014.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((400, 8))
    >>> photos = np.split(x, 40)  # descriptors of each
    >>> len(kf.TEmbedding(4, dim=16).fit(x, photos).transform(photos))
    40
    """

    kind: ClassVar[str] = "local.TEmbedding"

    k = Count(least=2, most=1024)
    aggregation = Choice(*AGGREGATIONS)
    normalise = Flag()
    power = Number(0, 1)
    dim = Maybe(Count())
    rotate = Maybe(Flag()).since(None)
    seed = Count(least=0)
    codebook = Learnt(np.float32, ("k", "n_features_in_"), finite=True)
    _mean = Learnt(np.float32, ("_size",), finite=True)
    _projection = Learnt(np.float32, ("_size", "_kept"), finite=True)
    _rotation = Extra(np.float32, ("_turned", "_kept"), finite=True)

    def __init__(
        self,
        k: int = 16,
        *,
        aggregation: str = "democratic",
        normalise: bool | None = None,
        power: float = 0.5,
        dim: int | None = None,
        rotate: bool | None = None,
        seed: int = 0,
    ) -> None:
        self.k, self.aggregation, self.power, self.dim = k, aggregation, power, dim
        self.rotate = rotate
        if dim is not None and rotate is False:
            raise ValueError("rotate: expected True or None with dim, which keeps the leading axes")
        self.normalise = aggregation == "democratic" if normalise is None else normalise
        self.seed = seed

    @property
    def _size(self) -> int:
        return self.codebook.size

    @property
    def _kept(self) -> int:
        return (self.k - 1) * self.codebook.shape[1]

    @property
    def _turned(self) -> int:
        return self._kept if self.dim is None else min(self.dim, self._kept)

    @property
    def _n_features_out(self) -> int:
        return len(self._projection.T) if self._rotation is None else len(self._rotation)

    def fit(self, descriptors: ArrayLike, photos: Any = ()) -> TEmbedding:
        """Learn from local descriptors (n, d), n > k * d for a full whitening.

        photos : local descriptors of photos whose aggregated vectors the final rotation is learnt on, see ``rotate``.
            Or the first argument is photos, arrays (n_i, d), which the rotation is learnt on as well
        Raises ValueError where ``dim`` or ``rotate`` needs photos and there are none.
        """
        if are_photos(descriptors):
            photos = descriptors
        x = as_descriptors(descriptors, "descriptors")
        self._rotation = None
        model = KMeans(self.k, iterations=20, sample=2000, seed=self.seed, verbose=False)
        self.codebook = model.fit(x).centroids
        if len(x) > _MOST_LEARNT:
            chosen = generator(self.seed).choice(len(x), _MOST_LEARNT, replace=False)
            x = x[np.sort(chosen)]
        size, d = self.codebook.size, x.shape[1]
        total, products = np.zeros(size), np.zeros((size, size))
        for at in range(0, len(x), _BLOCK):
            directions = self._directions(x[at : at + _BLOCK]).astype(np.float64)
            total += directions.sum(axis=0)
            products += directions.T @ directions
        mean = total / len(x)
        variances, rows = leading(products / len(x) - np.outer(mean, mean), size)
        # Fewer descriptors than dimensions leave directions without variance: they must not be blown up.
        # Nor may those that are left out be all that there are: then the larger half of them is.
        largest = max(float(variances[0]), 1e-30)
        rank = int(np.count_nonzero(variances > 1e-7 * largest))
        out = d if rank > d + d // 4 else rank // 2
        kept = slice(out, out + size - d)
        # Relative to what is kept: the first of all are much larger. Rounding leaves 1e-13 of those.
        floor = max(float(variances[out]) * 1e-7, largest * 1e-12)
        scales = 1 / np.sqrt(np.maximum(variances[kept], floor))
        scales[variances[kept] <= floor] = 0
        self._mean = mean.astype(np.float32)
        self._projection = np.ascontiguousarray(rows[kept].T * scales, np.float32)
        rotate = self.rotate
        if rotate is None:
            rotate = self.dim is not None or len(photos) >= self._kept
        if rotate and not len(photos):
            raise ValueError("photos: expected photos to learn the rotation on, for dim or rotate")
        if rotate:
            sums = self._aggregated(photos).astype(np.float64)
            _, axes = leading(sums.T @ sums / len(sums), self.dim or sums.shape[1])
            self._rotation = np.ascontiguousarray(axes, np.float32)
        self.n_features_in_ = d
        return self

    def _directions(self, x: Vectors) -> Vectors:
        """Residuals of length one to every centroid, (n, k * d); zeros at a centroid."""
        residuals = x[:, None, :] - self.codebook[None]
        norms = np.sqrt(np.einsum("nkd,nkd->nk", residuals, residuals))[:, :, None]
        found = np.divide(residuals, norms, out=np.zeros_like(residuals), where=norms > 1e-12)
        return found.reshape(len(x), -1)

    def embed(self, descriptors: ArrayLike) -> Vectors:
        """Embedded descriptors, float32 (n, (k - 1) * d), before they are aggregated."""
        x = as_vectors(descriptors, "descriptors", dim=self.codebook.shape[1], empty=True)
        out = np.empty((len(x), self._projection.shape[1]), np.float32)
        for at in range(0, len(x), _BLOCK):
            part = (self._directions(x[at : at + _BLOCK]) - self._mean) @ self._projection
            if self.normalise:
                norms = np.sqrt(np.einsum("ij,ij->i", part, part))[:, None]
                part = np.divide(part, norms, out=np.zeros_like(part), where=norms > 0)
            out[at : at + _BLOCK] = part
        return out

    def _aggregated(self, photos: Sequence[Any]) -> Vectors:
        rows = [
            as_vectors(photo, f"photos[{row}]", dim=self.codebook.shape[1], empty=True)
            for row, photo in enumerate(photos)
        ]
        out = np.zeros((len(rows), self._projection.shape[1]), np.float32)
        if self.aggregation == "sum" and not self.normalise:
            # Linear: sums are projected, many photos at once, instead of descriptors.
            for at in range(0, len(rows), _PHOTOS):
                totals = [self._centred_sum(x) for x in rows[at : at + _PHOTOS]]
                out[at : at + _PHOTOS] = np.stack(totals) @ self._projection
            return out
        for row, x in enumerate(rows):
            if not len(x):
                continue
            embedded = self.embed(x)
            if self.aggregation == "sum":
                out[row] = embedded.sum(axis=0, dtype=np.float64)
            else:
                out[row] = democratic_weights(embedded @ embedded.T) @ embedded
        return out

    def _centred_sum(self, x: Vectors) -> Vectors:
        """The sum of a photo's directions less the mean, (k * d,).

        With w = 1 / |x - c| it is the sum of w x, less c times the sum of w: a product of matrices for each.
        """
        rows, words = x.astype(np.float64), self.codebook.astype(np.float64)
        squares = (rows**2).sum(axis=1)[:, None] + (words**2).sum(axis=1)
        distances = squares - 2 * rows @ words.T
        # Too near for a difference of squares: by the difference itself.
        i, j = np.nonzero(distances < _NEAR * squares)
        distances[i, j] = ((rows[i] - words[j]) ** 2).sum(axis=1)
        roots = np.sqrt(distances)
        weights = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 1e-12)
        total = weights.T @ rows - weights.sum(axis=0)[:, None] * words
        centred: Vectors = (total.ravel() - len(x) * self._mean.astype(np.float64)).astype(
            np.float32
        )
        return centred

    def transform(self, photos: Sequence[Any]) -> Vectors:
        """One vector of length one for each photo, float32 (n, dim or (k - 1) * d).

        photos : for each photo its local descriptors (n_i, d). A photo without any becomes zero.
        """
        found = self._aggregated(photos)
        if self._rotation is not None:
            found = found @ self._rotation.T
        if self.power != 1.0:
            found = np.sign(found) * np.abs(found) ** np.float32(self.power)
        norms = np.sqrt(np.einsum("ij,ij->i", found, found, dtype=np.float64))[:, None]
        return np.divide(found, norms, out=np.zeros_like(found), where=norms > 0).astype(np.float32)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        if self._rotation is None and (self.dim is not None or self.rotate):
            raise FileFormatError("array 'rotation' is missing")
