"""Signs of random projections: binary codes whose Hamming distance tells the angle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors, as_array, as_vectors
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.parameters import Choice, Count, Flag
from kinfold.base.random import generator

PROJECTIONS = ("orthogonal", "gaussian", "hadamard")
_ROUNDS = 3


class SignQuantizer(Declared):
    """Bit j of a code is 1 where the projection on a random direction a_j is not negative.

    Two vectors at an angle t differ in each bit with probability t / pi, so the expected Hamming distance of
    codes of b bits is b t / pi. Codes do not change when a vector is scaled by a positive number.

    Parameters
    ----------
    bits : of a code, at most 4096
    projection : "orthogonal": directions at right angles in groups of d, which tell more together; "gaussian":
        independent normal directions; both take d operations a bit; "hadamard": three rounds of random
        signs and Walsh-Hadamard transforms, about log d operations a bit, directions orthogonal within
        each transform
    centred : angles are taken around the mean of the training vectors instead of the origin
    seed : of the directions

    Charikar, STOC 2002; orthogonal: Ji, Li, Yan, Zhang and Tian, NIPS 2012; the fast form: Andoni, Indyk, Laarhoven,
    Razenshteyn and Schmidt, NeurIPS 2015, section 5.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> kf.SignQuantizer(64).fit(x).encode(x).shape  # bytes
    (200, 8)
    """

    kind: ClassVar[str] = "quantize.Sign"

    bits = Count(most=4096)
    projection = Choice(*PROJECTIONS)
    centred = Flag()
    seed = Count(least=0, most=(1 << 63) - 1)
    mean = Learnt(np.float32, ("dim",), finite=True)
    _directions = Learnt(np.float32, "_shape", finite=True)

    def __init__(
        self,
        bits: int = 256,
        *,
        projection: str = "orthogonal",
        centred: bool = False,
        seed: int = 0,
    ) -> None:
        self.bits, self.projection, self.centred, self.seed = bits, projection, centred, seed

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return -(-self.bits // 8)

    def fit(self, x: ArrayLike) -> SignQuantizer:
        """Draw the directions for vectors (n, d), and take their mean where they are to be centred."""
        vectors = as_vectors(x, "x")
        dim = vectors.shape[1]
        self.mean = np.zeros(dim, np.float32)
        if self.centred:
            self.mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        random = generator(self.seed)
        if self.projection == "gaussian":
            self._directions = random.standard_normal((dim, self.bits), np.float32)
        elif self.projection == "orthogonal":
            groups = [
                np.linalg.qr(random.standard_normal((dim, min(dim, self.bits - at))))[0]
                for at in range(0, self.bits, dim)
            ]
            self._directions = np.ascontiguousarray(np.concatenate(groups, axis=1), np.float32)
        else:
            self._directions = (2 * random.integers(0, 2, self._shape) - 1).astype(np.float32)
        return self

    def project(self, x: ArrayLike) -> Vectors:
        """Projections float32 (n, bits) of vectors (n, d); each row the same in any batch."""
        vectors = as_vectors(x, "x", dim=len(self.mean), empty=True, one=True)
        if self.projection != "hadamard":
            zeros = np.zeros(self.bits, np.float32)
            found: Vectors = _core.quantize.linear(vectors, self.mean, self._directions, zeros)
            return found
        turned: Vectors = _core.quantize.hadamard(vectors - self.mean, self._directions)
        return turned[:, : self.bits]

    def encode(self, x: ArrayLike) -> NDArray[np.uint8]:
        """Codes uint8 (n, code_size) of vectors (n, d): bit j is bit j % 8 of byte j // 8."""
        vectors = as_vectors(x, "x", dim=len(self.mean), empty=True, one=True)
        codes = np.empty((len(vectors), self.code_size), np.uint8)
        for at in range(0, len(vectors), 8192):
            above = self.project(vectors[at : at + 8192]) >= 0
            codes[at : at + 8192] = np.packbits(above, axis=1, bitorder="little")
        return codes

    def decode(self, codes: ArrayLike) -> Vectors:
        """Vectors float32 (n, d) at distance one from the mean, in the direction that codes tell; no more is kept.

        Raises ValueError for codes of another size.
        """
        given = as_array(codes, "codes")
        if given.ndim != 2 or given.dtype != np.uint8 or given.shape[1] != self.code_size:
            raise ValueError(
                f"codes: expected uint8 (n, {self.code_size}), got {given.dtype} {given.shape}"
            )
        signs = 2.0 * np.unpackbits(given, axis=1, bitorder="little", count=self.bits) - 1
        sums = signs @ self.project(np.eye(len(self.mean), dtype=np.float32) + self.mean).T
        norms = np.sqrt((sums**2).sum(axis=1, keepdims=True))
        unit = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
        return (unit + self.mean).astype(np.float32)

    @property
    def _shape(self) -> tuple[int, ...]:
        dim = len(self.mean)
        if self.projection != "hadamard":
            return dim, self.bits
        size = 1 << (dim - 1).bit_length()
        return -(-self.bits // size), _ROUNDS, size
