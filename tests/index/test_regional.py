from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.index import regional
from kinfold.index.regional import RegionalIndex, cross_match
from kinfold.transform.normalize import l2_normalize


def items(rng: np.random.Generator, n: int = 40, d: int = 8) -> list[np.ndarray]:
    return [l2_normalize(rng.standard_normal((rng.integers(1, 6), d))) for _ in range(n)]


def by_loops(query: np.ndarray, item: np.ndarray) -> float:
    return float(np.mean([max(float(q @ r) for r in item) for q in query]))


@pytest.mark.parametrize("block", [1, 7, 1 << 14])
def test_against_loops(block, rng, monkeypatch) -> None:
    monkeypatch.setattr(regional, "_BLOCK", block)
    base, query = items(rng), items(rng)[0]
    index = RegionalIndex(8).add(base[:10]).add(base[10:])
    expected = [by_loops(query, item) for item in base]
    assert np.allclose(index.scores(query), expected, atol=1e-6)
    assert np.allclose(cross_match(query, index.vectors, index.starts), expected, atol=1e-6)
    similarities, found = index.search(query, 5)
    assert (found == np.argsort(-np.array(expected), kind="stable")[:5]).all()
    assert np.allclose(similarities, np.sort(expected)[::-1][:5], atol=1e-6)


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
    index = RegionalIndex(8).add(base)
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


def test_an_item_of_the_base_finds_itself_by_any_index(rng) -> None:
    base = items(rng, 60)
    index = RegionalIndex(8).add(base)
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
