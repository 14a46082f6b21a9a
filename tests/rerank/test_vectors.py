"""One interface for all second looks at vectors: each does what its own function does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import KNNGraph, Ranking
from kinfold.base.neighbours import exact_neighbours
from kinfold.index.base import unit_rows
from kinfold.rerank.diffusion import diffusion_rerank
from kinfold.rerank.query_expansion import alpha_query_expansion, database_augmentation
from kinfold.rerank.vectors import VECTOR_METHODS, rerank


@pytest.fixture
def case(rng: np.random.Generator) -> Any:
    things = rng.normal(size=(15, 10))
    base = unit_rows((things[rng.integers(15, size=300)] + rng.normal(size=(300, 10))).astype("f4"))
    queries = unit_rows((things[:6] + rng.normal(size=(6, 10))).astype("f4"))
    return queries, base, exact_neighbours(queries, base, 20, metric="ip")


@pytest.mark.parametrize("method", VECTOR_METHODS)
def test_an_answer_in_an_answer_out(case: Any, method: str) -> None:
    queries, base, first = case
    found = rerank(first.distances, first.ids, method, queries=queries, base=base)
    assert isinstance(found, Ranking)
    assert found.ids.shape == (6, 20)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    for row in range(6):
        ids = found.valid(row)
        assert len(set(ids.tolist())) == len(ids) > 10
    # In a chain, and to another length.
    again = rerank(found.scores, found.ids, "alpha-qe", queries=queries, base=base, k=7)
    assert again.ids.shape == (6, 7)


def test_each_is_its_function(case: Any) -> None:
    queries, base, first = case
    graph = KNNGraph.build(base, 12)
    a = rerank(first.distances, first.ids, "diffusion", base=base, graph=graph, k_query=5)
    b = diffusion_rerank(graph, first.distances, first.ids, k_query=5)
    assert np.array_equal(a.ids, b.ids)
    a = rerank(first.distances, first.ids, "random-walk", base=base, graph=graph, iterations=2000)
    b = diffusion_rerank(graph, first.distances, first.ids, iterations=200, tolerance=1e-9)
    assert (a.ids[:, :5] == b.ids[:, :5]).mean() > 0.9
    a = rerank(first.distances, first.ids, "alpha-qe", queries=queries, base=base, top=4, alpha=2)
    expanded = alpha_query_expansion(queries, base, first.ids, top=4, alpha=2)
    assert np.array_equal(a.ids, exact_neighbours(expanded, base, 20, metric="ip").ids)
    a = rerank(first.distances, first.ids, "dba", queries=queries, base=base, top=3)
    augmented = database_augmentation(base, top=3)
    assert np.array_equal(a.ids, exact_neighbours(queries, augmented, 20, metric="ip").ids)


def test_bad_arguments(case: Any) -> None:
    queries, base, first = case
    with pytest.raises(ValueError, match="method: expected one of aqe"):
        rerank(first.distances, first.ids, "spatial", base=base)
    with pytest.raises(ValueError, match="queries: expected the vectors of the queries"):
        rerank(first.distances, first.ids, "aqe", base=base)
    with pytest.raises(ValueError, match="queries: expected 6, one a list"):
        rerank(first.distances, first.ids, "aqe", base=base, queries=queries[:2])
    with pytest.raises(ValueError, match="scores: expected the shape of ids"):
        rerank(first.distances[:2], first.ids, "aqe", base=base, queries=queries)
    with pytest.raises(ValueError, match="scores: expected numbers, got NaN"):
        rerank(first.distances * np.nan, first.ids, "diffusion", base=base)
