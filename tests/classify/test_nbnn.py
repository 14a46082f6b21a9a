"""NBNN against the sums of its definition, in loops."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.classify.nbnn import NBNN


def images(rng: np.random.Generator, n: int, d: int = 6, classes: int = 3) -> tuple[Any, Any]:
    """Sets of 0 to 40 descriptors around points of their class."""
    centres = np.random.default_rng(4).standard_normal((classes, 5, d)) * 2
    y = np.arange(n) % classes
    bags = []
    for c in y:
        size = int(rng.integers(0, 41))
        bags.append((centres[c, rng.integers(5, size=size)] + rng.standard_normal((size, d))).astype("f4"))  # fmt: skip
    return bags, y


def by_loop(bags: Any, y: Any, queries: Any) -> np.ndarray:
    classes = sorted(set(y))
    sums = np.zeros((len(queries), len(classes)))
    for i, query in enumerate(queries):
        for j, c in enumerate(classes):
            own = [p.astype(np.float64) for bag, label in zip(bags, y) if label == c for p in bag]
            for x in query.astype(np.float64):
                sums[i, j] += min((((x - p) ** 2).sum() for p in own), default=np.inf)
    return sums


def test_sums_equal_their_definition(rng: np.random.Generator) -> None:
    bags, y = images(rng, 12)
    queries, _ = images(rng, 7)
    model = NBNN().fit(bags, y)
    expected = by_loop(bags, y, queries)
    np.testing.assert_allclose(model.sums(queries), expected, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(queries), expected.argmin(axis=1))
    np.testing.assert_array_equal(model.decision_function(queries), -model.sums(queries))


def test_cosine_is_euclidean_between_vectors_of_length_one(rng: np.random.Generator) -> None:
    bags, y = images(rng, 9)
    queries, _ = images(rng, 5)
    unit = [
        [b / np.linalg.norm(b, axis=1, keepdims=True) for b in part] for part in (bags, queries)
    ]
    cosine = NBNN(metric="cosine").fit(bags, y).sums(queries)
    np.testing.assert_allclose(cosine, NBNN().fit(unit[0], y).sums(unit[1]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "spec", ["SQ8", "IVF8,Flat", "PQ3", "IVF8,PQ3,RFlat", "IMI2x2,PQ2,RFlat", "PCA4,SQ8"]
)
def test_any_index_will_do(spec: str, rng: np.random.Generator) -> None:
    bags, y = images(rng, 60)
    queries, truth = images(rng, 30)
    model = NBNN(spec).fit(bags, y)
    full = [i for i, query in enumerate(queries) if len(query) > 4]
    assert (model.predict(queries) == truth)[full].mean() > 0.8
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.sums(queries), model.sums(queries))


def test_a_class_that_is_smaller_than_a_codebook(rng: np.random.Generator) -> None:
    bags = [rng.standard_normal((400, 4)), rng.standard_normal((2, 4)) + 9]
    assert list(NBNN("PQ2").fit(bags, ["a", "b"]).predict([bags[1], bags[0]])) == ["b", "a"]


def test_empty_images_empty_classes_ties_and_one_class() -> None:
    bags = [np.ones((1, 2)), np.empty((0, 2)), [], np.ones((1, 2))]
    model = NBNN().fit(bags, ["b", "none", "none", "a"])
    assert list(model.classes_) == ["a", "b", "none"]
    assert list(model.predict([np.zeros((3, 2)), [], np.empty((0, 2))])) == ["a", "a", "a"]
    np.testing.assert_array_equal(model.sums([np.zeros((3, 2)), []]), [[6, 6, np.inf], [0, 0, 0]])
    assert list(NBNN().fit([np.ones((1, 2))], [5]).predict([np.zeros((1, 2))])) == [5]
    assert NBNN().fit(np.ones((2, 3, 2)), [0, 1]).sums([[]]).shape == (1, 2)


def test_the_batch_does_not_matter(rng: np.random.Generator) -> None:
    bags, y = images(rng, 40)
    queries, _ = images(rng, 9)
    model = NBNN("IVF4,PQ3").fit(bags, y)
    whole = model.sums(queries)
    alone = np.concatenate([model.sums([query]) for query in queries])
    np.testing.assert_array_equal(whole, alone)


def test_bad_arguments() -> None:
    good = [np.ones((2, 3)), np.zeros((2, 3))]
    for words, call in {
        r"X\[1\]: expected vectors of dimension 3": lambda: NBNN().fit([good[0], np.ones((2, 4))], [0, 1]),
        r"X\[0\]: expected vectors of dimension 3": lambda: NBNN().fit(good, [0, 1]).predict([np.ones((1, 2))]),
        r"X\[0\]: expected finite": lambda: NBNN().fit([np.full((1, 2), np.nan)], [0]),
        "X: expected an image with descriptors": lambda: NBNN().fit([[], []], [0, 1]),
        "X: expected at least one image": lambda: NBNN().fit([], []),
        "X: expected a list of arrays": lambda: NBNN().fit("abc", [0]),
        "y: expected 2 classes": lambda: NBNN().fit(good, [0]),
        "metric: expected one of l2, cosine": lambda: NBNN(metric="ip").fit(good, [0, 1]),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(kf.NotTrainedError):
        NBNN().predict(good)


def test_scikit_learn_clones_and_cross_validates(rng: np.random.Generator) -> None:
    base = pytest.importorskip("sklearn.base")
    selection = pytest.importorskip("sklearn.model_selection")
    bags, y = images(rng, 30)
    model = base.clone(NBNN("SQ8", metric="cosine"))
    assert model.get_params()["spec"] == "SQ8" and base.is_classifier(model)
    assert selection.cross_val_score(NBNN(), bags, y, cv=3).mean() > 0.6
