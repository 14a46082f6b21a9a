"""k-NN votes against loops and against scikit-learn."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.classify.knn import KNNClassifier

SPECS = [
    "Flat", "SQ8", "PQ4", "IVF8,Flat", "IVF8,PQ4,RFlat", "IMI2x2,PQ4,RFlat", "OPQ4,IVF8,PQ4", "PCA6,SQ8",
]  # fmt: skip


def blobs(rng: np.random.Generator, n: int, d: int = 8, classes: int = 3) -> tuple[Any, Any]:
    centres = np.random.default_rng(3).standard_normal((classes, d)) * 3
    y = rng.integers(classes, size=n)
    return (centres[y] + rng.standard_normal((n, d))).astype(np.float32), y


def by_loop(x: Any, y: Any, queries: Any, k: int, weights: str) -> list[Any]:
    """The slow, obvious vote."""
    answers = []
    for q in queries.astype(np.float64):
        distances = np.sqrt(((x.astype(np.float64) - q) ** 2).sum(axis=1))
        near = np.argsort(distances, kind="stable")[:k]
        votes: dict[Any, float] = {}
        exact = [i for i in near if distances[i] == 0]
        for i in exact if exact and weights == "distance" else near:
            weight = 1.0 if weights == "uniform" or exact else 1 / distances[i]
            votes[y[i]] = votes.get(y[i], 0.0) + weight
        most = max(votes.values())
        answers.append(min(c for c, v in votes.items() if v == most))
    return answers


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 2, 5, 30])
def test_votes_equal_a_loop(weights: str, k: int, rng: np.random.Generator) -> None:
    # Whole numbers in few dimensions: ties of distance, duplicates, queries at distance zero.
    x, y = rng.integers(0, 4, (30, 2)).astype(np.float32), rng.integers(0, 3, 30)
    queries = rng.integers(0, 4, (40, 2)).astype(np.float32)
    model = KNNClassifier(n_neighbors=k, weights=weights).fit(x, y)
    if weights == "uniform":
        assert list(model.predict(queries)) == by_loop(x, y, queries, k, weights)
    else:
        # Sums of thirds may differ in the last bit: then either answer is right.
        shares = model.predict_proba(queries)
        for row, c in zip(shares, by_loop(x, y, queries, k, weights)):
            assert row[list(model.classes_).index(c)] == pytest.approx(row.max())


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_probabilities_are_those_of_scikit_learn(weights: str, rng: np.random.Generator) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    (x, y), (queries, _) = blobs(rng, 300), blobs(rng, 50)
    ours = KNNClassifier(n_neighbors=7, weights=weights).fit(x, y)
    theirs = neighbors.KNeighborsClassifier(7, weights=weights, algorithm="brute").fit(x, y)
    np.testing.assert_allclose(
        ours.predict_proba(queries), theirs.predict_proba(queries), rtol=1e-4
    )
    np.testing.assert_array_equal(ours.predict(queries), theirs.predict(queries))


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("spec", SPECS)
def test_any_index_will_do(spec: str, metric: str, rng: np.random.Generator) -> None:
    (x, y), (queries, truth) = blobs(rng, 600), blobs(rng, 60)
    model = KNNClassifier(spec, metric=metric).fit(x, y)
    if metric != "ip":  # whose neighbours are the longest vectors
        assert model.score(queries, truth) > 0.9
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(queries), model.predict(queries))


def test_options_reach_the_search(rng: np.random.Generator) -> None:
    (x, y), (queries, _) = blobs(rng, 600), blobs(rng, 30)
    exact = KNNClassifier().fit(x, y).predict_proba(queries)
    lists = KNNClassifier("IVF8,Flat", options={"nprobe": 8}).fit(x, y).predict_proba(queries)
    np.testing.assert_array_equal(lists, exact)
    # One cell holds fewer than k: more are visited.
    few = KNNClassifier("IVF100,Flat", n_neighbors=90, options={"nprobe": 1}).fit(x, y)
    np.testing.assert_allclose(few.predict_proba(queries).sum(axis=1), 1)
    with pytest.raises(ValueError, match="options: expected nprobe, budget"):
        KNNClassifier(options={"filter": [1]}).fit(x, y).predict(queries)


def test_ties_duplicates_one_class_and_few_vectors() -> None:
    x = np.zeros((4, 2))
    model = KNNClassifier(n_neighbors=99).fit(x, ["b", "a", "b", "a"])
    assert list(model.predict(x[:1])) == ["a"]
    np.testing.assert_array_equal(model.predict_proba(x[:1]), [[0.5, 0.5]])
    one = KNNClassifier(weights="distance").fit(x[:1], [7])
    assert list(one.predict([[5, 5]])) == [7] and list(one.classes_) == [7]


def test_weights_of_ones_own() -> None:
    x, y = [[0.0], [1.0], [3.0]], [0, 1, 1]
    model = KNNClassifier(n_neighbors=3, weights=lambda d: (d < 0.9).astype(float)).fit(x, y)
    assert list(model.predict([[0.2], [2.5]])) == [0, 1]
    np.testing.assert_array_equal(model.predict_proba([[90.0]]), [[0.5, 0.5]])
    for bad in (lambda d: -d, lambda d: d[:1, :1], lambda d: d * np.nan):
        with pytest.raises(ValueError, match="weights: expected finite numbers"):
            KNNClassifier(n_neighbors=3, weights=bad).fit(x, y).predict([[0.2], [2.5]])


def test_cosine_distance_is_one_minus_the_similarity() -> None:
    x = np.array([[1.0, 0], [0, 1.0]])
    model = KNNClassifier(n_neighbors=2, weights="distance", metric="cosine").fit(x, [0, 1])
    q = np.array([[3.0, 4.0]])
    np.testing.assert_allclose(model.predict_proba(q), [[2.5 / 7.5, 5 / 7.5]], rtol=1e-5)


def test_bad_arguments(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 20)
    for words, call in {
        "n_neighbors: ": lambda: KNNClassifier(n_neighbors=0).fit(x, y),
        "weights: expected one of": lambda: KNNClassifier(weights="far").fit(x, y),
        'weights: expected "uniform"': lambda: KNNClassifier(weights="distance", metric="ip").fit(x, y),
        "metric: ": lambda: KNNClassifier(metric="l1").fit(x, y),
        "spec: ": lambda: KNNClassifier("IVFx").fit(x, y),
        "y: expected 20 classes": lambda: KNNClassifier().fit(x, y[:3]),
        "y: expected classes. Unknown label type": lambda: KNNClassifier().fit(x, y + 0.5),
        "y: expected classes, got NaN": lambda: KNNClassifier().fit(x, y * np.nan),
        "X: expected finite": lambda: KNNClassifier().fit(x * np.nan, y),
        "colour: expected one of": lambda: KNNClassifier().set_params(colour=1),
        "is expecting 8 features": lambda: KNNClassifier().fit(x, y).predict(x[:, :3]),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(kf.NotTrainedError, match="is not fitted"):
        KNNClassifier().predict(x)
    assert repr(KNNClassifier("SQ8", n_neighbors=3)) == "KNNClassifier(spec='SQ8', n_neighbors=3)"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spec", ["Flat", "IVF1,Flat"])
def test_scikit_learn_accepts_it(spec: str) -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    checks.check_estimator(
        KNNClassifier(spec, n_neighbors=3, weights="distance"),
        expected_failed_checks={"check_supervised_y_2d": "a column of classes needs no warning"},
    )
