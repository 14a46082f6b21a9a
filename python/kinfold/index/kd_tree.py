"""Exact search in few dimensions, with the interface of scipy.spatial.cKDTree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import as_array, as_choice, as_count, owned, read_only
from kinfold.base.errors import FileFormatError
from kinfold.base.locks import Lock
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take, take_param
from kinfold.index.kd_manners import (
    Points,
    as_norm,
    as_points,
    as_radii,
    as_ranks,
    as_row_lists,
    as_size,
    as_workers,
    padded,
)
from kinfold.index.kd_scan import LARGEST, Scan, scan_is_faster

# Leaves are multiples of what one pass of the kernels looks at.
PASS = 16


class KDTree(Restorable):
    """A k-d tree (Bentley 1975; Friedman, Bentley & Finkel 1977) over points (n, d).

    Answers, shapes and conventions are those of scipy's cKDTree: Euclidean, not squared, distances;
    where there are fewer than k, infinity and n. Ties go to the smaller row. Answers depend neither
    on the threads nor on the instruction set (a scan of float32 points: from AVX2 on).

    Parameters
    ----------
    data : (n, d) finite numbers. float32 stays float32, and distances are computed and returned as
        float32; everything else becomes float64, as in scipy.
    leafsize : points of a leaf, rounded up to a multiple of 16
    scan : answer ``query`` with p = 2 by an exhaustive scan. None: from 14 dimensions on, where
        a scan is faster (``kd_scan.scan_is_faster``).
    compact_nodes, balanced_tree, copy_data : accepted for scipy's sake; the tree is always compact,
        balanced, and over a copy of its own
    boxsize : None; periodic space is not supported

    Raises ValueError for data that are not a matrix of finite numbers.

    Examples
    --------
    >>> tree = kf.KDTree([[0.0, 0.0], [3.0, 4.0]])
    >>> distance, row = tree.query([3.0, 3.0])
    >>> float(distance), int(row)
    (1.0, 1)
    """

    kind: ClassVar[str] = "index.KDTree"

    def __init__(
        self,
        data: Any,
        leafsize: int = 32,
        *,
        scan: bool | None = None,
        compact_nodes: bool = True,
        copy_data: bool = False,
        balanced_tree: bool = True,
        boxsize: None = None,
    ) -> None:
        if boxsize is not None:
            raise ValueError(
                f"boxsize: expected None, periodic space is not supported, got {boxsize!r}"
            )
        points = as_points(data, "data")
        if scan is not None and not isinstance(scan, (bool, np.bool_)):
            raise ValueError(f"scan: expected True, False or None, got {scan!r}")
        self._adopt(
            owned(points, data),
            as_count(leafsize, "leafsize", most=1 << 16),
            None if scan is None else bool(scan),
            None,
        )

    def _adopt(
        self, data: Points, leafsize: int, scan: bool | None, order: NDArray[np.uint32] | None
    ) -> None:
        self.data, self.leafsize, self.scan = read_only(data), leafsize, scan
        self._lock = Lock()
        self._order = order  # of a saved tree, until the tree is built from it
        self._built: Any = None
        self._scan: Scan | None = None
        # The tree of points that are scanned waits until something asks for it.
        if self._scans():
            self._scan = Scan(self.data)
        else:
            self._tree()

    def __repr__(self) -> str:
        return f"KDTree(n={self.n}, m={self.m}, dtype={self.data.dtype}, leafsize={self.leafsize})"

    def __len__(self) -> int:
        return self.n

    @property
    def n(self) -> int:
        """The number of points."""
        return len(self.data)

    @property
    def m(self) -> int:
        """The dimension of the points."""
        return int(self.data.shape[1])

    @property
    def mins(self) -> Points:
        """The least coordinates (d,); infinity if there are no points."""
        return self._tree().box()[0] if self.n else np.full(self.m, np.inf, self.data.dtype)

    @property
    def maxes(self) -> Points:
        """The largest coordinates (d,); -infinity if there are no points."""
        return self._tree().box()[1] if self.n else np.full(self.m, -np.inf, self.data.dtype)

    @property
    def indices(self) -> NDArray[np.int64]:
        """The rows (n,) in the order of the leaves."""
        return self._tree().order().astype(np.int64)

    def query(
        self,
        x: Any,
        k: Any = 1,
        eps: float = 0.0,
        p: float = 2.0,
        distance_upper_bound: float = np.inf,
        workers: int = 1,
        *,
        return_stats: bool = False,
    ) -> Any:
        """The k nearest points of each query, nearest first.

        x : (..., d)
        k : how many, or a list of ranks from 1 on: [2] is the second nearest alone
        eps : the k-th answer is at most (1 + eps) times as far as the k-th nearest (Arya & Mount 1993)
        p : 1, 2 or infinity: which Minkowski distance
        distance_upper_bound : only points nearer than this
        workers : threads; -1 for the library's setting
        return_stats : return how many leaves were looked at, too

        Returns distances and rows int64 of shape x.shape[:-1], with a last axis unless k is 1; what is
        missing has infinity and n. With return_stats also leaves (x.shape[:-1]), all of them for
        a scan.
        """
        queries, shape = self._queries(x)
        most, ranks = as_ranks(k)
        p = as_norm(p)
        eps = as_size(eps, "eps", finite=True)
        bound = as_size(distance_upper_bound, "distance_upper_bound")
        threads = as_workers(workers)
        # More places than points would only be filled with what is missing.
        depth = max(1, min(most, self.n))
        found = None
        if p == 2 and self._scan is not None:
            found = self._query_by_scan(self._scan, queries, depth, eps, bound, threads)
        if found is None:
            found = self._tree().nearest(queries, depth, p, eps, bound, threads)
        distances, rows, leaves = found
        if ranks is not None:
            distances, rows = padded(distances, rows, most, self.n)
            distances, rows = distances[:, ranks], rows[:, ranks]
            shape_of_answers = (*shape, len(ranks))
        elif most == 1:
            shape_of_answers = shape
        else:
            distances, rows = padded(distances, rows, most, self.n)
            shape_of_answers = (*shape, most)
        answer = distances.reshape(shape_of_answers)[()], rows.reshape(shape_of_answers)[()]
        return (*answer, leaves.reshape(shape)[()]) if return_stats else answer

    def query_ball_point(
        self,
        x: Any,
        r: Any,
        p: float = 2.0,
        eps: float = 0.0,
        workers: int = 1,
        return_sorted: bool | None = None,
        return_length: bool = False,
    ) -> Any:
        """All points at most r from each query.

        x : (..., d). r : radius, or radii that broadcast to x.shape[:-1]
        eps : leaves farther than r / (1 + eps) may be left out, those within r (1 + eps) taken whole
        return_sorted : False leaves the rows in the order of the tree
        return_length : only count them

        Returns a list of rows for one query, else an object array of lists; or int64 counts.
        """
        queries, shape = self._queries(x)
        radii = as_radii(r, "r", shape)
        p, eps = as_norm(p), as_size(eps, "eps", finite=True)
        threads = as_workers(workers)
        if return_length:
            counts = self._tree().count_balls(queries, radii, p, eps, threads)
            return counts.reshape(shape)[()]
        sort = return_sorted is None or bool(return_sorted)
        starts, rows = self._tree().balls(queries, radii, p, eps, threads, sort)
        lists = as_row_lists(starts, rows)
        if not shape:
            return lists[0]
        answer = np.empty(len(lists), object)
        for i, rows_of_one in enumerate(lists):  # numpy would make a matrix of lists of one length
            answer[i] = rows_of_one
        return answer.reshape(shape)

    def query_ball_tree(
        self, other: KDTree, r: float, p: float = 2.0, eps: float = 0.0
    ) -> list[list[int]]:
        """For each point of this tree the rows of the other's points at most r away."""
        queries = self._points_for(other)
        radii = as_radii(r, "r", (len(queries),))
        starts, rows = other._tree().balls(
            queries, radii, as_norm(p), as_size(eps, "eps", finite=True), 1, True
        )
        return as_row_lists(starts, rows)

    def query_pairs(
        self, r: float, p: float = 2.0, eps: float = 0.0, output_type: str = "set"
    ) -> Any:
        """All pairs of rows (i, j), i < j, whose points are at most r apart.

        Returns a set of pairs, or for "ndarray" int64 (pairs, 2), ascending.
        """
        as_choice(output_type, "output_type", ("set", "ndarray"))
        radius = as_size(r, "r")
        pairs = self._tree().pairs(radius, as_norm(p), as_size(eps, "eps", finite=True), 1)
        return pairs if output_type == "ndarray" else set(map(tuple, pairs.tolist()))

    def count_neighbors(
        self, other: KDTree, r: Any, p: float = 2.0, weights: None = None, cumulative: bool = True
    ) -> Any:
        """How many pairs (a point of this tree, a point of the other) are at most r apart.

        r : one radius, or several (m,). weights : None; weighted counts are not supported
        cumulative : False counts for each of ascending radii what lies beyond the one before

        Returns an int, or int64 (m,).
        Raises ValueError for weights, and where ``cumulative=False`` for radii that do not ascend.
        """
        if weights is not None:
            raise ValueError("weights: expected None, weighted counts are not supported")
        radii = as_array(r, "r").astype(np.float64)
        if radii.ndim > 1 or np.isnan(radii).any():
            raise ValueError(f"r: expected a number or numbers (m,), got shape {radii.shape}")
        if not cumulative and (np.diff(radii) < 0).any():
            raise ValueError("r: expected ascending radii where cumulative=False")
        p = as_norm(p)
        queries = self._points_for(other)
        counts = np.zeros(radii.shape, np.int64)
        for where, radius in np.ndenumerate(radii):
            if radius >= 0:
                same = np.full(len(queries), radius)
                counts[where] = other._tree().count_balls(queries, same, p, 0.0, 1).sum()
        if not cumulative and counts.ndim:
            counts = np.diff(counts, prepend=0)
        return counts if radii.ndim else int(counts)

    def stats(self) -> dict[str, JSON]:
        """Sizes: points, leaves, and whether ``query`` scans them all."""
        return {"n": self.n, "leaves": -(-self.n // self._bucket), "scan": self._scan is not None}

    def save(self, path: str | Path) -> None:
        """Write to a `.kin` file; `kinfold.load` reads it."""
        from kinfold.io import kin

        kin.save(self, path)

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {"leafsize": self.leafsize, "scan": self.scan}

    def arrays(self) -> Arrays:
        """The points and their order in the leaves; boxes are made anew from both."""
        return {"data": self.data, "order": self._tree().order()}

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> KDTree:
        """A tree over points and an order that were saved. Raises FileFormatError."""
        check_only(params, {"leafsize", "scan"}, "parameters")
        check_only(arrays, {"data", "order"}, "arrays")
        leafsize = take_param(params, "leafsize", int)
        by_rule = "scan" in params and params["scan"] is None
        scan = None if by_rule else take_param(params, "scan", bool)
        double = "data" in arrays and arrays["data"].dtype == np.float64
        data = take(arrays, "data", np.float64 if double else np.float32, (None, None))
        order = take(arrays, "order", np.uint32, (len(data),))
        tree = cls.__new__(cls)
        try:
            leafsize = as_count(leafsize, "leafsize", most=1 << 16)
            tree._adopt(as_points(data, "data"), leafsize, scan, np.ascontiguousarray(order))
            tree._tree()
        except ValueError as error:
            raise FileFormatError(f"k-d tree: {error}") from error
        return tree

    @property
    def _bucket(self) -> int:
        return -(-self.leafsize // PASS) * PASS

    def _tree(self) -> Any:
        with self._lock:
            if self._built is None:
                double = self.data.dtype == np.float64
                kind = _core.tree.KdTree64 if double else _core.tree.KdTree32
                self._built = kind(self.data, self._bucket, self._order)
                self._order = None
            return self._built

    def _scans(self) -> bool:
        wanted = scan_is_faster(self.n, self.m) if self.scan is None else self.scan
        # Larger numbers would overflow the scan's float32.
        return wanted and self.n > 0 and float(np.abs(self.data).max()) < LARGEST

    def _queries(self, x: Any) -> tuple[Points, tuple[int, ...]]:
        """Queries (nq, d) of the tree's type, and the shape of what answers them."""
        array = as_array(x, "x")
        if array.ndim == 0 or array.shape[-1] != self.m:
            raise ValueError(f"x: expected points of dimension {self.m}, got shape {array.shape}")
        with np.errstate(over="ignore"):
            queries = np.ascontiguousarray(array, dtype=self.data.dtype)
        if not np.isfinite(queries).all():
            raise ValueError(f"x: expected finite {self.data.dtype} numbers, got NaN or infinity")
        return queries.reshape(-1, self.m), array.shape[:-1]

    def _points_for(self, other: Any) -> Points:
        """This tree's points as queries of another."""
        if not isinstance(other, KDTree):
            raise ValueError(f"other: expected a KDTree, got {type(other).__name__}")
        if other.m != self.m:
            raise ValueError(f"other: expected a tree of dimension {self.m}, got {other.m}")
        return other._queries(self.data)[0]

    def _query_by_scan(
        self, scan: Scan, queries: Points, k: int, eps: float, bound: float, threads: int
    ) -> Any:
        """As the tree's nearest; None where numbers are too large for a scan."""
        if queries.size and float(np.abs(queries).max()) >= LARGEST:
            return None
        squares, rows, proven = scan.nearest(queries, k, threads)
        out = (rows < 0) | (squares.astype(np.float64) >= bound * bound)
        distances = np.where(out, np.inf, np.sqrt(squares)).astype(self.data.dtype)
        rows = np.where(out, self.n, rows)
        if not proven.all():
            rest = np.flatnonzero(~proven)
            distances[rest], rows[rest], _ = self._tree().nearest(
                queries[rest], k, 2.0, eps, bound, threads
            )
        leaves = np.full(len(queries), -(-self.n // self._bucket), np.uint32)
        return distances, rows, leaves
