"""Linear maps of vectors: rotations, projections with orthonormal rows, random ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from kinfold import _core
from kinfold.base.arrays import Vectors, as_answer, as_count, as_vectors, is_one, owned
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.random import generator
from kinfold.base.spelling import Spelt


class Rotation(Declared):
    """y = R x + b.

    matrix : R (dim, d), finite; with orthonormal rows it keeps distances within the space that they span
    bias : b (dim,), zeros where None

    Examples
    --------
    >>> turn = kf.Rotation([[0.0, 1.0], [-1.0, 0.0]])
    >>> turn.transform([[3.0, 4.0]]).tolist()
    [[4.0, -3.0]]
    """

    kind: ClassVar[str] = "transform.Rotation"

    matrix = Learnt(np.float32, ("dim", "d"), finite=True)
    bias = Learnt(np.float32, ("dim",), finite=True)

    def __init__(self, matrix: ArrayLike, bias: ArrayLike | None = None) -> None:
        self.matrix = owned(as_vectors(matrix, "matrix"), matrix)
        dim = len(self.matrix)
        given = np.zeros(dim) if bias is None else np.asarray(bias)
        if given.ndim != 1:
            raise ValueError("bias: expected one number for each row of the matrix")
        self.bias = as_vectors(given[None], "bias", dim=dim)[0].copy()
        self._transposed = np.ascontiguousarray(self.matrix.T)

    @classmethod
    def random(cls, d: int, dim: int | None = None, *, seed: int = 0) -> Rotation:
        """Uniformly random orthonormal rows (dim, d): spreads the variance evenly over the dimensions."""
        d = as_count(d, "d", most=1 << 14)
        dim = d if dim is None else as_count(dim, "dim", most=d)
        normal = generator(seed).standard_normal((d, d))
        q, r = np.linalg.qr(normal)
        return cls((q * np.sign(np.diag(r))).T[:dim])

    @classmethod
    def from_word(cls, spelt: Spelt) -> Rotation:
        """RR, or RR64: uniformly random."""
        return cls.random(spelt.dim, spelt.numbers.get("dim"), seed=spelt.training["seed"])

    def __repr__(self) -> str:
        return f"Rotation({self.matrix.shape[0]} x {self.matrix.shape[1]})"

    def transform(self, x: ArrayLike) -> Vectors:
        """Vectors (n, d), or one (d,), to float32 (n, dim) or (dim,)."""
        vectors = as_vectors(x, "x", dim=self.matrix.shape[1], empty=True, one=True)
        y = as_answer(_core.quantize.linear(vectors, None, self._transposed, self.bias), "x")
        return y[0] if is_one(x, "x") else y

    def inverse_transform(self, y: ArrayLike) -> Vectors:
        """The shortest vectors (n, d) that are mapped to y (n, dim), as nearly as there are."""
        mapped = as_vectors(y, "y", dim=len(self.matrix), empty=True, one=True)
        gram = self.matrix.astype(np.float64) @ self.matrix.T
        if np.allclose(gram, np.eye(len(gram)), atol=1e-4):
            back = self.matrix
        else:
            back = np.linalg.pinv(self.matrix.astype(np.float64)).T.astype(np.float32)
        back = np.ascontiguousarray(back)
        x = as_answer(_core.quantize.linear(mapped, self.bias, back, None), "y")
        return x[0] if is_one(y, "y") else x
