"""Exact search against brute force in float64, over filters, levels, threads, metrics and bad input."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.base.neighbours import exact_neighbours

METRICS = ("l2", "ip", "cosine")
SCANS = ("auto", "u8", "f32", "none")


def similarity_order(queries: np.ndarray, base: np.ndarray, metric: str) -> np.ndarray:
    """All distances in float64, smaller is nearer."""
    q, x = queries.astype(np.float64), base.astype(np.float64)
    if metric == "cosine":
        q = q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-300)
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
    if metric == "l2":
        return ((q[:, None, :] - x[None, :, :]) ** 2).sum(axis=2)
    return -(q @ x.T)


def data(kind: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "bytes":
        return rng.integers(0, 256, (n, d)).astype(np.float32)
    if kind == "shifted":
        return (rng.standard_normal((n, d)) + 100).astype(np.float32)
    if kind == "heavy tails":
        return rng.standard_t(1.2, (n, d)).astype(np.float32)
    if kind == "tiny numbers":
        return (rng.standard_normal((n, d)) * 1e-20).astype(np.float32)
    if kind == "huge numbers":
        return (rng.standard_normal((n, d)) * 1e17).astype(np.float32)
    if kind == "one direction":
        return (np.outer(rng.random(n), np.ones(d)) + 1e-4 * rng.standard_normal((n, d))).astype(
            np.float32
        )
    return rng.standard_normal((n, d)).astype(np.float32)


KINDS = (
    "gaussian",
    "bytes",
    "shifted",
    "heavy tails",
    "tiny numbers",
    "huge numbers",
    "one direction",
)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_brute_force(kind: str, metric: str, rng: np.random.Generator) -> None:
    for d in (1, 2, 17, 64, 100):
        base, queries = data(kind, 700, d, rng), data(kind, 20, d, rng)
        index = kf.FlatIndex(d, metric=metric)
        index.add(base)
        truth = similarity_order(queries, base, metric)
        distances, ids = index.search(queries, 7)
        got = np.take_along_axis(truth, ids, axis=1)
        best = np.sort(truth, axis=1)[:, :7]
        scale = np.abs(truth).max(axis=1, keepdims=True)
        # What was returned is as near as the true neighbours, up to float32 rounding.
        np.testing.assert_array_less(got, best + 1e-5 * scale + 1e-37)
        signed = distances if metric == "l2" else -distances
        np.testing.assert_allclose(signed, got, rtol=2e-5, atol=float(scale.max()) * 1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_whatever_the_filter_level_batch_and_threads(
    kind: str, metric: str, rng: np.random.Generator
) -> None:
    d = 40
    base, queries = data(kind, 3000, d, rng), data(kind, 37, d, rng)
    index = kf.FlatIndex(d, metric=metric)
    index.add(base)
    levels = _core.levels()[1:] or _core.levels()
    before = _core.level()
    try:
        reference = None
        for level in levels:
            _core.set_level(level)
            for scan in SCANS:
                for threads in (1, 2, 5):
                    for nq in (1, 4, 16, 37):
                        got = index.search(queries[:nq], 9, scan=scan, threads=threads)
                        if reference is None:
                            reference = index.search(queries, 9, scan="none", threads=1)
                        np.testing.assert_array_equal(got.ids, reference.ids[:nq])
                        np.testing.assert_array_equal(got.distances, reference.distances[:nq])
    finally:
        _core.set_level(before)


def test_large_enough_to_split_the_base_among_threads(rng: np.random.Generator) -> None:
    base = rng.integers(0, 8, (40_000, 12)).astype(np.float32)  # whole numbers: ties abound
    queries = rng.integers(0, 8, (3, 12)).astype(np.float32)
    index = kf.FlatIndex(12)
    index.add(base)
    truth = similarity_order(queries, base, "l2")
    order = np.lexsort((np.broadcast_to(np.arange(len(base)), truth.shape), truth), axis=1)[:, :50]
    for scan in SCANS:
        for threads in (1, 2, 7):
            np.testing.assert_array_equal(
                index.search(queries, 50, scan=scan, threads=threads).ids, order
            )


def test_ties_go_to_the_smaller_id_not_to_the_row(rng: np.random.Generator) -> None:
    index = kf.FlatIndex(3)
    index.add(np.ones((100, 3)), ids=np.arange(100)[::-1])
    assert index.search(np.ones(3), 5).ids.tolist() == [0, 1, 2, 3, 4]


def test_fewer_than_k_and_empty() -> None:
    for metric, fill in (("l2", np.inf), ("ip", -np.inf)):
        index = kf.FlatIndex(4, metric=metric)
        distances, ids = index.search(np.ones((2, 4)), 3)
        assert (ids == -1).all() and (distances == fill).all()
        index.add(np.ones((2, 4)))
        distances, ids = index.search(np.ones((2, 4)), 5)
        assert ids.tolist() == [[0, 1, -1, -1, -1]] * 2
        assert (distances[:, 2:] == fill).all()
        assert index.search(np.empty((0, 4)), 3).ids.shape == (0, 3)


def test_one_vector_in_one_list_out(rng: np.random.Generator) -> None:
    index = kf.FlatIndex(5)
    index.add(rng.standard_normal((30, 5)))
    one, many = index.search(np.zeros(5), 4), index.search(np.zeros((1, 5)), 4)
    assert one.ids.shape == (4,) and (one.ids == many.ids[0]).all()
    distances, ids = many
    assert distances.dtype == np.float32 and ids.dtype == np.int64


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scan", SCANS)
def test_filter_and_range(metric: str, scan: str, rng: np.random.Generator) -> None:
    base, queries = rng.standard_normal((500, 6)), rng.standard_normal((9, 6))
    index = kf.FlatIndex(6, metric=metric)
    index.add(base, ids=np.arange(500) * 3)
    allowed = rng.choice(500, 40, replace=False) * 3
    mask = np.isin(index.ids, allowed)
    by_ids, by_mask = (index.search(queries, 60, filter=f, scan=scan) for f in (allowed, mask))
    np.testing.assert_array_equal(by_ids.ids, by_mask.ids)
    assert set(by_ids.ids[:, :40].ravel()) == set(allowed) and (by_ids.ids[:, 40:] == -1).all()
    everything = index.search(queries, 500)
    radius = float(everything.distances[0, 20])
    if metric == "l2":
        starts, distances, ids = index.range_search(queries, radius, scan=scan)
        inside = everything.distances <= radius
    else:
        starts, distances, ids = index.range_search(queries, radius, scan=scan)
        inside = everything.distances >= radius
    assert np.diff(starts).tolist() == inside.sum(axis=1).tolist()
    np.testing.assert_array_equal(ids, everything.ids[inside])
    np.testing.assert_array_equal(distances, everything.distances[inside])
    assert len(index.range_search(queries[0], radius, filter=[]).ids) == 0


def test_add_remove_update(rng: np.random.Generator) -> None:
    index = kf.FlatIndex(8)
    first = index.add(rng.standard_normal((5, 8)))
    assert first.tolist() == [0, 1, 2, 3, 4]
    assert index.remove([1, 3, 99]) == 2
    assert index.add(rng.standard_normal((1, 8))).tolist() == [5]
    fresh = rng.standard_normal((2, 8)).astype(np.float32)
    index.update([5, 0], fresh)
    np.testing.assert_array_equal(index.reconstruct([0, 5]), fresh[::-1])
    assert index.search(fresh[0], 1).ids.tolist() == [5]
    with pytest.raises(ValueError, match="^ids: 1 is not in the index"):
        index.update([1], fresh[:1])
    with pytest.raises(ValueError, match="^ids: 2 is in the index already"):
        index.add(fresh, ids=[7, 2])
    with pytest.raises(ValueError, match="^ids: expected each id once"):
        index.add(fresh, ids=[7, 7])


def test_adding_never_writes_into_what_the_user_gave(rng: np.random.Generator) -> None:
    buffer = rng.standard_normal((10, 4)).astype(np.float32)
    kept = buffer.copy()
    source = kf.FlatIndex(4)
    source.add(buffer[:5])
    index = kf.FlatIndex.from_state(source.params(), {**source.arrays(), "vectors": buffer[:5]})
    index.add(np.zeros((3, 4)))
    np.testing.assert_array_equal(buffer, kept)


def test_search_while_adding_sees_the_old_or_the_new(rng: np.random.Generator) -> None:
    index = kf.FlatIndex(16)
    index.add(rng.standard_normal((2000, 16)))
    seen: list[int] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            ids = index.search(np.zeros((4, 16)), 5000).ids
            sizes = {int((row >= 0).sum()) for row in ids}
            assert len(sizes) == 1
            seen.append(sizes.pop())

    thread = threading.Thread(target=search)
    thread.start()
    for _ in range(20):
        index.add(rng.standard_normal((100, 16)))
    stop.set()
    thread.join()
    assert seen and all((size - 2000) % 100 == 0 for size in seen) and seen == sorted(seen)


def test_clustered_zero_and_equal_vectors(rng: np.random.Generator) -> None:
    index = kf.FlatIndex(7, metric="cosine")
    index.add(np.zeros((50, 7)))
    index.add(np.full((50, 7), 3.0))
    distances, ids = index.search(np.stack([np.zeros(7), np.ones(7)]), 2)
    assert ids.tolist() == [[0, 1], [50, 51]]
    np.testing.assert_allclose(distances, [[0, 0], [1, 1]], atol=1e-6)


BAD = [
    (lambda i: i.search(np.zeros((2, 5))), "queries: expected vectors of dimension 4"),
    (lambda i: i.search(np.zeros((2, 3, 4))), "queries: expected vectors of dimension 4"),
    (lambda i: i.search(np.full(4, np.nan)), "queries: expected finite"),
    (lambda i: i.search(["a"] * 4), "queries: expected"),
    (lambda i: i.search(np.zeros(4), 0), "k: expected a whole number"),
    (lambda i: i.search(np.zeros(4), -1), "k: expected a whole number"),
    (lambda i: i.search(np.zeros(4), 2.5), "k: expected a whole number"),
    (lambda i: i.search(np.zeros(4), threads=-1), "threads: expected"),
    (lambda i: i.search(np.zeros(4), scan="fast"), "scan: expected one of"),
    (lambda i: i.search(np.zeros(4), filter=np.ones(3, bool)), "filter: expected a mask"),
    (lambda i: i.search(np.zeros(4), filter=[-1]), "filter: expected ids"),
    (lambda i: i.add(np.zeros((1, 4)), ids=[-3]), "ids: expected ids from 0"),
    (lambda i: i.add(np.zeros((1, 4)), ids=[1.5]), "ids: expected whole numbers"),
    (lambda i: i.add(np.zeros((1, 4)), ids=[1, 2]), "ids: expected 1 ids"),
    (lambda i: i.add(np.full((1, 4), np.inf)), "x: expected finite"),
    (lambda i: i.range_search(np.zeros(4), -1.0), "radius: expected"),
    (lambda i: i.range_search(np.zeros(4), np.nan), "radius: expected"),
    (lambda i: i.reconstruct([9]), "ids: 9 is not in the index"),
    (lambda i: kf.FlatIndex(0), "dim: expected a whole number"),
    (lambda i: kf.FlatIndex(4, metric="l1"), "metric: expected one of"),
    (lambda i: kf.index_factory("Flatt", 4), "spec: expected a description"),
]


@pytest.mark.parametrize(("call", "words"), BAD)
def test_bad_input_raises_one_clear_error(call, words: str) -> None:
    index = kf.FlatIndex(4)
    index.add(np.eye(4))
    with pytest.raises(ValueError, match="^" + words):
        call(index)
    assert index.search(np.eye(4), 1).ids.ravel().tolist() == [0, 1, 2, 3]


def test_no_shadow_answers_the_same(rng: np.random.Generator) -> None:
    base, queries = rng.standard_normal((300, 20)), rng.standard_normal((10, 20))
    a, b = kf.FlatIndex(20), kf.FlatIndex(20, shadow=False)
    a.add(base), b.add(base)
    np.testing.assert_array_equal(a.search(queries, 5).ids, b.search(queries, 5).ids)
    assert b.stats()["filter_bytes"] < a.stats()["filter_bytes"]
    with pytest.raises(ValueError, match="^scan: "):
        b.search(queries, scan="u8")


def test_factory_and_one_off_search(rng: np.random.Generator) -> None:
    base, queries = rng.standard_normal((80, 9)), rng.standard_normal((40, 9))
    index = kf.index_factory("Flat", 9, metric="ip")
    index.add(base)
    expected = index.search(queries, 4)
    for part in (slice(0, 40), slice(0, 3)):
        got = exact_neighbours(queries[part], base, 4, metric="ip")
        np.testing.assert_array_equal(got.ids, expected.ids[part])
        np.testing.assert_array_equal(got.distances, expected.distances[part])


def test_agrees_with_faiss(rng: np.random.Generator) -> None:
    faiss = pytest.importorskip("faiss")
    base, queries = (rng.standard_normal((n, 48)).astype(np.float32) for n in (5000, 60))
    for metric, peer in (("l2", faiss.IndexFlatL2(48)), ("ip", faiss.IndexFlatIP(48))):
        index = kf.FlatIndex(48, metric=metric)
        index.add(base)
        peer.add(base)
        distances, ids = index.search(queries, 10)
        expected_distances, expected_ids = peer.search(queries, 10)
        assert (ids == expected_ids).mean() > 0.999
        np.testing.assert_allclose(distances, expected_distances, rtol=1e-4, atol=1e-4)


def low_rank(
    n: int, d: int, rank: int, rng: np.random.Generator, noise: float = 0.05
) -> np.ndarray:
    """Points near a linear space of few dimensions, not centred, in a shuffled basis."""
    axes = np.linalg.qr(rng.standard_normal((d, rank)))[0].T
    x = rng.standard_normal((n, rank)) * np.linspace(3, 0.5, rank) @ axes + rng.standard_normal(d)
    return (x + noise * rng.standard_normal((n, d))).astype(np.float32)


def along_few(kind: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "duplicates":
        return np.repeat(low_rank(n // 10, d, 6, rng), 10, axis=0)
    if kind == "zeros":
        x = low_rank(n, d, 6, rng)
        x[rng.random(n) < 0.3] = 0
        return x
    if kind == "whole numbers":
        return np.rint(np.clip(low_rank(n, d, 6, rng) * 20 + 90, 0, 255)).astype(np.float32)
    if kind == "within the directions":
        return low_rank(n, d, 6, rng, noise=0)
    if kind == "equal norms":
        x = low_rank(n, d, 6, rng)
        return x / np.linalg.norm(x, axis=1, keepdims=True)
    if kind == "tiny":
        return low_rank(n, d, 6, rng) * np.float32(1e-8)
    if kind == "large":
        return low_rank(n, d, 6, rng) * np.float32(1e14)
    return low_rank(n, d, 6, rng)


ALONG = (
    "plain",
    "duplicates",
    "zeros",
    "whole numbers",
    "within the directions",
    "equal norms",
    "tiny",
    "large",
)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ALONG)
def test_looking_along_a_few_directions_first_changes_no_bit(
    level: str, kind: str, metric: str, rng: np.random.Generator
) -> None:
    n = 3000
    for d in (64, 150):
        x = along_few(kind, n + 40, d, rng)
        base, queries = x[:n], x[n:].copy()
        queries[:5] = base[:5]
        index = kf.FlatIndex(d, metric=metric)
        index.add(base)
        looked = index._held.parts[0].scan.has_head
        assert looked or metric == "ip" or kind in ("zeros", "duplicates")
        for some in (queries, queries[:1]):
            wanted = index.search(some, 9, scan="none")
            for scan in ("auto", "head") if looked else ("auto",):
                found = index.search(some, 9, scan=scan)
                np.testing.assert_array_equal(found[0], wanted[0])
                np.testing.assert_array_equal(found[1], wanted[1])
        if looked:
            radius = float(np.median(wanted[0][:, -1]))
            for one, other in zip(
                index.range_search(queries, radius, scan="head"),
                index.range_search(queries, radius, scan="none"),
            ):
                np.testing.assert_array_equal(one, other)
        elif kind == "plain":
            with pytest.raises(ValueError, match="few directions"):
                index.search(queries, 9, scan="head")


def test_directions_are_found_as_an_index_grows_and_only_where_they_say_something(
    rng: np.random.Generator,
) -> None:
    d = 96
    base, queries = np.split(low_rank(20_030, d, 5, rng), [20_000])
    index = kf.FlatIndex(d)
    for start in range(0, 600, 100):
        index.add(base[start : start + 100])
    assert not index._held.parts[0].scan.has_head
    for start, end in ((600, 1100), (1100, 1101), (1101, 9000), (9000, 20_000)):
        index.add(base[start:end])
        assert index._held.parts[0].scan.has_head
        for found, wanted in zip(
            index.search(queries, 5, scan="head"), index.search(queries, 5, scan="none")
        ):
            np.testing.assert_array_equal(found, wanted)
    index.update(np.arange(50), queries[np.arange(50) % 30])
    index.remove(np.arange(100, 12_000))
    for found, wanted in zip(
        index.search(queries, 5, scan="auto"), index.search(queries, 5, scan="none")
    ):
        np.testing.assert_array_equal(found, wanted)
    noise = kf.FlatIndex(d)
    noise.add(rng.standard_normal((3000, d)))
    assert not noise._held.parts[0].scan.has_head


def test_few_pairs_pass_the_directions(rng: np.random.Generator) -> None:
    """Counts, not times: of a million pairs, few reach the canonical distance. Threads share bounds when they happen to
    find them: with one, counts are always the same."""
    d, n = 128, 20_000
    base, queries = np.split(low_rank(n + 64, d, 8, rng, 0.2), [n])
    index = kf.FlatIndex(d)
    index.add(base)
    before = index.stats()["scanned"]
    index.search(queries, 10, scan="head", threads=1)
    seen = {name: value - before[name] for name, value in index.stats()["scanned"].items()}
    assert seen["along directions"] > n * 64 / 2
    assert seen["distances"] < 0.08 * n * 64


def test_a_forecast_says_whether_many_queries_look_along_directions(
    level: str, rng: np.random.Generator
) -> None:
    """Where clusters lie far apart a batch does at every level, few queries wherever there is a head; what passes is
    little; every pair is looked at by one rung, and answers are those of every other way."""
    n, d, queries = 20_000, 256, 40
    centres = 4 * rng.standard_normal((256, d))
    rows = (
        centres[rng.integers(256, size=n + queries)] + rng.standard_normal((n + queries, d))
    ).astype(np.float32)
    apart, noise = kf.FlatIndex(d), kf.FlatIndex(d)
    apart.add(rows[:n])
    noise.add(rng.standard_normal((n, d)))
    for index, asked, along in ((apart, rows[n:], True), (noise, rows[n:] / 4, False)):
        before = index.stats()["scanned"]
        found = index.search(asked, 5, threads=1)
        seen = {name: value - before[name] for name, value in index.stats()["scanned"].items()}
        assert (seen["along directions"] > 0.5 * n * queries) == along
        assert (seen["along directions"] == 0) != along
        assert seen["along directions"] + seen["bytes"] + seen["floats"] == n * queries
        assert not along or seen["distances"] < 0.04 * n * queries
        np.testing.assert_array_equal(found.ids, index.search(asked, 5, scan="none").ids)
