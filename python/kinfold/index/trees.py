"""An index of k-d trees: exact search in few dimensions, for vectors that come and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, aligned
from kinfold.base.state import JSON, Arrays, take
from kinfold.index.base import Asked
from kinfold.index.kd_tree import KDTree
from kinfold.index.rows import Batch, RowPacking, RowSegment
from kinfold.index.segmented import Searched, SegmentedIndex
from kinfold.store.keyed import Marks


class TreeIndex(SegmentedIndex):
    """Exact nearest neighbours through k-d trees, one a segment (Bentley and Saxe's logarithmic method).

    From 14 dimensions on the trees give way to a scan; `FlatIndex` is the better choice there. For points that
    stay, and for scipy's interface, see `KDTree`.

    dim : dimension of the vectors
    metric : "l2" (squared Euclidean distance), or "cosine", for which vectors are scaled to length one

    Several threads may search while one adds or removes.

    Examples
    --------
    >>> index = kf.TreeIndex(2)
    >>> ids = index.add([[0.0, 0.0], [3.0, 4.0]])
    >>> index.search([3.0, 3.0], k=1)
    Neighbours(distances=array([1.], dtype=float32), ids=array([1]))
    """

    kind: ClassVar[str] = "index.Trees"
    keeps_vectors: ClassVar[bool] = True  # type: ignore[assignment, unused-ignore]

    def __init__(self, dim: int, *, metric: str = "l2") -> None:
        super().__init__(dim, metric)
        if self.metric == "ip":
            raise ValueError('metric: trees know distances: expected "l2" or "cosine", got "ip"')
        self._points = _Points(self.dim)
        self._hold((), 0)

    def stats(self) -> dict[str, JSON]:
        """Sizes."""
        held = self._require_fitted()
        return {
            "n": len(held),
            "bytes_per_vector": 4 * self.dim + 8,
            "segments": len(held.parts),
            "queries": self._totals["queries"],
        }

    # --- inside ----------------------------------------------------------------------------------------

    @property
    def _packing(self) -> RowPacking:
        return self._points

    def _learn(self, x: Vectors) -> None:
        """Nothing to learn."""

    def _encoded(self, x: Vectors, ids: Ids) -> Batch:
        return Batch(np.zeros(len(x), np.int64), ids, {"vectors": x}, None)

    def _decoded(self, batch: Batch) -> Vectors:
        return np.asarray(batch.rows["vectors"])

    @property
    def _ascends(self) -> bool:
        return True  # squared distances

    def _compiled(self, segments: tuple[RowSegment, ...]) -> Any:
        return TreeScan(segments, tuple(self._points.tree(s.packed) for s in segments))

    def _ask(
        self,
        held: Searched,
        asked: Asked,
        k: int,
    ) -> tuple[Vectors, Ids]:
        queries, admitted, threads = asked
        distances, ids, stats = held.scan.search(queries, k, threads, admitted)
        self._count(len(queries), stats)
        if self.metric == "cosine":
            distances = np.where(ids < 0, np.float32(-np.inf), 1 - distances / 2)
        return distances, ids

    def _within(
        self,
        held: Searched,
        asked: Asked,
        radius: float,
    ) -> tuple[Ids, Vectors, Ids]:
        queries, admitted, threads = asked
        l2 = self.metric == "l2"
        limit = np.float32(radius if l2 else max(0.0, 2 - 2 * radius))
        (starts, near, ids), _ = held.scan.range_search(queries, limit, threads, admitted)
        return starts, near if l2 else 1 - near / np.float32(2), ids


@dataclass(frozen=True)
class TreeScan:
    """The search over segments, each with its tree: squared distances."""

    segments: tuple[RowSegment, ...]
    trees: tuple[KDTree, ...]

    def search(
        self, queries: Vectors, k: int, threads: int, admitted: list[Marks | None] | None
    ) -> tuple[Vectors, Ids, dict[str, int]]:
        """The k nearest, ascending, ties by id; +inf and -1 past the end."""
        n = len(queries)
        distances, ids = np.full((n, k), np.inf, np.float32), np.full((n, k), -1, np.int64)
        for segment, tree, may in self._with_marks(admitted):
            barred = np.zeros(len(segment), bool) if may is None else may == 0
            near, rows = _nearest(tree, queries, k, barred, segment.ids, threads or -1)
            distances = np.concatenate([distances, near], axis=1)
            ids = np.concatenate([ids, rows], axis=1)
            order = np.lexsort((ids, distances))[:, :k]
            distances = np.take_along_axis(distances, order, axis=1)
            ids = np.take_along_axis(ids, order, axis=1)
        return distances, ids, {"rows": 0, "scored": 0}

    def range_search(
        self,
        queries: Vectors,
        limit: np.float32,
        threads: int,
        admitted: list[Marks | None] | None,
    ) -> tuple[tuple[Ids, Vectors, Ids], dict[str, int]]:
        """All within a squared distance, ascending: starts, squared distances, ids."""
        # A little farther: the root of a float32 square may be rounded down.
        reach = float(np.sqrt(np.float64(limit))) * (1 + 1e-6)
        found: list[list[tuple[Vectors, Ids]]] = [[] for _ in queries]
        for segment, tree, may in self._with_marks(admitted):
            lists = tree.query_ball_point(queries, reach, workers=threads or -1)
            for row, inside in enumerate(lists if len(queries) else []):
                rows = np.asarray(inside, np.int64)
                rows = rows if may is None else rows[may[rows] != 0]
                near = _squares(queries[row], tree.data[rows])
                found[row].append((near[near <= limit], segment.ids[rows[near <= limit]]))
        starts = [0]
        near_parts: list[Vectors] = [np.empty(0, np.float32)]
        id_parts: list[Ids] = [np.empty(0, np.int64)]
        for parts in found:
            near = np.concatenate([p[0] for p in parts] or [np.empty(0, np.float32)])
            own = np.concatenate([p[1] for p in parts] or [np.empty(0, np.int64)])
            order = np.lexsort((own, near))
            near_parts.append(near[order])
            id_parts.append(own[order])
            starts.append(starts[-1] + len(own))
        lists_of_all = np.array(starts), np.concatenate(near_parts), np.concatenate(id_parts)
        return lists_of_all, {}

    def _with_marks(
        self, admitted: list[Marks | None] | None
    ) -> Iterator[tuple[RowSegment, KDTree, Marks | None]]:
        """Segments with their trees, and what may answer."""
        marks = admitted if admitted is not None else [s.alive for s in self.segments]
        yield from zip(self.segments, self.trees, marks)


def _squares(query: Vectors, points: Vectors) -> Vectors:
    """Squared distances of points (..., d) to a query, by rounding sums of float64 once."""
    difference = points.astype(np.float64) - query
    return np.einsum("...d,...d->...", difference, difference).astype(np.float32)


def _nearest(
    tree: KDTree, queries: Vectors, k: int, barred: NDArray[np.bool_], ids: Ids, workers: int
) -> tuple[Vectors, Ids]:
    """The k nearest rows that are not barred: squared distances and ids, ties by id."""
    n = len(ids)
    spare = int(barred.sum())
    # So many that the barred ones leave k, and one more that shows whether the k-th distance goes on.
    depth = min(n, k + spare + 1)
    while True:
        rows = tree.query(queries, list(range(1, depth + 1)), workers=workers)[1]
        # A damaged file's tree may miss rows.
        missing = rows >= n
        rows = np.minimum(rows, n - 1)
        near = _squares(queries[:, None, :], tree.data[rows])
        near[barred[rows] | missing] = np.inf
        order = np.lexsort((ids[rows], near))
        near = np.take_along_axis(near, order, axis=1)
        found = np.where(np.isinf(near), -1, ids[np.take_along_axis(rows, order, axis=1)])
        # The tree orders equal distances by row: all of them must be seen before ids decide.
        if depth == n or k > near.shape[1] - 1 or not (near[:, k - 1] >= near[:, -1]).any():
            break
        depth = min(n, 2 * depth)
    have = min(k, near.shape[1])
    return near[:, :have], found[:, :have]


class _Points:
    """Vectors with the order of their tree's leaves."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def pack(self, rows: Arrays) -> Arrays:
        """The vectors, and the tree over them where one is used."""
        vectors = aligned(rows["vectors"])
        arrays = KDTree(vectors).arrays()
        return {"vectors": vectors, **{name: a for name, a in arrays.items() if name != "data"}}

    def tree(self, packed: Mapping[str, NDArray[Any]]) -> KDTree:
        """The tree over packed vectors."""
        arrays = {name: a for name, a in packed.items() if name != "vectors"}
        return KDTree.from_state(
            {"leafsize": 32, "scan": None}, {"data": packed["vectors"], **arrays}
        )

    def unpack(self, packed: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Arrays:
        """Some of the vectors."""
        return {"vectors": packed["vectors"][rows]}

    def check(self, packed: Mapping[str, NDArray[Any]], n: int) -> None:
        """Raise FileFormatError unless the packed arrays hold n rows; the tree looks at its order."""
        take(packed, "vectors", np.float32, (n, self.dim))
