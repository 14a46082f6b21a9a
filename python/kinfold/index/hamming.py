"""An index of binary codes, scanned exhaustively by Hamming distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, aligned, as_count, as_ndarray
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Part, Slot
from kinfold.base.parameters import Choice, Maybe, Number
from kinfold.base.state import JSON, Arrays, check_only, take
from kinfold.index.base import Asked, Option
from kinfold.index.fine import REFINEMENTS, Fine
from kinfold.index.options import as_factor, refinements, shortlist
from kinfold.index.rows import Batch, RowPacking, RowSegment
from kinfold.index.segmented import Searched, SegmentedIndex
from kinfold.quantize.sign import SignQuantizer


class HammingIndex(SegmentedIndex):
    """Nearest neighbours by the Hamming distance of binary codes, ties by ascending id.

    Codes are the signs of vectors' projections, or given: wherever vectors are expected, uint8 (n, code_size) are
    packed codes, bit j in bit j % 8 of byte j // 8, unless that is the vectors' own dimension.

    Parameters
    ----------
    dim : dimension of the vectors
    signs : SignQuantizer; None where all codes are given, of ``dim`` bits, and nothing has to be trained
    refine : keep the vectors as "float32", "float16" or "uint8" and rank a shortlist by their distance, or None
    metric : "l2": distances are numbers of different bits; "cosine": similarities are cos(pi * differing / bits), what
        the bits tell of the angle. With a second look, the vectors' squared distances or cosines
    refine_factor : of searches that do not say

    Search options
    --------------
    refine_factor : with a second look, re-score this many times k

    Codes tell angles, not lengths: vectors of different lengths want ``metric="cosine"``, or a centred quantizer.
    Several threads may search while one adds or removes.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> index = kf.HammingIndex(8, kf.SignQuantizer(64)).train(x)
    >>> ids = index.add(x)
    >>> index.search(x[:2], k=3).ids.shape
    (2, 3)
    """

    kind: ClassVar[str] = "index.Hamming"
    options: ClassVar[Mapping[str, Option]] = {"refine_factor": as_factor}

    signs = Slot(optional=True)
    refine = Maybe(Choice(*REFINEMENTS))
    refine_factor = Number(1.0)
    _fine = Part(Fine, name="refine", bare=True, optional=True)

    def __init__(
        self,
        dim: int,
        signs: SignQuantizer | None = None,
        *,
        refine: str | None = None,
        metric: str = "l2",
        refine_factor: float = 10.0,
    ) -> None:
        super().__init__(dim, metric)
        if self.metric == "ip":
            raise ValueError('metric: sign codes tell angles: expected "l2" or "cosine", got "ip"')
        self.signs, self.refine, self.refine_factor = signs, refine, refine_factor
        self._fine = None if refine is None else Fine(self.dim, refine, self.metric)
        self.bits = as_count(self.dim, "dim", most=4096) if signs is None else signs.bits
        self._codes = _Codes(-(-self.bits // 64))
        if signs is None:
            if self.refine is not None:
                raise ValueError(
                    "refine: expected None for codes that are given: they have no vectors"
                )
            self._hold((), 0)

    @property
    def code_size(self) -> int:
        """Bytes of a code."""
        return -(-self.bits // 8)

    @property
    def keeps_vectors(self) -> bool:
        """Whether ``reconstruct`` gives back what was added (for "cosine", its direction)."""
        return self.refine == "float32"

    def search_space(self, k: int = 10) -> dict[str, tuple[float, ...]]:
        """refine_factor, up to all rows, or 1,024."""
        return {} if self.refine is None else {**refinements(max(1, len(self)), k)}

    def stats(self) -> dict[str, JSON]:
        """Sizes, and what searches have cost so far: rows scanned, and rows scored by the second look."""
        fine = 0 if self._fine is None else self._fine.bytes_per_vector
        return {
            "n": len(self),
            "bytes_per_vector": 8 * self._codes.words + fine + 8,
            "segments": len(self._require_fitted().parts),
            "queries": self._totals["queries"],
            "per_query": self._per_query(),
        }

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        if self.signs is not None and len(self.signs.mean) != self.dim:
            raise FileFormatError("signs: expected the index's dimension")
        super()._take_undeclared(arrays)

    # --- inside ----------------------------------------------------------------------------------------

    @property
    def _ascends(self) -> bool:
        return True  # numbers of bits

    def _cosines(self, bits: Vectors, hidden: Any) -> Vectors:
        angles = np.where(hidden, 0, bits) * (np.pi / self.bits)
        return np.cos(angles).astype(np.float32)

    def _prepared(self, x: Any, name: str, *, empty: bool = False, one: bool = False) -> Any:
        """Vectors, or codes uint8 (n, code_size) where such are given."""
        given = as_ndarray(x, name)
        if self.signs is None and given.dtype.kind == "b":
            given = np.packbits(given, axis=-1, bitorder="little")
        codes = (
            given.dtype == np.uint8
            and given.ndim in ((1, 2) if one else (2,))
            and given.shape[-1] == self.code_size
            and (self.signs is None or self.code_size != self.dim)
        )
        if not codes:
            if self.signs is None:
                raise ValueError(
                    f"{name}: expected packed codes uint8 (n, {self.code_size}), "
                    f"got {given.dtype} {given.shape}"
                )
            return super()._prepared(given, name, empty=empty, one=one)
        if self.refine is not None:
            raise ValueError(f"{name}: expected vectors: a second look cannot be taken at codes")
        if not empty and not len(given):
            raise ValueError(f"{name}: expected at least one code, got shape {given.shape}")
        if self.bits % 8 and given.size and (given[..., -1] >> self.bits % 8).any():
            raise ValueError(f"{name}: expected zeros beyond the last of {self.bits} bits")
        return np.ascontiguousarray(given.reshape(-1, self.code_size))

    def _words(self, x: NDArray[Any]) -> NDArray[np.uint64]:
        """Codes as words, uint64 (n, words), zeros beyond the last bit."""
        padded = np.zeros((len(x), 8 * self._codes.words), np.uint8)
        codes = x if self.signs is None or x.dtype == np.uint8 else self.signs.encode(x)
        padded[:, : self.code_size] = codes
        return padded.view(np.uint64)

    @property
    def _packing(self) -> RowPacking:
        return self._codes

    def _learn(self, x: Vectors) -> None:
        if self._fine is not None:
            self._fine.fit(x)
        if self.signs is not None:
            if x.dtype == np.uint8:
                raise ValueError("x: expected vectors to learn from, got codes")
            self.signs.fit(x)

    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        fine = None if self._fine is None else self._fine.encode(x)
        beyond = 0 if self._fine is None else self._fine.beyond(x)
        return Batch(np.zeros(len(x), np.int64), ids, {"codes": self._words(x)}, fine, beyond)

    def _decoded(self, batch: Batch) -> Vectors:
        codes = np.ascontiguousarray(batch.rows["codes"]).view(np.uint8)[:, : self.code_size]
        if self.signs is not None:
            return self.signs.decode(codes)
        return np.unpackbits(codes, axis=1, count=self.bits, bitorder="little").astype(np.float32)

    def _compiled(self, segments: tuple[RowSegment, ...]) -> Any:
        fine = self._fine
        centre, steps = (None, None) if fine is None else fine.parts()
        parts = [(s.ids, s.alive, s.packed["codes"], s.fine, centre, steps) for s in segments]
        # Bits are counted where no second look is taken.
        bits = self.metric == "l2" or any(s.fine is None for s in segments)
        metric = "l2" if bits else "ip"
        return _core.scan.HammingScan(metric, self._codes.words, parts)

    def _ask(
        self,
        held: Searched,
        asked: Asked,
        k: int,
        *,
        refine_factor: float | None = None,
    ) -> tuple[Vectors, Ids]:
        queries, admitted, threads = asked
        most = shortlist(k, refine_factor or self.refine_factor)
        seen = None if self._fine is None else queries
        distances, ids, scored = held.scan.search(
            self._words(queries), seen, k, most, threads, admitted
        )
        self._count(len(queries), {"rows": len(queries) * len(held), "scored": scored})
        if self.refine is None and self.metric == "cosine":
            missing = ids < 0
            return np.where(missing, -np.inf, self._cosines(distances, missing)), ids
        return distances, ids

    def _within(
        self,
        held: Searched,
        asked: Asked,
        radius: float,
    ) -> tuple[Ids, Vectors, Ids]:
        """radius : bits that differ at most ("l2"), or similarity at least this ("cosine")."""
        queries, admitted, threads = asked
        cosine = self.metric == "cosine"
        most = int(min(radius, self.bits))
        if cosine:
            # The most bits whose similarity reaches the radius.
            levels = self._cosines(np.arange(self.bits + 1, dtype=np.float32), False)
            most = int((levels >= np.float32(radius)).sum()) - 1
        starts, distances, ids = held.scan.range_search(
            self._words(queries), most, threads, admitted
        )
        self._count(len(queries), {"rows": len(queries) * len(held), "scored": 0})
        return starts, self._cosines(distances, False) if cosine else distances, ids


class _Codes:
    """Codes in blocks of eight: uint64 (blocks, words, 8), zeros beyond the last row."""

    def __init__(self, words: int) -> None:
        self.words = words

    def pack(self, rows: Arrays) -> Arrays:
        """Codes in blocks."""
        codes = rows["codes"]
        blocks = -(-len(codes) // 8)
        padded = np.zeros((8 * blocks, self.words), np.uint64)
        padded[: len(codes)] = codes
        return {"codes": aligned(padded.reshape(blocks, 8, self.words).transpose(0, 2, 1))}

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the codes, uint64 (n, words)."""
        return {"codes": packed["codes"][rows // 8, :, rows % 8]}

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        check_only(packed, {"codes"}, "arrays")
        take(packed, "codes", np.uint64, (-(-n // 8), self.words, 8))
