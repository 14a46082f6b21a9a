from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.index.regional import RegionalIndex, cross_match
from kinfold.transform.normalize import l2_normalize


def items(rng: np.random.Generator, n: int = 40, d: int = 8) -> list[np.ndarray]:
    return [l2_normalize(rng.standard_normal((rng.integers(1, 6), d))) for _ in range(n)]


def holding(d: int, *parts: list[np.ndarray]) -> RegionalIndex:
    index = RegionalIndex(d)
    for part in parts:
        index.add(part)
    return index


def by_loops(query: np.ndarray, item: np.ndarray, match: str) -> float:
    best = [max(float(q @ r) for r in item) for q in query]
    return float(np.mean(best) if match == "mean" else np.max(best))


@pytest.mark.parametrize("match", ["mean", "best"])
def test_against_loops(match, rng) -> None:
    base, query = items(rng), items(rng)[0]
    index = holding(8, base[:10], base[10:])
    expected = [by_loops(query, item, match) for item in base]
    assert np.allclose(index.scores(query, match=match), expected, atol=1e-6)
    one_off = cross_match(query, index.vectors, index.starts, match=match)
    assert np.allclose(one_off, expected, atol=1e-6)
    similarities, found = index.search(query, 5, match=match)
    assert (found == np.argsort(-np.array(expected), kind="stable")[:5]).all()
    assert np.allclose(similarities, np.sort(expected)[::-1][:5], atol=1e-6)


def canonical(query: np.ndarray, index: RegionalIndex, match: str) -> np.ndarray:
    """Every pair by the canonical product, one after the other."""
    product = kf._core.kernels.inner_product
    scores = []
    for first, last in zip(index.starts, index.starts[1:]):
        total, most = 0.0, -np.inf
        for q in query:
            best = max(product(q, x) for x in index.vectors[first:last])
            total, most = total + best, max(most, best)
        scores.append(total / len(query) if match == "mean" else most)
    return np.array(scores, np.float32)


@pytest.mark.parametrize(
    "d, regions, scale", [(3, 1, 1.0), (64, 40, 1.0), (130, 21, 300.0), (128, 70, 1e-4)]
)
def test_every_filter_level_and_number_of_threads_gives_the_canonical_bits(
    d, regions, scale, rng
) -> None:
    """Clusters, so that many regions are nearly as good as the best; sizes beside the blocks of 32."""
    centres = l2_normalize(rng.standard_normal((6, d))) * scale

    def draw(count: int) -> np.ndarray:
        x = centres[rng.integers(6, size=count)] + 0.02 * scale * rng.standard_normal((count, d))
        return np.ascontiguousarray(x, np.float32)

    index = RegionalIndex(d)
    for _ in range(3):
        index.add([draw(rng.integers(1, regions + 1)) for _ in range(70)])
    index.add([index.vectors[index.starts[5] : index.starts[6]], draw(1500)])  # a tie; a large one
    query = draw(45)
    before = kf._core.level()
    try:
        for level in kf._core.levels():
            kf._core.set_level(level)
            for match in ("mean", "best"):
                expected = canonical(query, index, match)
                order = np.argsort(-expected, kind="stable")
                unfiltered = cross_match(query, index.vectors, index.starts, match=match)
                assert (unfiltered == expected).all()
                for threads in (1, 2):
                    scores = index.scores(query, match=match, threads=threads)
                    assert (scores == expected).all()
                    for k in (1, 9, 150, 300):
                        values, found = index.search(query, k, match=match, threads=threads)
                        most = min(k, len(index))
                        assert (found[:most] == order[:most]).all() and (found[most:] == -1).all()
                        assert (values[:most] == expected[order[:most]]).all()
    finally:
        kf._core.set_level(before)


def test_numbers_beyond_the_filters_range(rng) -> None:
    base = [x.astype(np.float32) * np.float32(1e17) for x in items(rng)]
    index = holding(8, base, [np.zeros((2, 8))])
    for query in (base[3], base[3] * np.float32(1e-36), np.zeros((2, 8), np.float32)):
        expected = canonical(query, index, "mean")
        assert (index.scores(query) == expected).all()
        assert (index.search(query, 4)[1] == np.argsort(-expected, kind="stable")[:4]).all()


def test_readers_beside_a_writer(rng) -> None:
    """Every answer is that of a state that was."""
    from threading import Thread

    parts, query = [items(rng, 5) for _ in range(40)], items(rng)[0]
    index, wrong = RegionalIndex(8), []
    stages = [holding(8, *parts[:i]) for i in range(41)]
    expected = {tuple(stage.scores(query)) for stage in stages}

    def read() -> None:
        while len(index) < 200:
            if tuple(index.scores(query)) not in expected:
                wrong.append(len(index))

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for part in parts:
        index.add(part)
    for reader in readers:
        reader.join()
    assert not wrong


def test_properties(rng) -> None:
    base = items(rng)
    one = l2_normalize(rng.standard_normal(8))[None]
    assert np.isclose(cross_match(one, base[0][:1], [0, 1])[0], one[0] @ base[0][0], atol=1e-6)
    assert np.isclose(cross_match(base[3], base[3], [0, len(base[3])])[0], 1, atol=1e-6)
    more = np.concatenate([base[3], one])
    for query in base[:5]:
        before = cross_match(query, base[3], [0, len(base[3])])
        assert cross_match(query, more, [0, len(more)]) >= before - 1e-6


def test_a_shortlist_of_everything_is_exhaustive(rng) -> None:
    base = items(rng)
    index = holding(8, base)
    flat = kf.FlatIndex(8, metric="ip")
    flat.add(index.vectors)
    for query in items(rng, 5):
        everything = index.search(query, 10)
        same = index.search(query, 10, index=flat, shortlist=40, depth=len(index.vectors))
        assert (same[1] == everything[1]).all() and np.allclose(same[0], everything[0], atol=1e-6)
        few = index.search(query, 10, index=flat, shortlist=4, depth=20)
        assert (
            (few[1] >= 0).sum() == 4 and (few[1][4:] == -1).all() and np.isneginf(few[0][4:]).all()
        )
        assert few[1][0] == everything[1][0]


def test_an_index_is_asked_for_regions_of_those_that_may_answer(rng) -> None:
    base = items(rng)
    index = holding(8, base)
    flat = kf.FlatIndex(8, metric="ip")
    flat.add(index.vectors)
    for query in items(rng, 5):
        # The least similar of all: no short list of the nearest regions holds any of theirs.
        may = index.search(query, len(base)).ids[-3:]
        expected = index.search(query, 3, filter=may)
        found = index.search(query, 3, index=flat, shortlist=3, depth=8, filter=may)
        assert (found.ids == expected.ids).all() and (np.sort(found.ids) == np.sort(may)).all()


def test_an_item_of_the_base_finds_itself_by_any_index(rng) -> None:
    base = items(rng, 60)
    index = holding(8, base)
    lists = kf.index_factory("IVF4,Flat", 8, metric="ip", verbose=False).train(index.vectors)
    lists.add(index.vectors)
    for i in (0, 17, 59):
        similarities, found = index.search(base[i], 1, index=lists, shortlist=5, depth=10)
        assert found[0] == i and np.isclose(similarities[0], 1, atol=1e-5)


def test_empty_and_bad_arguments(rng) -> None:
    empty = RegionalIndex(3)
    assert (empty.search(np.eye(3), 2)[1] == -1).all() and len(empty) == 0
    assert len(empty.add([])) == 0
    for bad in ([[0, 1]], [0, 2, 2], [0, 1], [1, 3], [0, 2, 1, 3]):
        with pytest.raises(ValueError, match="starts: expected to rise from 0 to 3"):
            cross_match(np.eye(3), np.eye(3), bad)
    with pytest.raises(ValueError, match="items: expected vectors of dimension 3"):
        empty.add([np.eye(2)])
    with pytest.raises(ValueError, match="items: expected at least one vector"):
        empty.add([np.empty((0, 3))])
    with pytest.raises(ValueError, match="query: expected vectors of dimension 3"):
        empty.search(np.eye(2), 1)


def test_an_index_of_other_rows_or_metric_is_refused(rng: np.random.Generator) -> None:
    items = [rng.standard_normal((3, 8)) for _ in range(10)]
    regional = holding(8, items)
    for metric, ids, words in (
        ("l2", None, 'metric "ip" or "cosine"'),
        ("ip", np.arange(30) + 5, "below 30, got 34"),
    ):
        index = kf.FlatIndex(8, metric=metric)
        index.add(regional.vectors, ids)
        with pytest.raises(ValueError, match=f"index: expected .*{words}"):
            regional.search(items[0], 3, index=index)


def test_items_come_and_go(rng: np.random.Generator) -> None:
    """Against an index of what is left, with any order of ids, with and without a filter and a shortlist."""
    base, fresh = items(rng), items(rng, 3)
    ids = rng.permutation(40) * 2
    index = RegionalIndex(8)
    assert index.add(base, ids=ids).tolist() == ids.tolist()
    assert index.remove([*ids[:7].tolist(), 1]) == 7 and len(index) == 33
    index.update(ids[[10, 20]], fresh[:2])
    assert index.add(fresh[2:]).tolist() == [ids.max() + 1]
    known = dict(zip(ids[7:].tolist(), base[7:]))
    known |= {int(ids[10]): fresh[0], int(ids[20]): fresh[1], int(ids.max()) + 1: fresh[2]}
    assert sorted(index.ids.tolist()) == sorted(known) and int(ids[9]) in index
    query = items(rng)[0]
    flat = kf.FlatIndex(8, metric="ip")
    flat.add(index.vectors)
    again = RegionalIndex.from_state(index.params(), index.arrays())
    for match in ("mean", "best"):
        score = {id: by_loops(query, item, match) for id, item in known.items()}
        for one in (index, again):
            expected = [score[id] for id in one.ids.tolist()]
            assert np.allclose(one.scores(query, match=match), expected, atol=1e-6)
            order = sorted(known, key=lambda id: (-score[id], id))
            assert one.search(query, match=match).ids.tolist() == order[:10]
            by_index = one.search(query, 5, match=match, index=flat, shortlist=40, depth=10**6)
            assert by_index.ids.tolist() == order[:5]
            mask = rng.random(len(one)) < 0.5
            admitted = set(one.ids[mask].tolist())
            for filter in (mask, sorted(admitted)):
                for through in (None, flat):
                    found = one.search(
                        query,
                        50,
                        match=match,
                        filter=filter,
                        index=through,
                        shortlist=50,
                        depth=10**6,
                    )
                    assert found.ids[found.ids >= 0].tolist() == [i for i in order if i in admitted]
    before = index.search(query, 34)
    rows = len(index.vectors)
    assert index.compact() is index and len(index.vectors) == sum(map(len, known.values())) < rows
    np.testing.assert_array_equal(index.search(query, 34).ids, before.ids)
    np.testing.assert_array_equal(index.search(query, 34).distances, before.distances)
    with pytest.raises(ValueError, match="^ids: 1 is not in the index"):
        index.update([1], fresh[:1])
    with pytest.raises(ValueError, match="is in the index already; use update"):
        index.add(fresh[:1], ids=[int(ids[9])])


def test_files_of_before_hold_regions_and_starts_alone(rng: np.random.Generator) -> None:
    index = holding(8, items(rng))
    assert set(index.arrays()) == {"vectors", "starts"}
    again = RegionalIndex.from_state(index.params(), index.arrays())
    assert again.ids.tolist() == list(range(40)) and again.add(items(rng, 1)).tolist() == [40]
    for bad in (
        {"ids": np.zeros(40, np.int64), "next_id": np.array([40], np.uint64)},
        {"ids": np.arange(40)},
        {"alive": np.ones(40, np.uint8)},
        {
            "ids": np.arange(40),
            "next_id": np.array([40], np.uint64),
            "alive": np.full(40, 2, np.uint8),
        },
    ):
        with pytest.raises(kf.FileFormatError):
            RegionalIndex.from_state(index.params(), {**index.arrays(), **bad})


def test_items_and_their_rows_are_given_back(rng: np.random.Generator) -> None:
    items = [rng.standard_normal((n, 4), dtype=np.float32) for n in (2, 3, 1, 4)]
    index = RegionalIndex(4)
    index.add(items, ids=[9, 2, 7, 30])
    for got, at in zip(index.items([7, 9, 30]), (2, 0, 3)):
        np.testing.assert_array_equal(got, items[at])
    np.testing.assert_array_equal(index.rows, np.arange(10))
    index.remove([2])
    np.testing.assert_array_equal(index.rows, [0, 1, 5, 6, 7, 8, 9])
    np.testing.assert_array_equal(index.vectors[index.rows[2:3]], items[2])
    assert index.items([]) == []
    with pytest.raises(ValueError, match="^ids: 2 "):
        index.items([7, 2])
    index.compact()
    np.testing.assert_array_equal(index.rows, np.arange(7))
