"""An index of vectors that something proposes: k-d trees, hash tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, aligned, as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Slot
from kinfold.base.metrics import inner_metric
from kinfold.base.parameters import Count
from kinfold.base.state import JSON, Arrays, add_prefix, at_once, check_only, strip_prefix, take
from kinfold.index.base import Asked, Option
from kinfold.index.codecs.raw import ByteVectors, RawVectors, unpacked
from kinfold.index.options import ladder
from kinfold.index.parts import check_codec, keeps_all
from kinfold.index.proposers.base import Proposer
from kinfold.index.rows import Batch, RowPacking, RowSegment
from kinfold.index.segmented import Searched, SegmentedIndex, arrays_of

# Rows of 8-bit copies start at cache lines.
_LINE = 64
# A copy that lost more than this many times the usual is no filter: its row always passes.
_OUTLIER = 2.0


class CandidateIndex(SegmentedIndex):
    """Approximate nearest neighbours among rows that a proposer names.

    Rows are looked at in the order of the proposal, each once, until ``checks`` have been; the answer is the best of
    them by the float32 distance to what is stored, ties by ascending id. It depends neither on the instruction
    set, the batch nor the threads. With ``checks=0`` all rows are looked at.

    Parameters
    ----------
    dim : dimension of the vectors
    proposer : KDForest or HashTables
    codec : RawVectors (float32, float16) or ByteVectors; float32 where None
    metric : "l2" (squared Euclidean distance), "ip" (inner product) or "cosine"
    checks : rows to look at where a search does not say

    Search options
    --------------
    checks : rows to look at, 0 for all; rows that the filter bars do not count

    What has not been trained learns from the first vectors that are added.
    Several threads may search while one adds or removes.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> index = kf.CandidateIndex(8, kf.KDForest(4)).train(x)
    >>> ids = index.add(x)
    >>> index.search(x[:2], k=3, checks=50).ids.shape
    (2, 3)
    """

    kind: ClassVar[str] = "index.Candidates"
    options: ClassVar[Mapping[str, Option]] = {"checks": partial(as_count, least=0)}
    range_options: ClassVar[frozenset[str]] = frozenset(options)

    proposer = Slot()
    codec = Slot()
    checks = Count(least=0)

    def __init__(
        self,
        dim: int,
        proposer: Proposer,
        codec: RawVectors | ByteVectors | None = None,
        *,
        metric: str = "l2",
        checks: int = 1000,
    ) -> None:
        super().__init__(dim, metric)
        self.codec = (
            RawVectors(self.dim, metric=inner_metric(self.metric)) if codec is None else codec
        )
        if not isinstance(self.codec, RawVectors | ByteVectors):
            raise ValueError(f"codec: expected stored vectors, got {self.codec!r}")
        check_codec(self.codec, self.dim, self.metric)
        self.proposer = proposer
        self.checks = checks

    @property
    def keeps_vectors(self) -> bool:
        """Whether ``reconstruct`` gives back what was added (for "cosine", its direction)."""
        return keeps_all(self.codec)

    def add(self, x: Any, ids: Any = None, *, verbose: bool = True) -> Ids:
        """Add vectors (n, d) and return their ids, which number on where none are given.

        x : an array, memory-mapped or not, which is read in pieces; or, once trained, an iterator of arrays
        ids : one for each vector; not with an iterator
        Raises ValueError for ids that are there already or occur twice.
        """
        with self._lock:
            x = arrays_of(x)
            if not self.is_trained and isinstance(x, np.ndarray) and len(x):
                return self._fit_and_add(x, ids, verbose)
        return super().add(x, ids, verbose=verbose)

    @at_once
    def _fit_and_add(self, x: Any, ids: Any, verbose: bool) -> Ids:
        self.fit(x)
        return super().add(x, ids, verbose=verbose)

    def search_space(self, k: int = 10) -> dict[str, tuple[float, ...]]:
        """checks, up to all rows."""
        n = max(1, len(self))
        return {"checks": ladder(min(n, 50), n)}

    def stats(self) -> dict[str, JSON]:
        """Sizes, and what searches have cost so far.

        bytes_per_vector : of what is stored and of the ids; structure_bytes: of 8-bit copies and proposer
        per_query : rows looked at, and rows scored by a float32 distance, on average
        """
        held = self._require_fitted()
        sizes = [
            sum(a.nbytes for name, a in s.packed.items() if name != "vectors") for s in held.parts
        ]
        return {
            "n": len(held),
            "bytes_per_vector": self.codec.bytes_per_vector + 8,
            "structure_bytes": sum(sizes),
            "segments": len(held.parts),
            "queries": self._totals["queries"],
            "per_query": self._per_query(),
        }

    # --- inside ----------------------------------------------------------------------------------------

    def _ask(
        self,
        held: Searched,
        asked: Asked,
        k: int,
        *,
        checks: int | None = None,
    ) -> tuple[Vectors, Ids]:
        (queries, admitted, threads), budget = asked, self.checks if checks is None else checks
        distances, ids, stats = held.scan.search(
            queries, self.proposer.keys(queries), k, budget, threads, admitted
        )
        self._count(len(queries), stats)
        return distances, ids

    def _within(
        self,
        held: Searched,
        asked: Asked,
        radius: float,
        *,
        checks: int | None = None,
    ) -> tuple[Ids, Vectors, Ids]:
        (queries, admitted, threads), budget = asked, self.checks if checks is None else checks
        found, stats = held.scan.range_search(
            queries, self.proposer.keys(queries), radius, budget, threads, admitted
        )
        self._count(len(queries), stats)
        within: tuple[Ids, Vectors, Ids] = found
        return within

    @property
    def _packing(self) -> RowPacking:
        return _Proposed(self.codec, self.proposer)

    def _learn(self, x: Vectors) -> None:
        self.codec.fit(x, np.zeros(len(x), np.int64), None)
        self.proposer.fit(x)

    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        cells = np.zeros(len(x), np.int64)
        return Batch(cells, ids, self.codec.encode(x, cells, None), None, self.codec.beyond(x))

    def _decoded(self, batch: Batch) -> Vectors:
        return self.codec.decode(batch.rows, batch.cells, None)

    def _compiled(self, segments: tuple[RowSegment, ...]) -> Any:
        structure = self.proposer.structure(
            [strip_prefix("proposer", s.packed) for s in segments], self.dim
        )
        parts, largest = [], 0.0
        for s in segments:
            residual, radius, norm = s.packed["sizes"]
            largest = max(largest, float(norm))
            parts.append(
                (s.ids, s.alive, s.packed.get("vectors"), s.packed["codes"], s.packed["bias"],
                 float(residual), float(radius))
            )  # fmt: skip
        return _core.candidates.CandidateScan(
            self.codec.metric, self.codec.parts(), structure, parts, largest
        )


class _Proposed:
    """Stored vectors row by row, 8-bit copies beside them, and the proposer's arrays over them."""

    def __init__(self, codec: RawVectors | ByteVectors, proposer: Proposer) -> None:
        self.codec, self.proposer = codec, proposer

    def pack(self, rows: Arrays) -> Arrays:
        """What the engine reads."""
        n = len(next(iter(rows.values())))
        made = self.codec.copies(rows)
        bias, residual, (radius, norm) = made["bias"], made["residual"], made["sizes"]
        codes = unpacked(made["blocks"], len(bias), np.arange(n))
        stride = -(-codes.shape[1] // _LINE) * _LINE
        padded = np.full((n, stride), 128, np.uint8)
        padded[:, : codes.shape[1]] = codes
        # The engine has one bound for all: rows that lost much more would loosen it for everybody.
        limit = _OUTLIER * float(np.median(residual)) if n else 0.0
        bias = bias[:n].copy()
        bias[np.repeat(residual > limit, 32)[:n]] = 1 << 30
        kept = residual[residual <= limit]
        packed = {
            "codes": aligned(padded),
            "bias": bias,
            "sizes": np.array([kept.max(initial=0.0), radius, norm], np.float64),
        }
        stored: NDArray[Any] = packed["codes"]
        if "vectors" in rows:
            stored = packed["vectors"] = aligned(rows["vectors"])
        return {**packed, **add_prefix("proposer", self.proposer.build(stored, self.codec))}

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the rows as they are stored."""
        if "vectors" in packed:
            return {"vectors": packed["vectors"][rows]}
        return {"codes": packed["codes"][rows, : self.codec.dim]}

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows."""
        own = {name: a for name, a in packed.items() if not name.startswith("proposer.")}
        names = {"codes", "bias", "sizes"}
        dim = self.codec.dim
        if isinstance(self.codec, RawVectors):
            names.add("vectors")
            vectors = take(packed, "vectors", np.dtype(self.codec.dtype), (n, dim))
            del vectors
        check_only(own, names, "arrays")
        codes = take(packed, "codes", np.uint8, (n, None))
        tiles = -(-dim // 64)
        if codes.shape[1] % _LINE or codes.shape[1] < -(-dim // (4 * tiles)) * 4 * tiles:
            raise FileFormatError("array 'codes': expected rows of whole cache lines")
        take(packed, "bias", np.int32, (n,))
        if not np.isfinite(take(packed, "sizes", np.float64, (3,))).all():
            raise FileFormatError("array 'sizes': expected finite numbers")
        self.proposer.check(strip_prefix("proposer", packed), n, dim)
