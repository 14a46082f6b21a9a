"""k-reciprocal re-ranking against the published algorithm, written out densely."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold.base.neighbours import exact_neighbours
from kinfold.index.base import unit_rows
from kinfold.rerank.k_reciprocal import k_reciprocal_rerank


def dense(queries: Any, base: Any, k1: int, k2: int, share: float) -> Any:
    """Final distances (q, n): Zhong et al. 2017, loops and full matrices in float64."""
    x = np.concatenate([queries, base]).astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    squared = ((x[:, None] - x) ** 2).sum(2)
    squared /= squared.max(axis=1, keepdims=True)
    own = squared.copy()
    np.fill_diagonal(own, -1)
    rank = np.argsort(own, axis=1, kind="stable")
    n = len(x)

    def reciprocal(i: int, k: int) -> list[int]:
        return [j for j in rank[i, : k + 1] if i in rank[j, : k + 1]]

    v = np.zeros((n, n))
    half = round(k1 / 2)
    for i in range(n):
        mine = reciprocal(i, k1)
        expanded = set(mine)
        for c in mine:
            theirs = reciprocal(c, half)
            if len(set(theirs) & set(mine)) > 2 / 3 * len(theirs):
                expanded |= set(theirs)
        members = sorted(expanded)
        v[i, members] = np.exp(-squared[i, members])
        v[i] /= v[i].sum()
    v = np.stack([v[rank[i, :k2]].mean(axis=0) for i in range(n)])
    q = len(queries)
    overlap = np.minimum(v[:q, None], v[None, q:]).sum(axis=2)
    return (1 - overlap / (2 - overlap)) * (1 - share) + squared[:q, q:] * share


def photos(rng: np.random.Generator, n: int, d: int = 16) -> Any:
    things = rng.normal(size=(12, d))
    return (things[rng.integers(12, size=n)] + 0.9 * rng.normal(size=(n, d))).astype(np.float32)


@pytest.mark.parametrize(
    ("k1", "k2", "share"), [(20, 6, 0.3), (7, 1, 0.0), (5, 3, 1.0), (9, 4, 0.5)]
)
def test_is_the_published_algorithm(
    rng: np.random.Generator, k1: int, k2: int, share: float
) -> None:
    queries, base = photos(rng, 11), photos(rng, 170)
    first = exact_neighbours(queries, base, 170, metric="ip")
    found = k_reciprocal_rerank(
        first.distances, first.ids, queries=queries, base=base, k1=k1, k2=k2, lambda_=share
    )
    expected = dense(queries, base, k1, k2, share)
    for row in range(11):
        assert sorted(found.ids[row].tolist()) == list(range(170))
        assert found.scores[row] == pytest.approx(1 - expected[row, found.ids[row]], abs=1e-6)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_a_short_first_answer_is_filled_by_company(rng: np.random.Generator) -> None:
    queries, base = photos(rng, 5), photos(rng, 200)
    first = exact_neighbours(queries, base, 3, metric="ip")
    ids = first.ids.copy()
    ids[0, 2] = -1
    found = k_reciprocal_rerank(first.distances, ids, queries=queries, base=base, k=30)
    everything = exact_neighbours(queries, base, 200, metric="ip")
    full = k_reciprocal_rerank(everything.distances, everything.ids, queries=queries, base=base)
    for row in range(5):
        got = found.valid(row)
        assert set(first.ids[row, : 2 if row == 0 else 3]) <= set(got.tolist())
        scores = dict(zip(full.ids[row].tolist(), full.scores[row].tolist()))
        assert [scores[i] for i in got.tolist()] == pytest.approx(
            found.scores[row, : len(got)].tolist(), abs=1e-6
        )


def test_few_vectors_and_duplicates() -> None:
    one = k_reciprocal_rerank([[1.0]], [[0]], queries=[[1.0, 0]], base=[[1.0, 0.1]])
    assert one.ids.tolist() == [[0]]
    same = k_reciprocal_rerank(
        np.ones((1, 30)), np.arange(30)[None], queries=[[1.0, 2]], base=np.ones((30, 2))
    )
    assert sorted(same.ids[0].tolist()) == list(range(30))
    assert np.isfinite(same.scores).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k1": 0}, "k1: expected a whole number"),
        ({"k2": 0}, "k2: expected a whole number"),
        ({"lambda_": 2}, "lambda_: expected a number"),
        ({"queries": np.ones((1, 4))}, "queries: expected vectors of dimension 3"),
    ],
)
def test_bad_arguments(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"queries": np.ones((1, 3)), "base": np.ones((5, 3))}
    with pytest.raises(ValueError, match=message):
        k_reciprocal_rerank([[1.0]], [[0]], **{**given, **change})
    with pytest.raises(ValueError, match="ids: expected rows of base, 0 to 4"):
        k_reciprocal_rerank([[1.0]], [[5]], **given)
    with pytest.raises(ValueError, match="scores: expected numbers, got NaN"):
        k_reciprocal_rerank([[np.nan]], [[0]], **given)


def test_copies_stay_together(rng: np.random.Generator) -> None:
    """Of 31 copies none is torn from the others, whatever the length of the lists."""
    base = rng.normal(size=(60, 16)).astype(np.float32)
    base = np.concatenate([base, np.repeat(base[:1], 30, axis=0)])
    query = base[:1] + rng.normal(scale=0.05, size=(1, 16)).astype(np.float32)
    first = exact_neighbours(unit_rows(query), unit_rows(base), 20, metric="ip")
    found = k_reciprocal_rerank(first.distances, first.ids, queries=query, base=base, k1=10, k=40)
    assert set(found.ids[0, :31]) == {0, *range(60, 90)}
    assert len(set(found.scores[0, :31])) == 1
    assert found.scores[0, 31] < found.scores[0, 30]
