"""Neighbour lists against their definition, against a rebuild after changes, and through indexes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold import FileFormatError, KNNGraph, KNNLists, _core, use_threads
from kinfold.base.state import Stateful


def same(a: KNNLists, b: KNNLists) -> bool:
    return bool(np.array_equal(a.ids, b.ids) and np.array_equal(a.similarities, b.similarities))


def clustered(rng: np.random.Generator, n: int, d: int = 12) -> Any:
    return (rng.normal(size=(20, d))[rng.integers(20, size=n)] + rng.normal(size=(n, d))).astype(
        np.float32
    )


def recall(found: KNNLists, exact: KNNLists) -> float:
    hits = (found.ids[:, :, None] == exact.ids[:, None, :]).any(axis=2)
    return float(hits.mean())


@pytest.mark.parametrize("metric", ["cosine", "ip"])
def test_is_its_definition(rng: np.random.Generator, oracle: Any, metric: str) -> None:
    x = rng.normal(size=(70, 6)).astype(np.float32)
    lists = KNNLists.build(x, 5, metric=metric)
    exact = x.astype(np.float64)
    if metric == "cosine":
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert lists.ids.tolist() == oracle.neighbours((exact @ exact.T).tolist(), 5)
    expected = np.take_along_axis(exact @ exact.T, lists.ids.astype(np.int64), axis=1)
    assert np.allclose(lists.similarities, expected, atol=1e-5)
    assert (lists.k, len(lists)) == (5, 70)


def test_fewer_others_than_k() -> None:
    lists = KNNLists.build(np.eye(3), 5)
    assert lists.ids.tolist() == [[1, 2, -1, -1, -1], [0, 2, -1, -1, -1], [0, 1, -1, -1, -1]]
    assert not lists.similarities.any()


@pytest.mark.parametrize("metric", ["cosine", "ip"])
@pytest.mark.parametrize(("n", "m", "k"), [(300, 1, 8), (300, 40, 8), (5, 30, 10), (200, 200, 3)])
def test_insertion_is_a_rebuild(
    rng: np.random.Generator, metric: str, n: int, m: int, k: int
) -> None:
    x = clustered(rng, n + m)
    # Ties: some new items repeat old ones.
    x[n : n + 3] = x[:3][: len(x[n : n + 3])]
    grown = KNNLists.build(x[:n], k, metric=metric).insert(x[:n], x[n:])
    assert same(grown, KNNLists.build(x, k, metric=metric))


@pytest.mark.parametrize("metric", ["cosine", "ip"])
@pytest.mark.parametrize("k", [4, 30])
def test_removal_is_a_rebuild(rng: np.random.Generator, metric: str, k: int) -> None:
    x = clustered(rng, 250)
    x[7] = x[8] = x[9]
    gone = np.concatenate([rng.permutation(250)[:30], [8]])
    left = KNNLists.build(x, k, metric=metric).remove(x, gone)
    assert same(left, KNNLists.build(np.delete(x, gone, axis=0), k, metric=metric))
    assert same(left.remove(np.delete(x, gone, axis=0), []), left)


def test_down_to_few_items(rng: np.random.Generator) -> None:
    x = clustered(rng, 20)
    left = KNNLists.build(x, 10).remove(x, np.arange(3, 20))
    assert same(left, KNNLists.build(x[:3], 10))


def test_graph_of_lists_is_the_graph(rng: np.random.Generator) -> None:
    x = clustered(rng, 200)
    lists = KNNLists.build(x, 9)
    for reciprocal in (True, False):
        a = KNNGraph.from_lists(lists, gamma=2, reciprocal=reciprocal)
        b = KNNGraph.build(x, 9, gamma=2, reciprocal=reciprocal)
        assert a.params() == b.params()
        for name, array in a.arrays().items():
            assert np.array_equal(array, b.arrays()[name])


def test_edges_are_reciprocal_and_permutations_do_not_matter(rng: np.random.Generator) -> None:
    x = clustered(rng, 150)
    lists = KNNLists.build(x, 6)
    graph = KNNGraph.from_lists(lists)
    sets = [set(row.tolist()) for row in lists.ids]
    for i in range(150):
        row = graph.neighbours[graph.starts[i] : graph.starts[i + 1]].tolist()
        assert row == sorted(j for j in sets[i] if i in sets[j])
    order = rng.permutation(150)
    shuffled = KNNGraph.build(x[order], 6)
    assert np.allclose(np.sort(shuffled.degrees()), np.sort(graph.degrees()), rtol=1e-6)
    assert np.allclose(shuffled.degrees(), graph.degrees()[order], rtol=1e-6)


@pytest.mark.parametrize("spec", ["Flat", "IVF16,Flat", "IVF16,SQ8"])
def test_from_an_index(rng: np.random.Generator, spec: str) -> None:
    x = clustered(rng, 1500)
    exact = KNNLists.build(x, 10)
    search = {"nprobe": 8} if spec.startswith("IVF") else {}
    found = KNNLists.build(x, 10, index=spec, **search)
    assert recall(found, exact) > 0.9
    assert not (found.ids == np.arange(1500)[:, None]).any()
    hit = found.ids == exact.ids
    assert np.array_equal(found.similarities[hit], exact.similarities[hit])
    assert (np.diff(found.similarities, axis=1) <= 0).all()
    if spec == "Flat":
        assert same(found, exact)


def test_from_an_index_object(rng: np.random.Generator) -> None:
    x = clustered(rng, 400)
    index = kf.FlatIndex(12, metric="cosine")
    index.add(x)
    assert same(KNNLists.build(x, 7, index=index), KNNLists.build(x, 7))
    index.add(x[:1])
    with pytest.raises(ValueError, match="index: expected the rows of x alone, below 400"):
        KNNLists.build(x, 399, index=index)


def test_threads_and_levels_do_not_matter(level: str, threads: int) -> None:
    x = clustered(np.random.default_rng(5), 1200, 24)
    lists = KNNLists.build(x, 10)
    with use_threads(1):
        assert same(lists, KNNLists.build(x, 10))


def test_state_round_trip(rng: np.random.Generator) -> None:
    lists = KNNLists.build(rng.normal(size=(50, 4)), 5, metric="ip")
    assert isinstance(lists, Stateful)
    again = KNNLists.from_state(lists.params(), lists.arrays())
    assert again.metric == "ip"
    assert same(lists, again)
    assert np.shares_memory(again.ids, lists.ids)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ids", lambda a: np.where(a == a[0, 0], 50, a).astype(np.int32)),
        ("ids", lambda a: np.where(a == a[0, 0], -2, a).astype(np.int32)),
        ("ids", lambda a: a.astype(np.int64)),
        ("ids", lambda a: a[:, :0]),
        ("similarities", lambda a: a[:-1]),
        ("similarities", lambda a: np.full_like(a, np.nan)),
    ],
)
def test_damaged_state_is_refused(rng: np.random.Generator, name: str, change: Any) -> None:
    lists = KNNLists.build(rng.normal(size=(50, 4)), 5)
    arrays = lists.arrays()
    arrays[name] = change(arrays[name])
    with pytest.raises(FileFormatError, match="ids|similarities"):
        KNNLists.from_state(lists.params(), arrays)
    with pytest.raises(FileFormatError, match="metric"):
        KNNLists.from_state({"metric": "l2"}, lists.arrays())


def test_bad_arguments(rng: np.random.Generator) -> None:
    x = clustered(rng, 30)
    lists = KNNLists.build(x, 4)
    with pytest.raises(ValueError, match="method: expected one of exact, nn-descent"):
        KNNLists.build(x, method="fast")
    with pytest.raises(ValueError, match="nprobe: expected an index that takes it"):
        KNNLists.build(x, nprobe=3)
    with pytest.raises(ValueError, match="x: expected 30 vectors"):
        lists.insert(x[:9], x)
    with pytest.raises(ValueError, match="new: expected vectors of dimension 12"):
        lists.insert(x, x[:, :3])
    with pytest.raises(ValueError, match="rows: expected items below 30, got 30"):
        lists.remove(x, [30])
    with pytest.raises(ValueError, match="similarities: expected finite"):
        KNNLists.from_neighbours([[np.nan], [1]], [[1], [0]])


def test_descent_finds_nearly_all(rng: np.random.Generator) -> None:
    # More than are joined exactly.
    x = clustered(rng, 34000, 24)
    found = KNNLists.build(x, 15, method="nn-descent")
    exact = KNNLists.build(x, 15)
    assert 0.97 < recall(found, exact) < 1
    hit = found.ids == exact.ids
    assert np.array_equal(found.similarities[hit], exact.similarities[hit])
    assert not (found.ids == np.arange(34000)[:, None]).any()
    assert all(len(set(row)) == 15 for row in found.ids[::7].tolist())
    assert (np.diff(found.similarities, axis=1) <= 0).all()


@pytest.mark.parametrize("metric", ["cosine", "ip"])
def test_descent_of_few_is_the_exact_join(
    rng: np.random.Generator, level: str, metric: str
) -> None:
    x = clustered(rng, 3000, 24)
    found = KNNLists.build(x, 15, metric=metric, method="nn-descent")
    assert same(found, KNNLists.build(x, 15, metric=metric))


@pytest.mark.slow
def test_descent_depends_on_its_seed_alone(level: str, threads: int) -> None:
    # Without any structure, in many dimensions, by few blocks: something is missed at every level.
    x = np.random.default_rng(6).normal(size=(12000, 64)).astype(np.float32)

    def descent(seed: int) -> Any:
        return _core.neighbours.nn_descent(x, "l2", 12, seed, probes=1, rounds=1)[1]

    found = descent(4)
    with use_threads(1):
        assert np.array_equal(found, descent(4))
    assert not np.array_equal(found, descent(5))


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_rows_that_ask_for_all_blocks_find_all(level: str, metric: str) -> None:
    rng = np.random.default_rng(8)
    # Enough rows for the look along a few directions first, and a last block that is not full.
    x = (rng.normal(size=(9001, 40)) * 0.85 ** np.arange(40)).astype(np.float32)
    if metric == "ip":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = _core.neighbours.nn_descent(x, metric, 12, 0, probes=10**6, rounds=0)
    exact = _core.neighbours.self_join(x, metric, 12)
    assert np.array_equal(found[0], exact[0]) and np.array_equal(found[1], exact[1])
    few = _core.neighbours.nn_descent(x, metric, 12, 0, probes=1, rounds=0)[1]
    assert 0.3 < np.mean([np.isin(a, b).mean() for a, b in zip(few, exact[1])]) < 1


@pytest.mark.slow
def test_descent_goes_on_for_more_recall(level: str) -> None:
    x = np.random.default_rng(7).normal(size=(12000, 60)).astype(np.float32)
    exact = _core.neighbours.self_join(x, "l2", 12)[1]
    little, more = (
        np.mean([np.isin(a, b).mean() for a, b in zip(found[1], exact)])
        for found in (
            _core.neighbours.nn_descent(x, "l2", 12, 0, probes=1, recall=share)
            for share in (0.0, 1.0)
        )
    )
    assert little + 0.02 < more


def test_descent_needs_a_share(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="recall: expected"):
        KNNLists.build(clustered(rng, 20), 12, method="nn-descent", recall=1.5)


@pytest.mark.parametrize("n", [1, 2, 5, 40, 300])
def test_descent_of_few_and_copies(rng: np.random.Generator, n: int) -> None:
    x = clustered(rng, n)
    x[n // 2 :] = x[: n - n // 2]
    assert same(KNNLists.build(x, 9, method="nn-descent"), KNNLists.build(x, 9))


def test_the_order_of_before_is_understood_with_a_warning() -> None:
    graph = kf.KNNGraph.build(np.random.default_rng(0).random((30, 3)), 5)
    ids, similarities = [[0, 1]], [[0.9, 0.8]]
    now = kf.Diffusion(graph).rank(similarities, ids, k=5)
    with pytest.warns(DeprecationWarning, match="ids: expected after the similarities"):
        before = kf.Diffusion(graph).rank(ids, similarities, k=5)
    np.testing.assert_array_equal(now.ids, before.ids)
    np.testing.assert_array_equal(now[0], before[0])
