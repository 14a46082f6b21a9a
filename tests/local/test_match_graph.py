"""What is known of pairs of photos: against a loop over pairs, and by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.errors import FileFormatError
from kinfold.base.local_features import LocalFeatures
from kinfold.local import match_graph
from kinfold.local.match import match
from kinfold.local.match_graph import MatchGraph
from kinfold.local.verify import verify

POINTS = 40


def features(photo: int) -> LocalFeatures:
    """Photos 0 to 2 show one scene, each half as large again and moved; 3 and 4 another; 5 has nothing."""
    scene, number = divmod(photo, 3)
    random = np.random.default_rng(scene)
    places = random.uniform(10, 90, (POINTS, 2)) * 1.5**number + 7 * number
    scales, angles = np.full(POINTS, 4 * 1.5**number), random.uniform(0, 6, POINTS)
    descriptors = random.integers(0, 256, (POINTS, 128), dtype=np.uint8)
    found = LocalFeatures(
        places.astype("f4"), scales.astype("f4"), angles.astype("f4"), descriptors
    )
    return found.select(slice(0, 0)) if photo == 5 else found


SIZES = np.array([[200, 300], [400, 400], [500, 300], [64, 48], [640, 480], [10, 10]], float)
FRAMES = np.array([[100, 150], [400, 400], [250, 150], [64, 48], [640, 480], [10, 10]], float)
EVERY = np.column_stack(np.triu_indices(6, 1))
IDS = [2, 3, 5, 7, 11, 13]


def empty() -> MatchGraph:
    return MatchGraph(IDS, SIZES, np.arange(120, dtype=np.uint8).reshape(6, 20))


def test_pairs_are_those_of_a_loop() -> None:
    graph = empty().extended(EVERY[::-1, ::-1], features, FRAMES, verbose=False)
    np.testing.assert_array_equal(graph.tried, EVERY)
    assert len(graph.confirmed()) == 4 and len(graph.confirmed(POINTS)) == 4
    for row, (a, b) in enumerate(EVERY.tolist()):
        matched = match(features(a), features(b))
        verified = verify(features(a), features(b), matched)
        assert (graph.matched[row], graph.inliers[row]) == (len(matched), verified.inliers)
        points = graph.points_of(row)
        grown = [features(p).positions * (SIZES[p] / FRAMES[p]) for p in (a, b)]
        both = np.hstack([grown[0][verified.pairs[:, 0]], grown[1][verified.pairs[:, 1]]])
        np.testing.assert_allclose(points, both, rtol=1e-6)
        if row in graph.confirmed():
            image = np.column_stack([points[:, :2], np.ones(len(points))]) @ graph.maps[row].T
            np.testing.assert_allclose(image[:, :2] / image[:, 2:], points[:, 2:], atol=0.1)
            np.testing.assert_array_equal(
                graph.boxes([row])[0],
                [
                    [*points[:, at].min(axis=0), *points[:, at].max(axis=0)]
                    for at in ([0, 1], [2, 3])
                ],
            )


def test_nothing_is_looked_at_twice() -> None:
    seen: list[int] = []

    def counted(photo: int) -> LocalFeatures:
        seen.append(photo)
        return features(photo)

    some = empty().extended(EVERY[:7], counted, FRAMES, verbose=False)
    seen.clear()
    assert some.extended(EVERY[:7], counted, FRAMES, verbose=False) is some and not seen
    np.testing.assert_array_equal(some.missing(EVERY), EVERY[7:])
    np.testing.assert_array_equal(some.rows_of([[1, 0], [4, 5]]), [0, -1])
    whole = some.extended(EVERY, counted, FRAMES, verbose=False)
    assert set(seen) == {1, 2, 3, 4, 5}
    equal(whole, empty().extended(EVERY, features, FRAMES, verbose=False))


def equal(a: MatchGraph, b: MatchGraph) -> None:
    theirs = b.arrays()
    for name, array in a.arrays().items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def test_what_is_known_goes_over_to_the_photos_that_stayed_as_they_are() -> None:
    known = empty().extended(EVERY, features, FRAMES, verbose=False)
    # 3 is gone, 7 has changed, 6 and 17 are new.
    digests = np.zeros((6, 20), np.uint8)
    digests[[0, 1, 3, 4]] = known.digests[[0, 2, 4, 5]]
    now = MatchGraph([2, 5, 6, 11, 13, 17], SIZES, digests)
    got = now.joined(known).joined(known)
    assert got.ids[got.tried].tolist() == [[2, 5], [2, 11], [2, 13], [5, 11], [5, 13], [11, 13]]
    for row, (a, b) in enumerate(got.ids[got.tried].tolist()):
        old = int(known.rows_of([[IDS.index(a), IDS.index(b)]])[0])
        np.testing.assert_array_equal(got.points_of(row), known.points_of(old))
        np.testing.assert_array_equal(got.maps[row], known.maps[old])
        assert got.matched[row] == known.matched[old]
    halves = [
        empty().extended(part, features, FRAMES, verbose=False)
        for part in (EVERY[::2], EVERY[1::2])
    ]
    equal(halves[0].joined(halves[1]), known)
    equal(halves[1].joined(halves[0]), known)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_work_that_is_interrupted_is_kept(
    stop: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_graph, "_KEPT", 1)
    kept: list[MatchGraph] = []

    def fails(photo: int) -> LocalFeatures:
        if photo == 4:
            raise stop
        return features(photo)

    with pytest.raises(stop):
        empty().extended(EVERY[EVERY[:, 0] > 0], fails, FRAMES, keep=kept.append, verbose=False)
    # Of photo 1 the pair with 4 cannot be told, so none; nothing was done before.
    assert kept == []
    wanted = [[0, 1], [0, 2], [1, 2], [2, 4], [3, 5]]
    with pytest.raises(stop):
        empty().extended(wanted, fails, FRAMES, keep=kept.append, verbose=False)
    assert [one.tried.tolist() for one in kept] == [[[0, 1], [0, 2], [1, 2]]]
    equal(
        kept[0].extended(wanted, features, FRAMES, verbose=False),
        empty().extended(wanted, features, FRAMES, verbose=False),
    )


def test_work_is_kept_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_graph, "_KEPT", 1)
    clock = iter(range(0, 100_000, 100))
    monkeypatch.setattr(match_graph.time, "monotonic", lambda: next(clock))
    kept: list[int] = []
    empty().extended(
        EVERY, features, FRAMES, keep=lambda graph: kept.append(len(graph.tried)), verbose=False
    )
    assert kept == sorted(kept) and len(kept) > 1 and kept[-1] == len(EVERY)


def test_saved_and_read(tmp_path: Path) -> None:
    graph = empty().extended(EVERY, features, FRAMES, verbose=False)
    kf.save(graph, tmp_path / "x.kin")
    equal(kf.load(tmp_path / "x.kin", MatchGraph), graph)
    equal(kf.load(tmp_path / "x.kin", MatchGraph, mmap=True), graph)
    assert repr(graph) == "MatchGraph(6 photos, 15 pairs, 4 confirmed)"
    nothing = MatchGraph([], np.empty((0, 2)))
    assert nothing.places([4]).tolist() == [-1] and len(nothing.missing([])) == 0
    equal(nothing.joined(graph), nothing)


def broken(name: str, change: Callable[[np.ndarray], object]) -> dict[str, np.ndarray]:
    arrays = dict(empty().extended(EVERY, features, FRAMES, verbose=False).arrays())
    arrays[name] = arrays[name].copy()
    made = change(arrays[name])
    return arrays if made is None else {**arrays, name: made}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ids", lambda a: a[::-1].copy()),
        ("ids", lambda a: np.zeros_like(a)),
        ("sizes", lambda a: a.fill(0)),
        ("sizes", lambda a: a.fill(np.nan)),
        ("tried", lambda a: a.fill(0)),
        ("tried", lambda a: a[::-1].copy()),
        ("tried", lambda a: a + 1),
        ("tried", lambda a: a - 1),
        ("tried", lambda a: a[:, ::-1].copy()),
        ("starts", lambda a: a[::-1].copy()),
        ("starts", lambda a: a + 1),
        ("starts", lambda a: np.full_like(a, -(2**63))),
        ("points", lambda a: a[1:].copy()),
        ("points", lambda a: a.fill(np.inf)),
        ("maps", lambda a: a.fill(np.nan)),
        ("maps", lambda a: a[1:].copy()),
        ("matched", lambda a: a[1:].copy()),
        ("digests", lambda a: a[:, 1:].copy()),
    ],
)
def test_what_a_file_may_not_say(name: str, change: Callable[[np.ndarray], object]) -> None:
    with pytest.raises(FileFormatError):
        MatchGraph.from_state({}, broken(name, change))


def test_bad_arguments() -> None:
    graph = empty().extended([[0, 1], [0, 5]], features, FRAMES, verbose=False)
    for call, message in [
        (lambda: graph.missing([[0, 0]]), "^pairs: expected two different photos"),
        (lambda: graph.missing([[0, 6]]), "^pairs: expected positions from 0 below 6"),
        (lambda: graph.missing([[-1, 2]]), "^pairs: expected positions from 0 below 6"),
        (lambda: graph.missing([0, 1]), r"^pairs: expected whole numbers \(m, 2\)"),
        (lambda: graph.missing([[0.5, 1]]), r"^pairs: expected whole numbers \(m, 2\)"),
        (lambda: graph.boxes([1]), "^rows: expected pairs with inliers"),
        (lambda: graph.boxes([2]), "^rows: expected pairs with inliers"),
        (lambda: graph.confirmed(0), "^least_inliers: expected"),
        (lambda: MatchGraph([3, 2], SIZES[:2]), "^ids: expected each once"),
        (
            lambda: MatchGraph([2, 3], SIZES),
            r"^sizes: expected float64 \(2, 2\), got float64 \(6, 2\)",
        ),
        (lambda: MatchGraph([2], [[1, 1]], [[0.5] * 20]), r"^digests: expected uint8"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_hundred_thousands_of_pairs_are_joined_without_a_loop() -> None:
    n, random = 2000, np.random.default_rng(0)
    tried = np.unique(np.sort(random.integers(0, n, (400_000, 2)), axis=1), axis=0)
    tried = tried[tried[:, 0] < tried[:, 1]]
    counts = random.integers(0, 4, len(tried))
    starts = np.concatenate([[0], np.cumsum(counts)])
    # Every point says which pair it is of.
    points = np.repeat(np.arange(len(tried)), counts)[:, None] * np.ones(4)
    began = time.perf_counter()
    graph = MatchGraph(np.arange(n), np.ones((n, 2)), tried=tried, starts=starts, points=points)
    assert len(graph.missing(tried)) == 0
    assert (graph.rows_of(tried[:, ::-1]) == np.arange(len(tried))).all()
    half = MatchGraph(np.arange(0, n, 2), np.ones((n // 2, 2))).joined(graph)
    kept = np.flatnonzero((tried % 2 == 0).all(axis=1))
    np.testing.assert_array_equal(half.ids[half.tried], tried[kept])
    np.testing.assert_array_equal(half.points[:, 0], np.repeat(kept, counts[kept]))
    print(f"{len(tried)} pairs: {time.perf_counter() - began:.3f} s")
