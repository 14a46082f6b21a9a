"""Kernel PCA: principal components in the space of a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Vectors, as_answer, as_count, owned
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer, as_samples
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice, Count, Maybe, Number
from kinfold.base.warn import warn_caller
from kinfold.index.base import unit_rows
from kinfold.manifold.spectrum import centred_spectrum, placed, precision
from kinfold.transform.eigen import leading

KERNELS = ("linear", "rbf", "poly", "sigmoid", "cosine", "precomputed")
_ROWS = 512


class KernelPCA(Transformer):
    """Projections onto the directions of largest variance in the space whose inner product is a kernel.

    Follows scikit-learn's conventions, and its KernelPCA's answers up to signs.

    Parameters
    ----------
    n_components : None for all whose eigenvalue is above rounding
    kernel : "linear" x.y; "rbf" exp(-gamma |x - y|^2); "poly" (gamma x.y + coef0)^degree;
        "sigmoid" tanh(gamma x.y + coef0); "cosine"; or "precomputed": fit takes the kernel (n, n), transform (q, n)
    gamma : one over the dimension if None

    Attributes
    ----------
    embedding_ : float32 (n, n_components)
    eigenvalues_ : float64 (n_components,), falling

    The kernel is held in float32 beyond 1,500 vectors, 4 n^2 bytes; few components of many vectors come from products
    with it alone.
    Schoelkopf, Smola & Mueller, Neural Computation 10, 1998.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> kf.KernelPCA(2, kernel="rbf").fit_transform(x).shape
    (200, 2)
    """

    kind: ClassVar[str] = "manifold.KernelPCA"

    n_components = Maybe(Count())
    kernel = Choice(*KERNELS)
    gamma = Maybe(Number(least=0, open=True))
    degree = Number(least=1)
    coef0 = Number()
    _vectors = Learnt(np.float32, ("stored", "n_features_in_"), empty=True)
    _means = Learnt(np.float64, ("n",))
    eigenvalues_ = Learnt(np.float64, ("n_components",))
    embedding_ = Learnt(np.float32, ("n", "n_components"))
    _CHECKED_LATE = True

    def __init__(
        self,
        n_components: int | None = None,
        *,
        kernel: str = "linear",
        gamma: float | None = None,
        degree: float = 3,
        coef0: float = 1,
    ) -> None:
        self.n_components, self.kernel = n_components, kernel
        self.gamma, self.degree, self.coef0 = gamma, degree, coef0

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> KernelPCA:
        """Learn from vectors (n, d), at least two, or from their kernel.

        Raises ValueError where the kernel does not tell them apart.
        """
        self._check_params()
        vectors = as_samples(X, least=2, long=self.kernel == "precomputed")
        n = len(vectors)
        if self.n_components is not None:
            as_count(self.n_components, "n_components", most=n)
        if self.kernel == "precomputed":
            if vectors.shape[1] != n:
                raise ValueError(f"X: expected a square kernel (n, n), got shape {vectors.shape}")
            matrix = np.array(X, precision(n))
            if not np.allclose(matrix, matrix.T, rtol=1e-4, atol=1e-6 * np.abs(matrix).max()):
                raise ValueError("X: expected a symmetric kernel")
            vectors = vectors[:0]
        else:
            matrix = self._kernel(vectors, vectors, precision(n))
        spectrum = centred_spectrum(matrix, n if self.n_components is None else self.n_components)
        if not self._is_inner_product():
            _warn_of_negative(matrix, spectrum.vectors[0])
        keep = int((spectrum.values > 0).sum()) if self.n_components is None else self.n_components
        if not keep:
            raise ValueError("X: expected vectors that are not all the same in the kernel's space")
        self.embedding_ = as_answer(np.ascontiguousarray(spectrum.coordinates()[:, :keep]), "X")
        self._vectors, self._means = owned(vectors, X), spectrum.means
        self.eigenvalues_ = spectrum.values[:keep]
        self.n_features_in_ = n if self.kernel == "precomputed" else vectors.shape[1]
        return self

    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None) -> Vectors:
        """The projections of the vectors that are fitted, float32 (n, n_components)."""
        return self.fit(X).embedding_

    @property
    def _n_features_out(self) -> int:
        return self.embedding_.shape[1]

    def transform(self, X: ArrayLike) -> Vectors:
        """Projections of vectors (q, d), or of their kernel with those that were fitted (q, n)."""
        vectors = self._samples(X, long=self.kernel == "precomputed")
        # That of centred vectors, whatever a model of an older version says.
        means = np.zeros_like(self._means) if self.kernel == "linear" else self._means
        parts = []
        for start in range(0, len(vectors), _ROWS):
            rows = vectors[start : start + _ROWS]
            if self.kernel != "precomputed":
                rows = self._kernel(rows, self._vectors, np.float64)
            parts.append(placed(rows, means, self.embedding_, self.eigenvalues_))
        return as_answer(np.concatenate(parts), "X")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        n, given = len(self.embedding_), self.kernel == "precomputed"
        stored = 0 if given else n
        if (
            len(self._vectors) != stored
            or not self.n_features_in_
            or (given and self.n_features_in_ != n)
        ):
            raise FileFormatError(f"array 'vectors': expected {stored}, got {self._vectors.shape}")

    def _is_inner_product(self) -> bool:
        """Whether the kernel has no negative eigenvalues whatever the vectors are."""
        if self.kernel == "poly":
            return self.coef0 >= 0 and float(self.degree).is_integer()
        return self.kernel not in ("sigmoid", "precomputed")

    def _kernel(self, x: Vectors, y: Vectors, dtype: Any) -> NDArray[Any]:
        """The kernel (n, m), some rows at a time."""
        if self.kernel == "cosine":
            x, y = unit_rows(x), unit_rows(y)
        gamma = 1 / y.shape[1] if self.gamma is None else self.gamma
        points, others = x.astype(np.float64), y.astype(np.float64)
        if self.kernel in ("linear", "rbf"):  # these know differences alone: as short as can be
            centre = others.mean(axis=0)
            points -= centre
            others -= centre
        lengths = [np.einsum("ij,ij->i", v, v) for v in (points, others)]
        kernel = np.empty((len(x), len(y)), dtype)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for start in range(0, len(x), _ROWS):
                block = points[start : start + _ROWS] @ others.T
                if self.kernel == "rbf":
                    block *= -2
                    block += lengths[0][start : start + _ROWS, None]
                    block += lengths[1]
                    np.maximum(block, 0, out=block)
                    block *= -gamma
                    np.exp(block, out=block)
                elif self.kernel in ("poly", "sigmoid"):
                    block *= gamma
                    block += self.coef0
                    if self.kernel == "poly":
                        np.power(block, self.degree, out=block)
                    else:
                        np.tanh(block, out=block)
                kernel[start : start + _ROWS] = block
        if not np.isfinite(kernel.sum(dtype=np.float64)):
            raise ValueError("X: expected vectors whose kernel is finite; a smaller gamma may do")
        return kernel


def _warn_of_negative(matrix: NDArray[Any], first: NDArray[np.float64]) -> None:
    """Warns of a centred kernel (n, n), which is overwritten, with negative eigenvalues; first is its eigenvector."""
    largest = float(first @ (matrix @ first.astype(matrix.dtype)))
    least = -float(leading(np.negative(matrix, out=matrix), 1)[0][0])
    if -least > (1e-5 if matrix.dtype == np.float64 else 5e-3) * largest:
        warn_caller(
            f"X: the kernel is no inner product: beside its largest eigenvalue {largest:.3g} there is {least:.3g}, "
            "and what belongs to negative ones is left out"
        )
