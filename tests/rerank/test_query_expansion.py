"""Expansion against loops, and its identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold.rerank.query_expansion import (
    alpha_query_expansion,
    average_query_expansion,
    database_augmentation,
)


def unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    queries, base = unit(rng.normal(size=(4, 8))), unit(rng.normal(size=(40, 8)))
    return queries, base, np.argsort(-queries @ base.T, axis=1)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("top", [1, 5, 40])
def test_is_its_definition(data: tuple[Any, Any, Any], alpha: float, top: int) -> None:
    queries, base, ids = data
    found = alpha_query_expansion(queries, base, ids, top=top, alpha=alpha)
    for q, row, new in zip(queries, ids, found):
        total = q.copy()
        for i in row[:top]:
            total += max(q @ base[i], 0) ** alpha * base[i]
        assert new == pytest.approx(unit(total), abs=1e-6)
    assert found.dtype == np.float32


def test_average_is_the_mean(data: tuple[Any, Any, Any]) -> None:
    queries, base, ids = data
    found = average_query_expansion(queries, base, ids, top=6)
    means = [np.mean([q, *base[row[:6]]], axis=0) for q, row in zip(queries, ids)]
    assert np.allclose(found, unit(np.array(means)), atol=1e-6)


def test_no_answers_leave_the_query(data: tuple[Any, Any, Any]) -> None:
    queries, base, ids = data
    assert np.allclose(average_query_expansion(queries, base, ids, top=0), queries, atol=1e-6)
    nothing = np.full((4, 3), -1)
    assert np.allclose(alpha_query_expansion(queries, base, nothing), queries, atol=1e-6)


def test_order_of_the_answers_does_not_matter(
    data: tuple[Any, Any, Any], rng: np.random.Generator
) -> None:
    queries, base, ids = data
    top = ids[:, :7]
    shuffled = rng.permuted(top, axis=1)
    a, b = (alpha_query_expansion(queries, base, i) for i in (top, shuffled))
    assert np.allclose(a, b, atol=1e-6)


def test_lengths_do_not_matter(data: tuple[Any, Any, Any], rng: np.random.Generator) -> None:
    queries, base, ids = data
    scaled = base * rng.uniform(0.5, 4, (40, 1))
    a = alpha_query_expansion(queries, base, ids)
    b = alpha_query_expansion(3 * queries, scaled, ids)
    assert np.allclose(a, b, atol=1e-5)
    assert np.linalg.norm(a, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_database_rows_are_queries_of_their_own(alpha: float, rng: np.random.Generator) -> None:
    base = unit(rng.normal(size=(30, 6)))
    similarities = base @ base.T
    np.fill_diagonal(similarities, -2)
    others = np.argsort(-similarities, axis=1)[:, :5]
    found = database_augmentation(base, top=5, alpha=alpha)
    assert np.allclose(found, alpha_query_expansion(base, base, others, alpha=alpha), atol=1e-6)


def test_database_of_duplicates_or_of_one() -> None:
    assert np.allclose(database_augmentation(np.ones((20, 3)), top=4), 1 / np.sqrt(3))
    assert np.allclose(database_augmentation([[3.0, 4.0]]), [[0.6, 0.8]])
    assert np.allclose(database_augmentation(np.eye(3), top=0), np.eye(3))


def test_improves_noisy_clusters(rng: np.random.Generator) -> None:
    """Around 20 directions, ten noisy views each: expansion brings the query nearer to its own."""
    centres = np.repeat(unit(rng.normal(size=(20, 32))), 10, axis=0)
    base = unit(centres + 0.18 * rng.normal(size=centres.shape))
    queries = unit(centres[::10] + 0.18 * rng.normal(size=(20, 32)))
    ids = np.argsort(-queries @ base.T, axis=1)
    before = np.einsum("ij,ij->i", queries, centres[::10]).mean()
    found = alpha_query_expansion(queries, base, ids, top=10)
    assert np.einsum("ij,ij->i", found, centres[::10]).mean() > before + 0.1


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [
        ([[0]], {}, r"ids: expected ids \(2, k\)"),
        ([[0.5], [1]], {}, "ids: expected ids"),
        ([[3], [0]], {}, "ids: expected rows of base, 0 to 2 or -1, got 3"),
        ([[-2], [0]], {}, "got -2"),
        ([[0], [0]], {"top": -1}, "top: expected"),
        ([[0], [0]], {"alpha": -1}, "alpha: expected"),
    ],
)
def test_refuses(ids: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        alpha_query_expansion(np.eye(2, 3), np.eye(3), ids, **options)


def test_refuses_vectors() -> None:
    with pytest.raises(ValueError, match="queries: expected vectors of dimension 3"):
        average_query_expansion(np.eye(2), np.eye(3), [[0], [0]])
    with pytest.raises(ValueError, match="base: expected"):
        database_augmentation(np.ones(3))
    with pytest.raises(ValueError, match="top: expected"):
        database_augmentation(np.eye(3), top=-1)
