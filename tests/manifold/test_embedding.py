"""What all embeddings by eigenvectors of the neighbour graph promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conventions import check_saved, check_with_scikit_learn, distance_up_to_signs

import kinfold as kf
from kinfold.datasets.manifolds import s_curve, swiss_roll

EMBEDDINGS = [kf.LaplacianEigenmaps, kf.LocallyLinearEmbedding]
embeddings = pytest.mark.parametrize("embedding", EMBEDDINGS)


@embeddings
def test_order_and_threads_change_nothing(embedding: Any, rng: np.random.Generator) -> None:
    x = s_curve(500, seed=5).points
    order = rng.permutation(len(x))
    with kf.use_threads(1):
        one = embedding(2).fit(x)
    with kf.use_threads(3):
        three = embedding(2).fit(x)
    np.testing.assert_array_equal(one.embedding_, three.embedding_)
    shuffled = embedding(2).fit(x[order])
    assert distance_up_to_signs(shuffled.embedding_, one.embedding_[order]) < 1e-3


@embeddings
def test_bad_arguments(embedding: Any) -> None:
    x = swiss_roll(30).points
    for words, call in {
        "n_components: ": lambda: embedding(30).fit(x),
        "n_neighbors: expected a": lambda: embedding(n_neighbors=0).fit(x),
        "metric: ": lambda: embedding(metric="l1").fit(x),
        "X: expected finite": lambda: embedding().fit(x * np.nan),
    }.items():
        with pytest.raises(ValueError, match=words):
            call()


@embeddings
def test_hardly_any_points(embedding: Any) -> None:
    assert embedding(1).fit(swiss_roll(30).points[:2]).embedding_.shape == (2, 1)
    assert np.isfinite(embedding(1).fit(np.ones((6, 2))).embedding_).all()


@embeddings
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_saved(embedding: Any, metric: str, tmp_path: Any) -> None:
    x = swiss_roll(60).points
    check_saved(embedding(2, metric=metric).fit(x), x[:9] + 0.1, tmp_path)


def test_saved_by_heat(tmp_path: Any) -> None:
    x = swiss_roll(60).points
    check_saved(kf.LaplacianEigenmaps(2, weights="heat").fit(x), x[:9] + 0.1, tmp_path)


@embeddings
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_it(embedding: Any) -> None:
    check_with_scikit_learn(embedding())
