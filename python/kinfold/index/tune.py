"""Search-time settings: how fast an index answers at which recall, and the fastest that finds enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_choice, as_count, as_number, as_vectors
from kinfold.base.errors import RecallError
from kinfold.base.neighbours import exact_neighbours
from kinfold.base.offered import call_by_name
from kinfold.base.progress import progress
from kinfold.evaluate.recall import intersection_recall, nearest_recall
from kinfold.index.base import Index, unit_rows

MEASURES = ("k@k", "1@1", "1@k")
# A gain of recall that is none. An effort that was raised this many times without one is not raised further,
_GAIN = 5e-4
_PATIENCE = 4
# nor one that takes this many times as long as another setting that finds enough.
_FAR = 8
# Settings within this factor of the fastest are timed again: one timing is too noisy to choose by.
_NEAR = 1.3
# Vectors that are taken out of an index at once, to compute the truth.
_BLOCK = 1 << 17


@dataclass(frozen=True)
class Point:
    """One setting, measured.

    options : the keyword arguments of ``index.search``
    recall : in [0, 1]
    seconds : of a query, on average
    """

    options: dict[str, Any]
    recall: float
    seconds: float

    @property
    def qps(self) -> float:
        """Queries a second."""
        return 1.0 / self.seconds if self.seconds > 0 else float("inf")


@dataclass(frozen=True)
class Setting(Point):
    """The setting that was chosen; ``index.search(queries, k, **setting.options)`` uses it.

    measure, k : which recall it is
    curve : the points that no other beats at the same recall, by ascending recall
    """

    measure: str = "k@k"
    k: int = 10
    curve: tuple[Point, ...] = field(default=(), repr=False)


def tune(
    index: Index,
    queries: Any,
    truth: Any = None,
    k: int = 10,
    *,
    recall: float = 0.9,
    measure: str = "k@k",
    space: Mapping[str, Sequence[Any]] | None = None,
    batch: int | None = None,
    rounds: int = 3,
    longest: float = 10.0,
    threads: int = 0,
    verbose: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Setting:
    """The fastest search-time setting that reaches a recall on some queries.

    queries : (q, d), like those that will be asked, and not among the stored vectors
    truth : int (q, m), the ids of the true neighbours, nearest first, m >= k (for "1@1" and "1@k" one will
        do); None computes them, where the index holds the vectors themselves
    k : neighbours that are asked for
    recall : the least that is wanted, in (0, 1]
    measure : "k@k" is ``intersection_recall``: the share of the true k that is found. "1@1" and "1@k" are
        ``nearest_recall``: whether the true nearest comes first, or is among the k
    space : values to try by name of the option, ascending; ``search_space(index, k)`` if not given
    batch : queries of a call; None for all, 1 for one at a time: the settings that win differ
    rounds : times that a setting worth choosing is timed; the best counts
    longest : seconds of all queries at which more effort is not tried
    threads : 0 for the library's setting
    clock : what tells the time, in seconds

    Raises RecallError, a ValueError, where no setting reaches the recall; its ``best`` is the Setting that
    comes nearest. The times are those of this machine with what else it is doing; the recall is exact.
    """
    search = _Search(index, queries, truth, k, measure, batch, threads, clock)
    wanted = as_number(recall, "recall", least=0.0, most=1.0)
    rounds = as_count(rounds, "rounds")
    longest = as_number(longest, "longest", least=0.0)
    axes = _checked(search_space(index, search.k) if space is None else space)
    with progress(iter(()), "tune", verbose=verbose) as bar:
        search.bar = bar
        search.ask({})  # the first search of all pays for pages and threads
        search.points.clear()
        search.sweep(axes, wanted, longest)
        if axes and not any(point.recall >= wanted for point in search.points):
            # A sweep ends where more effort seemed to gain nothing: make sure before giving up.
            search.ask({name: values[-1] for name, values in axes})
        search.narrow(axes, wanted)
        for _ in range(rounds - 1):
            for point in search.worth_timing(wanted):
                search.ask(point.options)
    return search.chosen(wanted)


def search_space(index: Index, k: int = 10) -> dict[str, tuple[float, ...]]:
    """The search-time options of an index, each with values to try, ascending; nothing for exhaustive search."""
    return index.search_space(k)


def exact_truth(index: Index, queries: Any, k: int = 10) -> Ids:
    """The ids of the k nearest of all stored vectors, int64 (q, k), by brute force; ties to the smaller id.

    Raises ValueError for an index that keeps only codes of its vectors, or fewer than k of them.
    """
    if not index.keeps_vectors:
        raise ValueError(
            "truth: expected the true neighbours' ids (q, k): this index keeps codes of its vectors, "
            "not the vectors, so they cannot be computed from it; kinfold.FlatIndex over the vectors can"
        )
    ids = np.sort(index.ids)
    k = as_count(k, "k")
    if len(ids) < k:
        raise ValueError(f"k: expected at most the {len(ids)} vectors of the index, got {k}")
    vectors = as_vectors(queries, "queries", dim=index.dim)
    vectors = unit_rows(vectors) if index.metric == "cosine" else vectors
    sign, metric = (1, "l2") if index.metric == "l2" else (-1, "ip")
    best = np.empty((len(vectors), 0), np.float32)
    found = np.empty((len(vectors), 0), np.int64)
    for start in range(0, len(ids), _BLOCK):
        block = ids[start : start + _BLOCK]
        near = exact_neighbours(
            vectors, index.reconstruct(block), min(k, len(block)), metric=metric
        )
        best = np.concatenate([best, sign * near.distances], axis=1)
        found = np.concatenate([found, block[near.ids]], axis=1)
        # Stable, and blocks come by ascending id: so do ties.
        order = np.argsort(best, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(best, order, axis=1)
        found = np.take_along_axis(found, order, axis=1)
    return found


def frontier(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other beats: by ascending recall, each slower than those before it."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.recall, p.seconds)):
        if not kept or point.seconds < kept[-1].seconds:
            kept.append(point)
    return tuple(reversed(kept))


class _Search:
    """The queries, their truth, and what has been measured."""

    def __init__(
        self,
        index: Index,
        queries: Any,
        truth: Any,
        k: int,
        measure: str,
        batch: int | None,
        threads: int,
        clock: Callable[[], float],
    ) -> None:
        self.index, self.threads, self.clock = index, threads, clock
        self.k = as_count(k, "k", most=1 << 24)
        self.measure = as_choice(measure, "measure", MEASURES)
        self.queries: Vectors = as_vectors(queries, "queries", dim=index.dim)
        self.batch = len(self.queries) if batch is None else as_count(batch, "batch")
        needed = self.k if measure == "k@k" else 1
        if truth is None:
            truth = exact_truth(index, self.queries, needed)
        self.truth = as_array(truth, "truth")
        columns = self.truth.shape[1] if self.truth.ndim == 2 else 1
        if columns < needed:
            raise ValueError(f"truth: expected at least k = {needed} neighbours, got {columns}")
        if not np.isin(self.truth, index.ids).any():
            raise ValueError("truth: expected ids of the index, got none that it has")
        self.points = _Points()
        self.bar: Any = None

    def ask(self, options: dict[str, Any]) -> Point:
        """Search, and remember recall and the least time."""
        found, took = [], 0.0
        for start in range(0, len(self.queries), self.batch):
            part = self.queries[start : start + self.batch]
            before = self.clock()
            answer = self.index.search(part, self.k, threads=self.threads, **options)
            took += self.clock() - before
            found.append(answer.ids)
        if self.bar is not None:
            self.bar.update(1)
        ids = np.concatenate(found)
        if self.measure == "k@k":
            recall = intersection_recall(ids, self.truth, self.k)
        else:
            recall = nearest_recall(ids, self.truth, 1 if self.measure == "1@1" else self.k)
        return self.points.add(Point(options, recall, took / len(self.queries)))

    def sweep(
        self, axes: list[tuple[str, list[Any]]], wanted: float, longest: float, **fixed: Any
    ) -> list[Point]:
        """Every combination, the last option first; each effort until it gains nothing or takes too long."""
        if not axes:
            return [self.ask(fixed)]
        (name, values), inner = axes[0], axes[1:]
        done: list[Point] = []
        best, gained = -1.0, values[0]
        for value in values:
            points = self.sweep(inner, wanted, longest, **fixed, **{name: value})
            done += points
            recall = max(point.recall for point in points)
            if recall > best + _GAIN:
                best, gained = recall, value
            enough = (p.seconds for p in self.points if p.recall >= wanted)
            most = min(longest / len(self.queries), _FAR * min(enough, default=np.inf))
            slow = min(point.seconds for point in points) > most
            if slow or value >= _PATIENCE * gained or best > 1 - _GAIN:
                break
        return done

    def narrow(self, axes: list[tuple[str, list[Any]]], wanted: float) -> None:
        """Between the last value that fails and the first that will do, halve to about a sixteenth."""
        enough = [point for point in self.points if point.recall >= wanted]
        if not axes or not enough:
            return
        name = axes[0][0]
        fastest = min(enough, key=lambda p: p.seconds).options
        high = fastest[name]
        rest = {key: value for key, value in fastest.items() if key != name}
        failed = [p.options for p in self.points if p.recall < wanted and p.options[name] < high]
        alike = [o for o in failed if all(o[key] == value for key, value in rest.items())]
        low = max((options[name] for options in alike or failed), default=None)
        if not all(isinstance(value, (int, np.integer)) for value in (low, high)):
            return
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            if self.ask({name: middle, **rest}).recall >= wanted:
                high = middle
            else:
                low = middle

    def worth_timing(self, wanted: float) -> list[Point]:
        """The curve, and what is nearly as fast as the fastest that will do."""
        enough = [point for point in self.points if point.recall >= wanted]
        least = min((point.seconds for point in enough), default=0.0)
        near = [point for point in enough if point.seconds <= _NEAR * least]
        return [*near, *(point for point in frontier(list(self.points)) if point not in near)]

    def chosen(self, wanted: float) -> Setting:
        """The fastest that reaches the recall, or RecallError."""
        curve = frontier(list(self.points))
        enough = [point for point in curve if point.recall >= wanted]
        pick = min(enough, key=lambda p: p.seconds) if enough else curve[-1]
        setting = Setting(pick.options, pick.recall, pick.seconds, self.measure, self.k, curve)
        if not enough:
            raise RecallError(
                f"recall: expected at most {pick.recall:.4f} ({self.measure}), the best of "
                f"{len(self.points)} settings, with {pick.options or 'nothing to set'}; got {wanted:g}",
                setting,
            )
        return setting


class _Points:
    """Points by their options; of one that is measured again the least time stays."""

    def __init__(self) -> None:
        self._of: dict[tuple[tuple[str, Any], ...], Point] = {}

    def __iter__(self) -> Iterator[Point]:
        return iter(self._of.values())

    def __len__(self) -> int:
        return len(self._of)

    def add(self, point: Point) -> Point:
        """Remember; returns the point."""
        key = tuple(sorted(point.options.items()))
        known = self._of.get(key)
        if known is None or point.seconds < known.seconds:
            self._of[key] = point
        return point

    def clear(self) -> None:
        """Forget all."""
        self._of.clear()


def _checked(space: Mapping[str, Sequence[Any]]) -> list[tuple[str, list[Any]]]:
    """Options with their values, ascending."""
    axes = [(str(name), list(values)) for name, values in space.items()]
    for name, values in axes:
        numbers = all(isinstance(v, (int, float, np.integer, np.floating)) for v in values)
        if not values or not numbers or values != sorted(values):
            raise ValueError(f"space: expected numbers for {name!r}, ascending, got {values}")
    return axes


call_by_name(__name__)
