"""An index of lists: transform, coarse partition, codec and second look, each chosen freely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Part, Slot
from kinfold.base.metrics import inner_metric
from kinfold.base.parameters import Choice, Count, Maybe, Number
from kinfold.base.state import JSON
from kinfold.index.base import Asked, Option
from kinfold.index.coarse.base import Coarse
from kinfold.index.codecs.base import Codec
from kinfold.index.fine import REFINEMENTS, Fine
from kinfold.index.options import as_factor, as_truth, ladder, refinements, shortlist
from kinfold.index.parts import check_fit, keeps_all
from kinfold.index.rows import Batch, RowPacking, RowSegment, seal
from kinfold.index.segmented import Searched, SegmentedIndex
from kinfold.store.keyed import as_new_ids


class CellIndex(SegmentedIndex):
    """Approximate nearest neighbours through lists of codes.

    A query is transformed, the cells nearest to it are visited, their rows ranked by the float32 distance to
    what the codes stand for, ties by ascending id; with a second look, the shortlist by the distance to finer
    vectors. The answer is the best of all rows of the visited cells: it depends neither on the instruction
    set, the batch nor the threads.

    Parameters
    ----------
    dim : dimension of the vectors
    coarse : SingleCell (exhaustive), KMeansCells (inverted index) or MultiCells (inverted multi-index)
    codec : RawVectors, ByteVectors, ProductCodes or LocalCodes
    transform : what vectors pass first (PCA, Rotation, OPQ), or None; trained with the index where it can be
    refine : keep the vectors as "float32", "float16" or "uint8" for a second look, or None
    metric : "l2" (squared Euclidean distance), "ip" (inner product) or "cosine"

    nprobe, budget, refine_factor : of searches that do not say; kept as attributes

    Search options
    --------------
    nprobe : cells to visit
    budget : multi-index: stop after the cell with which this many rows have been met; where a search says neither, it
        visits as many cells as the index's own budget takes
    refine_factor : with a second look, re-score this many times k
    exhaust : visit more cells where fewer than k rows were found, up to all

    Several threads may search while one adds or removes.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((1000, 8))
    >>> index = kf.index_factory("IVF8,SQ8", 8, verbose=False).train(x)
    >>> ids = index.add(x)
    >>> index.search(x[:2], k=3, nprobe=4).ids.shape
    (2, 3)
    """

    kind: ClassVar[str] = "index.Cells"
    options: ClassVar[Mapping[str, Option]] = {
        "nprobe": as_count,
        "budget": as_count,
        "refine_factor": as_factor,
        "exhaust": as_truth,
    }
    range_options: ClassVar[frozenset[str]] = frozenset({"nprobe", "budget"})
    _counters = ("cells", "rows", "scored")
    _widens = True

    coarse = Slot()
    codec = Slot()
    transform = Slot(optional=True)
    refine = Maybe(Choice(*REFINEMENTS))
    nprobe = Count()
    budget = Count()
    refine_factor = Number(1.0)
    _fine = Part(Fine, name="refine", bare=True, optional=True)

    def __init__(
        self,
        dim: int,
        coarse: Coarse,
        codec: Codec,
        *,
        transform: Any = None,
        refine: str | None = None,
        metric: str = "l2",
        nprobe: int = 16,
        budget: int = 10_000,
        refine_factor: float = 10.0,
    ) -> None:
        super().__init__(dim, metric)
        check_fit(self.dim, self.metric, coarse, codec, transform)
        self.coarse, self.codec, self.transform = coarse, codec, transform
        self.refine = refine
        self._fine = None if refine is None else Fine(self.dim, refine, self.metric)
        self._engine: dict[str, Any] | None = None
        self.nprobe, self.budget, self.refine_factor = nprobe, budget, refine_factor

    @property
    def keeps_vectors(self) -> bool:
        """Whether ``reconstruct`` gives back what was added (for "cosine", its direction)."""
        if self.refine is not None:
            return self.refine == "float32"
        return self.transform is None and keeps_all(self.codec)

    @property
    def n_centroids(self) -> int:
        """How many centroids ``fit`` learns, of either half of a multi-index."""
        return self.coarse.n_centroids

    def adopt(self, cells: Ids, ids: Any, codes: NDArray[Any]) -> CellIndex:
        """Take over codes (n, ...) with their cells and ids; coarse partition and codec were learnt elsewhere.

        codes : product codes uint8 (n, code_size), 8-bit numbers (n, dim), or the vectors that RawVectors keep
        What the search needs besides is learnt from them. ValueError for ids below 0 or that occur twice.
        """
        if self.refine is not None:
            raise ValueError("codes: expected an index without a second look")
        own = as_new_ids(ids, len(codes))
        if own is None:
            raise ValueError("ids: expected one for each code")
        with self._lock:
            batch = Batch(cells, own, self.codec.taken_over(codes, cells, self.coarse), None)
            segments = (seal(batch, self.codec),) if len(own) else ()
            self._hold(segments, int(own.max(initial=-1)) + 1)
        return self

    def search_space(self, k: int = 10) -> dict[str, tuple[float, ...]]:
        """nprobe up to all cells, or a multi-index's budget up to all rows; refine_factor up to all rows, or 1,024."""
        space: dict[str, tuple[float, ...]] = {}
        n = max(1, len(self))
        if self.coarse.counts_rows:
            space["budget"] = ladder(min(n, 50), n)
        elif self.coarse.n_cells > 1:
            space["nprobe"] = ladder(1, self.coarse.n_cells)
        return space if self.refine is None else {**space, **refinements(n, k)}

    def stats(self) -> dict[str, JSON]:
        """Sizes, how even the lists are, and what searches have cost so far.

        imbalance : n_cells * sum(n_i^2) / n^2: 1 where all lists are equally long
        per_query : cells visited, rows scanned and rows scored by a float32 distance, on average
        """
        held = self._require_fitted()
        n = len(held)
        parts = [segment.sizes() for segment in held.parts]
        cells = np.concatenate([cells for cells, _ in parts]) if parts else np.empty(0, np.int64)
        counts = np.concatenate([counts for _, counts in parts]) if parts else np.empty(0)
        occupied, place = np.unique(cells, return_inverse=True)
        lengths = np.bincount(place, weights=counts) if len(cells) else np.empty(0)
        fine = 0 if self._fine is None else self._fine.bytes_per_vector
        return {
            "n": n,
            "bytes_per_vector": self.codec.bytes_per_vector + fine + 8,
            "cells": self.coarse.n_cells,
            "occupied_cells": len(occupied),
            "imbalance": float(self.coarse.n_cells * (lengths**2).sum() / max(n, 1) ** 2),
            "segments": len(held.parts),
            "queries": self._totals["queries"],
            "per_query": self._per_query(),
        }

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        # ValueError where the transform takes others.
        inner = self._transformed(np.zeros((1, self.dim), np.float32)).shape[1]
        if inner != self.codec.dim:
            raise FileFormatError(f"transform: expected dimension {self.codec.dim}, got {inner}")
        super()._take_undeclared(arrays)

    # --- inside ------------------------------------------------------------------------------------

    @property
    def _n_cells(self) -> int:  # type: ignore[override]
        return self.coarse.n_cells

    @property
    def _counts_rows(self) -> bool:  # type: ignore[override]
        return self.coarse.counts_rows

    @property
    def _packing(self) -> RowPacking:
        return self.codec

    def _learn(self, x: Vectors) -> None:
        if self._fine is not None:
            self._fine.fit(x)
        if self.transform is not None and hasattr(self.transform, "fit"):
            self.transform.fit(x)
        inner = self._transformed(x)
        self.coarse.fit(inner)
        self.codec.fit(inner, self.coarse.assign(inner), self.coarse)
        self._engine = None  # of a coarse partition of before

    def _decoded(self, batch: Batch) -> Vectors:
        inner = self.codec.decode(batch.rows, batch.cells, self.coarse)
        if self.transform is None:
            return inner
        x: Vectors = self.transform.inverse_transform(inner)
        return x

    def _transformed(self, x: Vectors) -> Vectors:
        if self.transform is None:
            return x
        return np.ascontiguousarray(self.transform.transform(x), dtype=np.float32)

    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        inner = self._transformed(x)
        cells = self.coarse.assign(inner)
        fine = None if self._fine is None else self._fine.encode(x)
        beyond = self.codec.beyond(inner) + (0 if self._fine is None else self._fine.beyond(x))
        return Batch(cells, ids, self.codec.encode(inner, cells, self.coarse), fine, beyond)

    def _compiled(self, segments: tuple[RowSegment, ...]) -> Any:
        metric = inner_metric(self.metric)
        engine = self._coarse_engine(metric)
        compiled = [self._segment(segment) for segment in segments]
        return _core.lists.ListSearch(
            metric, self.codec.dim, codec=self.codec.engine(), segments=compiled, **engine
        )

    def _segment(self, rows: RowSegment) -> Any:
        """The compiled segment over these arrays."""
        made = _core.lists.Segment(
            self.coarse.n_cells, rows.cells, rows.starts, rows.ids, rows.alive
        )
        self.codec.attach(made, rows.packed)
        if self._fine is not None and rows.fine is not None:
            made.fine(rows.fine, *self._fine.parts())
        return made

    def _ask(
        self,
        held: Searched,
        asked: Asked,
        k: int,
        *,
        nprobe: int | None = None,
        budget: int | None = None,
        refine_factor: float | None = None,
        exhaust: bool = False,
    ) -> tuple[Vectors, Ids]:
        queries, admitted, threads = asked
        inner = self._transformed(queries)
        most = shortlist(k, refine_factor or self.refine_factor)
        probes, rows = self._probes(nprobe, budget)
        distances, ids, stats = held.scan.search(
            inner, queries, k, most, probes, rows, threads, admitted
        )
        self._count(len(queries), stats)
        while exhaust and probes < self.coarse.n_cells:
            short = np.flatnonzero(ids[:, -1] < 0)
            if not len(short):
                break
            probes, rows = min(self.coarse.n_cells, 4 * probes), 0
            distances[short], ids[short], stats = held.scan.search(
                inner[short], queries[short], k, most, probes, rows, threads, admitted
            )
            self._count(0, stats)
        return distances, ids

    def _within(
        self,
        held: Searched,
        asked: Asked,
        radius: float,
        *,
        nprobe: int | None = None,
        budget: int | None = None,
    ) -> tuple[Ids, Vectors, Ids]:
        queries, admitted, threads = asked
        inner, limits = self._transformed(queries), self._probes(nprobe, budget)
        (starts, distances, ids), stats = held.scan.range_search(
            inner, queries, radius, *limits, threads, admitted
        )
        self._count(len(queries), stats)
        return starts, distances, ids

    def _coarse_engine(self, metric: str) -> dict[str, Any]:
        if self._engine is None:
            self._engine = self.coarse.engine(metric)
        return self._engine

    def _probes(self, nprobe: int | None, budget: int | None) -> tuple[int, int]:
        """Cells to visit at most, and rows after which to stop (0: no limit)."""
        cells = self.coarse.n_cells
        rows = budget or 0
        if nprobe is not None:
            return min(cells, nprobe), rows
        if not self.coarse.counts_rows:
            return min(cells, self.nprobe), rows
        rows = rows or self.budget
        # Most cells are empty: enough of them for the rows, whatever their spread.
        return min(cells, max(1024, 16 * rows)), rows
