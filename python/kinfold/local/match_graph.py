"""What geometry says of pairs of photos: looked at once, kept, and gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, as_array, as_count, as_ids
from kinfold.base.declared import Declared
from kinfold.base.learnt import Learnt
from kinfold.base.local_features import LocalFeatures
from kinfold.base.progress import progress
from kinfold.base.threads import in_threads
from kinfold.local.match import Prepared, match, prepare
from kinfold.local.verify import project, verify_many

# Bytes of a digest, as those of ``images.content_digest``.
DIGEST = 20
# Photos whose prepared features are kept at hand: less than a megabyte each.
_KEPT = 128
# Work is kept when so many seconds have passed, and so many times as many as keeping it took.
_EVERY, _TIMES = 30.0, 20


class _Found(NamedTuple):
    """What came of looking at some pairs, one item a pair; the points one after the other, so many of each."""

    tried: Ids
    matched: Ids
    maps: NDArray[np.float64]
    counts: Ids
    points: NDArray[np.float32]


class MatchGraph(Declared):
    """Pairs of photos that geometry has looked at: how many features look alike, and what one map explains of them.

    It never changes: what adds to it returns another. Photos are known by id and digest, so that what is known of one
    is not taken for what another, or the same after a change, would give.

    Parameters
    ----------
    ids : int64 (n,), ascending
    sizes : float64 (n, 2), width and height of the upright originals, in pixels
    digests : uint8 (n, 20), of whatever the features were made from; zeros where None
    tried, matched, maps, starts, points : of the pairs; none where None

    Attributes
    ----------
    tried : int64 (t, 2), positions of photos, the first below the second, sorted: every pair that was looked at
    matched : int64 (t,), features that look alike
    maps : float64 (t, 3, 3), pixels of the first upright original to those of the second; zeros where there is none
    starts : int64 (t + 1,), pair i has the points from ``starts[i]`` to ``starts[i + 1]``
    points : float32 (p, 4), x and y in the first, x and y in the second, of what the map explains (the inliers)

    Examples
    --------
    >>> from kinfold.local.match_graph import MatchGraph
    >>> graph = MatchGraph([3, 5, 9], np.full((3, 2), 640.0))
    >>> graph.missing([[0, 2], [2, 0], [1, 2]])
    array([[0, 2],
           [1, 2]])
    >>> len(graph.confirmed())
    0
    """

    kind: ClassVar[str] = "local.Matches"

    ids = Learnt(np.int64, ("n",), empty=True)
    sizes = Learnt(np.float64, ("n", 2), finite=True, empty=True)
    digests = Learnt(np.uint8, ("n", DIGEST), empty=True)
    tried = Learnt(np.int64, ("t", 2), empty=True)
    matched = Learnt(np.int64, ("t",), empty=True)
    maps = Learnt(np.float64, ("t", 3, 3), finite=True, empty=True)
    starts = Learnt(np.int64, ("t+1",), empty=True)
    points = Learnt(np.float32, (None, 4), finite=True, empty=True)

    def __init__(
        self,
        ids: ArrayLike,
        sizes: ArrayLike,
        digests: ArrayLike | None = None,
        *,
        tried: ArrayLike | None = None,
        matched: ArrayLike | None = None,
        maps: ArrayLike | None = None,
        starts: ArrayLike | None = None,
        points: ArrayLike | None = None,
    ) -> None:
        self.ids = as_ids(ids, "ids")
        n = len(self.ids)
        self.sizes = _shaped(sizes, "sizes", np.float64, (n, 2))
        self.digests = _shaped(_or(digests, (n, DIGEST)), "digests", np.uint8, (n, DIGEST))
        self.tried = _shaped(_or(tried, (0, 2)), "tried", np.int64, (None, 2))
        t = len(self.tried)
        self.matched = _shaped(_or(matched, (t,)), "matched", np.int64, (t,))
        self.maps = _shaped(_or(maps, (t, 3, 3)), "maps", np.float64, (t, 3, 3))
        self.starts = _shaped(_or(starts, (t + 1,)), "starts", np.int64, (t + 1,))
        self.points = _shaped(_or(points, (0, 4)), "points", np.float32, (None, 4))
        self._check()

    def _check(self) -> None:
        """What one array cannot tell."""
        if (self.ids[1:] <= self.ids[:-1]).any():
            raise ValueError("ids: expected each once, ascending")
        if (self.sizes <= 0).any():
            raise ValueError("sizes: expected widths and heights above 0")
        pairs, starts = self._sorted(self.tried), self.starts
        keys = self._keys(pairs)
        if (pairs != self.tried).any() or (keys[1:] <= keys[:-1]).any():
            raise ValueError("tried: expected sorted pairs, the first below the second")
        if starts[0] != 0 or starts[-1] != len(self.points) or (starts[1:] < starts[:-1]).any():
            raise ValueError(f"starts: expected numbers rising from 0 to {len(self.points)}")

    def __repr__(self) -> str:
        return f"MatchGraph({len(self)} photos, {len(self.tried)} pairs, {len(self.confirmed())} confirmed)"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def inliers(self) -> Ids:
        """Of each pair, int64 (t,): features that look alike and that one map explains; 0 where there is no map."""
        return np.diff(self.starts)

    def confirmed(self, least_inliers: int = 12) -> Ids:
        """The rows of the pairs that show the same thing, int64 (m,)."""
        return np.flatnonzero(self.inliers >= as_count(least_inliers, "least_inliers"))

    def boxes(self, rows: ArrayLike) -> NDArray[np.float64]:
        """The boxes around what a pair has in common, float64 (m, 2, 4): x0, y0, x1, y1 in the first and in the second.

        rows : int (m,), pairs with inliers. Raises ValueError for one without.
        """
        chosen = as_ids(rows, "rows")
        if len(chosen) and (chosen.max() >= len(self.tried) or not self.inliers[chosen].all()):
            raise ValueError(
                "rows: expected pairs with inliers, got one without, or that is not there"
            )
        boxes = np.empty((len(chosen), 2, 4))
        for box, row in zip(boxes, chosen.tolist()):
            points = self.points_of(row)
            low, high = points.min(axis=0), points.max(axis=0)
            box[:] = np.hstack([low.reshape(2, 2), high.reshape(2, 2)])
        return boxes

    def points_of(self, row: int) -> NDArray[np.float32]:
        """The inliers of a pair, float32 (inliers, 4): x and y in the first, x and y in the second."""
        return self.points[self.starts[row] : self.starts[row + 1]]

    def places(self, ids: ArrayLike) -> Ids:
        """The positions of photos by their ids, int64 of the same shape; -1 where there is no such photo."""
        wanted = np.asarray(ids, np.int64)
        if not len(self):
            return np.full(wanted.shape, -1)
        at = np.searchsorted(self.ids, wanted).clip(max=len(self) - 1)
        return np.where(self.ids[at] == wanted, at, -1)

    def rows_of(self, pairs: ArrayLike) -> Ids:
        """The rows of pairs of positions (m, 2), in whichever order, int64 (m,); -1 for those that were not tried."""
        keys, known = self._keys(self._sorted(pairs)), self._keys(self.tried)
        if not len(known):
            return np.full(len(keys), -1)
        at = np.searchsorted(known, keys).clip(max=len(known) - 1)
        return np.where(known[at] == keys, at, -1)

    def missing(self, wanted: ArrayLike) -> Ids:
        """Those of the wanted pairs of positions (m, 2) that were never tried: int64, each once, as ``tried`` is."""
        keys = np.unique(self._keys(self._sorted(wanted)))
        pairs = np.column_stack(np.divmod(keys, max(len(self), 1)))
        return pairs[self.rows_of(pairs) < 0]

    def joined(self, other: MatchGraph) -> MatchGraph:
        """The same photos with what is known here, and what another knows of pairs of these same photos."""
        place = self.places(other.ids)
        there = place >= 0
        changed = (other.digests[there] != self.digests[place[there]]).any(axis=1)
        place[np.flatnonzero(there)[changed]] = -1
        ends = place[other.tried]
        rows = np.flatnonzero((ends >= 0).all(axis=1))
        rows = rows[self.rows_of(ends[rows]) < 0]
        counts = other.inliers[rows]
        points = other.points[_ranges(other.starts[:-1][rows], counts)]
        return self._with(_Found(ends[rows], other.matched[rows], other.maps[rows], counts, points))

    def extended(
        self,
        wanted: ArrayLike,
        features: Callable[[int], LocalFeatures],
        described: ArrayLike,
        *,
        keep: Callable[[MatchGraph], None] | None = None,
        verbose: bool = True,
    ) -> MatchGraph:
        """The same, and those wanted pairs looked at that were not yet: by ``match`` and ``verify`` at their defaults.

        wanted : int (m, 2), pairs of positions
        features : the local features of the photo at a position, called from several threads
        described : (n, 2), width and height of the pixels that the features lie in
        keep : called with what there is now and then, at the end, and where the work is interrupted
        """
        missing = self.missing(wanted)
        frames = _shaped(described, "described", np.float64, (len(self), 2))
        grow = np.zeros((len(self), 3, 3))
        grow[:, [0, 1], [0, 1]], grow[:, 2, 2] = self.sizes / frames, 1.0
        look = _Look(missing, features, grow)
        graph, found, due = self, list[_Found](), time.monotonic() + _EVERY
        firsts = np.unique(missing[:, 0]).tolist()
        with progress((), "verify", verbose=verbose, total=len(missing)) as bar:
            try:
                for at in range(0, len(firsts), _KEPT):
                    some = in_threads(look, firsts[at : at + _KEPT])
                    found += some
                    bar.update(sum(len(one.tried) for one in some))
                    if keep is not None and time.monotonic() > due:
                        graph, found, began = graph._with(*found), [], time.monotonic()
                        keep(graph)
                        now = time.monotonic()
                        due = now + max(_EVERY, _TIMES * (now - began))
            except BaseException:
                if keep is not None and found:
                    keep(graph._with(*found))
                raise
        if found:
            graph = graph._with(*found)
            if keep is not None:
                keep(graph)
        return graph

    def _with(self, *found: _Found) -> MatchGraph:
        """The same with more pairs, none of which is there."""
        tried = np.concatenate([self.tried, *(one.tried for one in found)])
        order = np.argsort(self._keys(tried))
        counts = np.concatenate([self.inliers, *(one.counts for one in found)])
        begins = np.cumsum(counts) - counts
        points = np.concatenate([self.points, *(one.points for one in found)])
        return MatchGraph(
            self.ids,
            self.sizes,
            self.digests,
            tried=tried[order],
            matched=np.concatenate([self.matched, *(one.matched for one in found)])[order],
            maps=np.concatenate([self.maps, *(one.maps for one in found)])[order],
            starts=np.concatenate([[0], np.cumsum(counts[order])]),
            points=points[_ranges(begins[order], counts[order])],
        )

    def _keys(self, pairs: Ids) -> Ids:
        """A number for each pair of positions, ascending as pairs are sorted."""
        return pairs[:, 0] * max(len(self), 1) + pairs[:, 1]

    def _sorted(self, pairs: ArrayLike) -> Ids:
        """Pairs of two different positions (m, 2), the first below the second. Raises ValueError for others."""
        array = as_array(pairs, "pairs") if np.size(pairs) else np.empty((0, 2), np.int64)
        if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
            raise ValueError(f"pairs: expected whole numbers (m, 2), got shape {array.shape}")
        found = np.sort(array.astype(np.int64), axis=1)
        if len(found) and (found.min() < 0 or found.max() >= len(self)):
            raise ValueError(f"pairs: expected positions from 0 below {len(self)}")
        if (found[:, 0] == found[:, 1]).any():
            raise ValueError("pairs: expected two different photos in each")
        return found


class _Look:
    """Looks at all wanted pairs of one first photo."""

    def __init__(
        self, wanted: Ids, features: Callable[[int], LocalFeatures], grow: NDArray[np.float64]
    ) -> None:
        self.wanted, self.grow = wanted, grow
        self.features = lru_cache(_KEPT)(features)
        self.prepared: Callable[[int], Prepared] = lru_cache(_KEPT)(
            lambda position: prepare(self.features(position))
        )

    def __call__(self, first: int) -> _Found:
        begin, end = np.searchsorted(self.wanted[:, 0], [first, first + 1])
        tried = self.wanted[begin:end]
        seconds = tried[:, 1].tolist()
        matches = [match(self.prepared(first), self.prepared(second)) for second in seconds]
        ours, theirs = self.features(first), [self.features(second) for second in seconds]
        verified = verify_many(ours, theirs, matches)
        back = np.linalg.inv(self.grow[first])
        maps = [self.grow[second] @ one.matrix @ back for second, one in zip(seconds, verified)]
        points = [
            np.hstack([
                project(ours.positions[one.pairs[:, 0]], self.grow[first]),
                project(photo.positions[one.pairs[:, 1]], self.grow[second]),
            ]).astype(np.float32)
            for second, photo, one in zip(seconds, theirs, verified)
        ]  # fmt: skip
        matched = np.array([len(pairs) for pairs in matches], np.int64)
        counts = np.array([one.inliers for one in verified], np.int64)
        return _Found(tried, matched, np.stack(maps), counts, np.concatenate(points))


def _ranges(begins: Ids, counts: Ids) -> Ids:
    """The numbers of each range, one range after the other: ``counts[i]`` of them from ``begins[i]`` on."""
    ends = np.cumsum(counts)
    return np.repeat(begins - (ends - counts), counts) + np.arange(counts.sum())


def _or(given: ArrayLike | None, shape: tuple[int, ...]) -> ArrayLike:
    """What is given, or zeros."""
    return np.zeros(shape, np.uint8) if given is None else given


def _shaped(
    given: ArrayLike, name: str, dtype: type[Any], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """An array of that type and shape; None stands for any length."""
    array = as_array(given, name)
    fits = array.ndim == len(shape) and all(w in (None, g) for w, g in zip(shape, array.shape))
    if not fits or not np.can_cast(array.dtype, dtype, "same_kind"):
        kind = np.dtype(dtype)
        raise ValueError(f"{name}: expected {kind} {shape}, got {array.dtype} {array.shape}")
    return np.ascontiguousarray(array, dtype)
