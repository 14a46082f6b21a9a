"""Local NBNN against its algorithm in loops."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from kinfold.classify.local_nbnn import LocalNBNN
from kinfold.classify.nbnn import NBNN

from .test_nbnn import images


def by_loop(bags, y, queries, k: int) -> np.ndarray:
    """McCann & Lowe 2012, algorithm 2, line by line."""
    classes = sorted(set(y))
    points = [(p.astype(np.float64), label) for bag, label in zip(bags, y) for p in bag]
    k = min(k, len(points) - 1)
    totals = np.zeros((len(queries), len(classes)))
    for i, query in enumerate(queries):
        for x in query.astype(np.float64):
            near = sorted((((x - p) ** 2).sum(), j) for j, (p, _) in enumerate(points))[: k + 1]
            background = near[k][0]
            for c in {points[j][1] for _, j in near[:k]}:
                least = min(d for d, j in near[:k] if points[j][1] == c)
                totals[i, classes.index(c)] += least - background
    return totals


@pytest.mark.parametrize("k", [1, 3, 10, 10_000])
def test_sums_equal_the_algorithm(k: int, rng: np.random.Generator) -> None:
    bags, y = images(rng, 12, classes=5)
    queries, _ = images(rng, 7)
    model = LocalNBNN(n_neighbors=k).fit(bags, y)
    expected = by_loop(bags, y, queries, k)
    np.testing.assert_allclose(model.sums(queries), expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(model.predict(queries), model.sums(queries).argmin(axis=1))


def test_ties_at_the_background_change_nothing(rng: np.random.Generator) -> None:
    """Which of several equally far descriptors is the background does not matter: they all credit zero."""
    bags = [rng.integers(0, 2, (12, 3)).astype(np.float32) for _ in range(6)]
    y = np.arange(6) % 3
    queries = [rng.integers(0, 2, (4, 3)).astype(np.float32) for _ in range(10)]
    shuffled = rng.permutation(6)
    first = LocalNBNN(n_neighbors=5).fit(bags, y).sums(queries)
    second = LocalNBNN(n_neighbors=5).fit([bags[i] for i in shuffled], y[shuffled]).sums(queries)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, by_loop(bags, y, queries, 5))


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("spec", ["SQ8", "IVF8,Flat", "PQ3", "IVF8,PQ3,RFlat", "IMI2x2,PQ2,RFlat"])
def test_any_index_will_do(spec: str, metric: str, rng: np.random.Generator) -> None:
    bags, y = images(rng, 60)
    queries, truth = images(rng, 30)
    model = LocalNBNN(spec, metric=metric, options={"threads": 1}).fit(bags, y)
    full = [i for i, query in enumerate(queries) if len(query) > 4]
    assert (model.predict(queries) == truth)[full].mean() > 0.8
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.sums(queries), model.sums(queries))


def test_with_all_as_neighbours_it_orders_classes_as_nbnn(rng: np.random.Generator) -> None:
    """With every class among the neighbours, all sums are NBNN's less the same background."""
    bags, y = images(rng, 12)
    queries, _ = images(rng, 7)
    far = [*bags, np.full((1, 6), 1e3, np.float32)]  # the last neighbour, so the background, of all
    local = LocalNBNN(n_neighbors=10_000).fit(far, [*y, 0])
    np.testing.assert_array_equal(local.predict(queries), NBNN().fit(far, [*y, 0]).predict(queries))


def test_empty_images_one_descriptor_and_one_class() -> None:
    model = LocalNBNN().fit([[], np.ones((1, 2))], ["a", "b"])
    assert list(model.predict([np.zeros((2, 2)), []])) == ["b", "a"]
    one = LocalNBNN().fit([np.ones((3, 2))], [4])
    assert list(one.predict([np.zeros((1, 2)), []])) == [4, 4]
    with pytest.raises(ValueError, match="n_neighbors: "):
        LocalNBNN(n_neighbors=0).fit([np.ones((3, 2))], [4])
