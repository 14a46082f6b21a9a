"""What users of scikit-learn expect of every estimator of every room."""

from __future__ import annotations

import copy
import pickle
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.estimator import Estimator
from kinfold.base.registry import catalogue, resolve

D, N = 4, 60


def vectors(d: int = D, n: int = N, seed: int = 0) -> Any:
    centres = 2 * np.arange(3)[:, None] * np.ones(d)
    noise = np.random.default_rng(seed).standard_normal((n, d))
    return (noise + centres[np.arange(n) % 3]).astype(np.float32)


def labels(n: int = N) -> Any:
    return np.arange(n) % 3


def photos(d: int = D, seed: int = 0) -> list[Any]:
    return list(vectors(d, seed=seed).reshape(12, 5, d))


# Of vectors, and of photos: how one is made, small.
OF_VECTORS: dict[str, Callable[[], Any]] = {
    "PCA": lambda: kf.PCA(2),
    "LearnedWhitening": lambda: kf.LearnedWhitening(3),
    "KMeans": lambda: kf.KMeans(3, verbose=False),
    "OPQ": lambda: kf.OPQ(2, bits=4, iterations=2, verbose=False),
    "Isomap": lambda: kf.Isomap(2, n_neighbors=20),
    "KernelPCA": lambda: kf.KernelPCA(2, kernel="rbf"),
    "LaplacianEigenmaps": lambda: kf.LaplacianEigenmaps(2, n_neighbors=20),
    "LocallyLinearEmbedding": lambda: kf.LocallyLinearEmbedding(2, n_neighbors=20),
    "LocalPCA": lambda: kf.LocalPCA(1, n_cells=2),
    "VisualWords": lambda: kf.words.VisualWords(4, verbose=False),
    "KNNClassifier": lambda: kf.KNNClassifier(n_neighbors=3),
}
OF_PHOTOS: dict[str, Callable[[], Any]] = {
    "VLAD": lambda: kf.aggregate.VLAD(2),
    "FisherVector": lambda: kf.aggregate.FisherVector(2, iterations=2),
    "TEmbedding": lambda: kf.aggregate.TEmbedding(3),
    "NBNN": lambda: kf.NBNN(),
    "LocalNBNN": lambda: kf.LocalNBNN(),
}
ALL = {**OF_VECTORS, **OF_PHOTOS}
CLASSIFIERS = ("KNNClassifier", "NBNN", "LocalNBNN")
# A parameter of another value, and one that is refused, by the constructor or by fit.
OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "PCA": ({"dim": 1}, {"dim": 0}), "LearnedWhitening": ({"dim": 2}, {"second": "some"}),
    "KMeans": ({"k": 2}, {"k": 0}), "OPQ": ({"iterations": 1}, {"bits": 5}),
    "Isomap": ({"n_components": 1}, {"n_components": 0}), "KernelPCA": ({"gamma": 0.5}, {"kernel": "none"}),
    "LaplacianEigenmaps": ({"n_components": 1}, {"metric": "none"}),
    "LocallyLinearEmbedding": ({"n_components": 1}, {"metric": "none"}),
    "LocalPCA": ({"n_cells": 3}, {"distance": "none"}), "VisualWords": ({"k": 5}, {"k": 0}),
    "KNNClassifier": ({"n_neighbors": 1}, {"n_neighbors": 0}), "VLAD": ({"k": 3}, {"power": 2.0}),
    "FisherVector": ({"gradients": "means and variances"}, {"gradients": "none"}),
    "TEmbedding": ({"k": 4}, {"k": 1}), "NBNN": ({"seed": 1}, {"metric": "ip"}),
    "LocalNBNN": ({"n_neighbors": 3}, {"n_neighbors": 0}),
}  # fmt: skip


def data(name: str, d: int = D, seed: int = 0) -> tuple[Any, Any]:
    """X and y to fit with."""
    if name in OF_PHOTOS:
        return photos(d, seed), np.arange(12) % 2
    return vectors(d, seed=seed), labels()


def answer(model: Any, X: Any) -> Any:
    return model.transform(X) if hasattr(model, "transform") else model.predict(X)


def fitted(name: str, **changed: Any) -> Any:
    return ALL[name]().set_params(**changed).fit(*data(name))


def test_all_estimators_are_here() -> None:
    rooms = ("transform", "quantize", "manifold", "words", "aggregate", "classify")
    for room in rooms:
        for target in catalogue(room).values():
            cls = resolve(target)
            assert not issubclass(cls, Estimator) or cls.__name__ in ALL


@pytest.mark.parametrize("name", ALL)
def test_parameters_by_name(name: str) -> None:
    model = ALL[name]()
    params = model.get_params()
    assert model.set_params() is model and model.set_params(**params) is model
    assert model.get_params() == params
    changed, refused = OTHERS[name]
    model.set_params(**changed)
    assert model.get_params() == {**params, **changed}
    assert type(model).__name__ in repr(model) and f"{next(iter(changed))}=" in repr(model)
    with pytest.raises(ValueError, match="unknown_name"):
        model.set_params(unknown_name=1)
    assert model.get_params() == {**params, **changed}
    with pytest.raises(ValueError, match=next(iter(refused))):
        model.set_params(**refused).fit(*data(name))


@pytest.mark.parametrize("name", ALL)
def test_a_changed_parameter_counts_at_the_next_fit(name: str) -> None:
    X, y = data(name)
    changed, _ = OTHERS[name]
    later = fitted(name).set_params(**changed).fit(X, y)
    once = type(later)(**{**ALL[name]().get_params(), **changed}).fit(X, y)
    np.testing.assert_array_equal(answer(later, X), answer(once, X))


@pytest.mark.parametrize("name", ALL)
def test_fit_returns_itself_and_forgets_what_was_before(name: str) -> None:
    X, y = data(name)
    model = ALL[name]()
    assert model.fit(*data(name, d=6, seed=1)) is model and model.n_features_in_ == 6
    assert model.fit(X, y) is model and model.n_features_in_ == D
    np.testing.assert_array_equal(answer(model, X), answer(fitted(name), X))


@pytest.mark.parametrize("name", ALL)
def test_use_before_fit(name: str) -> None:
    X, _ = data(name)
    model = ALL[name]()
    with pytest.raises(kf.NotTrainedError, match=type(model).__name__):
        answer(model, X)
    exceptions = pytest.importorskip("sklearn.exceptions")
    validation = pytest.importorskip("sklearn.utils.validation")
    with pytest.raises(exceptions.NotFittedError):
        answer(model, X)
    with pytest.raises(exceptions.NotFittedError):
        validation.check_is_fitted(model)
    validation.check_is_fitted(fitted(name))


@pytest.mark.parametrize("name", ALL)
def test_clones_know_the_parameters_alone(name: str) -> None:
    base = pytest.importorskip("sklearn.base")
    model = fitted(name, **OTHERS[name][0])
    other = base.clone(model)
    assert other.get_params() == model.get_params() and type(other) is type(model)
    with pytest.raises(kf.NotTrainedError):
        answer(other, data(name)[0])


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "joblib", "joblib mapped"])
@pytest.mark.parametrize("name", ALL)
def test_copies_answer_alike(name: str, how: str, tmp_path: Any) -> None:
    X, _ = data(name)
    model = fitted(name)
    if how.startswith("joblib"):
        joblib = pytest.importorskip("joblib")
        joblib.dump(model, tmp_path / "model")
        other = joblib.load(tmp_path / "model", mmap_mode="r" if how.endswith("mapped") else None)
    else:
        other = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
    np.testing.assert_array_equal(answer(other, X), answer(model, X))
    assert other.get_params() == model.get_params() and other.n_features_in_ == D
    unfitted = pickle.loads(pickle.dumps(ALL[name]()))
    assert unfitted.get_params() == ALL[name]().get_params()


@pytest.mark.parametrize("name", OF_VECTORS)
def test_numbers_of_any_kind(name: str) -> None:
    X = np.round(8 * vectors())
    expected = answer(ALL[name]().fit(X, labels()), X)
    for given in (X.astype(np.float64), X.astype(np.int32), X.tolist(), np.asfortranarray(X)):
        np.testing.assert_array_equal(answer(ALL[name]().fit(given, labels()), given), expected)


@pytest.mark.parametrize("name", OF_VECTORS)
def test_vectors_of_another_dimension(name: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)5.*{D}|{D}.*5"):
        answer(fitted(name), vectors(5))


@pytest.mark.parametrize("name", [name for name in ALL if name not in CLASSIFIERS])
def test_names_of_what_comes_out(name: str) -> None:
    X, _ = data(name)
    model = fitted(name)
    names = model.get_feature_names_out()
    assert names.dtype == object and len(set(names)) == len(names) == model.transform(X).shape[1]
    assert names[0] == f"{name.lower()}0"
    np.testing.assert_array_equal(model.get_feature_names_out([f"x{i}" for i in range(D)]), names)
    with pytest.raises(ValueError, match="input_features"):
        model.get_feature_names_out(["one"])
    with pytest.raises(kf.NotTrainedError):
        ALL[name]().get_feature_names_out()


@pytest.mark.parametrize("name", [name for name in ALL if name not in CLASSIFIERS])
def test_output_in_a_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in tells that, and how, pandas is asked; pandas itself below."""
    asked = []

    def frame(values: Any, columns: Any, index: Any, copy: bool) -> Any:
        asked.append((values, columns, index))
        return "a table"

    X, y = data(name)
    plain = fitted(name).transform(X)
    model = ALL[name]()
    assert model.set_output(transform="pandas") is model and model.set_output() is model
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=frame))
    assert model.fit(X, y).transform(X) == "a table"
    np.testing.assert_array_equal(asked[0][0], plain)
    assert asked[0][1] == list(model.get_feature_names_out()) and asked[0][2] is None
    assert model.fit_transform(X, y) == "a table" and np.shape(asked[1][0]) == plain.shape
    assert pickle.loads(pickle.dumps(model)).transform(X) == "a table"
    np.testing.assert_array_equal(model.set_output(transform="default").transform(X), plain)
    with pytest.raises(ValueError, match="transform: expected one of default, pandas, polars"):
        model.set_output(transform="numpy")


@pytest.mark.parametrize("name", OF_VECTORS)
def test_tables_in_and_out(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = data(name)
    table = pandas.DataFrame(X, columns=list("abcd"), index=np.arange(len(X)) + 100)
    model = ALL[name]().fit(table, y)
    assert list(model.feature_names_in_) == list("abcd")
    found = answer(model, table)
    np.testing.assert_array_equal(found, answer(fitted(name), X))
    with pytest.raises(ValueError, match="(?s)feature names should match.*same order"):
        answer(model, table[list("dcba")])
    with pytest.raises(
        ValueError, match=r"(?s)feature names should match.*unseen.*- e.*missing.*- d"
    ):
        answer(model, table.rename(columns={"d": "e"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        answer(model, X)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        answer(fitted(name), table)
    assert not hasattr(model.fit(X, y), "feature_names_in_")
    if name not in CLASSIFIERS:
        told = ALL[name]().set_output(transform="pandas").fit(table, y).transform(table)
        assert list(told.index) == list(table.index)
        compose = pytest.importorskip("sklearn.compose")
        columns = compose.ColumnTransformer([("own", ALL[name](), list("abcd"))])
        both = columns.set_output(transform="pandas").fit_transform(table, y)
        assert both.columns[0] == f"own__{name.lower()}0"


@pytest.mark.parametrize("name", [name for name in ALL if name not in CLASSIFIERS])
def test_steps_of_a_pipeline(name: str) -> None:
    pipeline = pytest.importorskip("sklearn.pipeline")
    X, y = data(name)
    whole = pipeline.make_pipeline(ALL[name](), kf.KNNClassifier(n_neighbors=1))
    assert whole.fit(X, y).score(X, y) >= 0.5
    steps = [whole[0].transform(X), y]
    np.testing.assert_array_equal(whole.predict(X), whole[1].predict(steps[0]))


@pytest.mark.parametrize("name", OF_VECTORS)
def test_searches_over_parameters(name: str) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    X, y = data(name)
    ((parameter, value),) = OTHERS[name][0].items()
    model, key = ALL[name](), parameter
    if name not in CLASSIFIERS:
        model = pipeline.Pipeline([("own", model), ("classes", kf.KNNClassifier())])
        key = f"own__{parameter}"
    values = [ALL[name]().get_params()[parameter], value]
    search = selection.GridSearchCV(model, {key: values}, cv=3, error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert search.fit(X, y).best_params_[key] in values


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_scores_with_weights(name: str) -> None:
    X, y = data(name)
    model = fitted(name)
    wrong = np.where(np.arange(len(y)) < 3, y + 1, y)
    right = model.predict(X) == wrong
    assert 0 < right.sum() < len(right)
    weights = np.random.default_rng(0).random(len(y))
    for given in (weights, weights * 1e-300, weights.tolist()):
        expected = np.average(right, weights=weights)
        assert model.score(X, wrong, sample_weight=given) == pytest.approx(expected, rel=1e-9)
    assert model.score(X, wrong, sample_weight=right) == 1.0
    assert model.score(X, wrong) == model.score(X, wrong, np.ones(len(y))) == right.mean()
    for bad in (weights[1:], weights[:, None], -weights, np.zeros(len(y)), np.full(len(y), np.nan)):
        with pytest.raises(ValueError, match="sample_weight: expected"):
            model.score(X, wrong, sample_weight=bad)


def test_k_means_by_scikit_learns_names() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    X = vectors()
    start = X[:3]
    ours = kf.KMeans(3, iterations=100, verbose=False).fit(X, start=start)
    theirs = cluster.KMeans(3, init=start, n_init=1, tol=0, max_iter=100).fit(X)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-4)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_array_equal(ours.predict(X), ours.labels_)
    again = kf.KMeans(3, verbose=False)
    np.testing.assert_array_equal(again.fit_predict(X), again.labels_)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-4)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-4)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), atol=1e-4)
    assert ours.n_iter_ >= 1
    batches = kf.KMeans(3, batch=20, verbose=False).fit(X)
    np.testing.assert_array_equal(batches.labels_, batches.predict(X))
    sampled = kf.KMeans(3, sample=5, verbose=False).fit(X)
    with pytest.raises(AttributeError, match="predict"):
        sampled.labels_  # noqa: B018


def test_components_by_scikit_learns_names() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    X = vectors()
    ours, theirs = kf.PCA(2).fit(X), decomposition.PCA(2).fit(X)
    signs = np.sign((ours.components_ * theirs.components_).sum(axis=1))[:, None]
    np.testing.assert_allclose(ours.components_ * signs, theirs.components_, atol=1e-5)
    np.testing.assert_allclose(
        ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-5
    )
    np.testing.assert_allclose(
        ours.explained_variance_, theirs.explained_variance_ * (N - 1) / N, rtol=1e-5
    )
    np.testing.assert_allclose(ours.mean_, theirs.mean_, rtol=1e-5)
    assert ours.n_components_ == theirs.n_components_ == 2


def test_classes_stand_for_their_pairs() -> None:
    X, y = vectors(), labels()
    pairs = [
        (i, j) for c in range(3) for i in range(N) for j in range(i + 1, N) if y[i] == y[j] == c
    ]
    named = np.array(["a", "b", "c"])[y]
    for given in (y, named, y.tolist()):
        np.testing.assert_array_equal(
            kf.LearnedWhitening().fit(X, given).transform(X),
            kf.LearnedWhitening().fit(X, pairs).transform(X),
        )
    with pytest.raises(ValueError, match="pairs: expected"):
        kf.LearnedWhitening().fit(X)
    with pytest.raises(ValueError, match="pairs: expected"):
        kf.LearnedWhitening().fit(X, np.arange(N))
