"""Isomap against scikit-learn, and against surfaces whose geodesics are known."""

from __future__ import annotations

import numpy as np
import pytest
from conventions import check_saved, check_with_scikit_learn, distance_up_to_signs

import kinfold as kf
from kinfold.datasets.manifolds import s_curve, swiss_roll


@pytest.mark.parametrize("n", [300, 1700])  # in double precision and not
def test_equals_scikit_learn(n) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    roll = swiss_roll(n, seed=1)
    ours = kf.Isomap(2, n_neighbors=8).fit(roll.points)
    theirs = manifold.Isomap(n_components=2, n_neighbors=8).fit(roll.points.astype(np.float64))
    assert distance_up_to_signs(ours.embedding_, theirs.embedding_) < 1e-5
    more = swiss_roll(40, seed=2, noise=0.2).points
    placed = theirs.transform(more.astype(np.float64))
    assert distance_up_to_signs(ours.transform(more), placed) < 1e-5


def test_unrolls_the_roll_and_says_when_it_does_not() -> None:
    roll = swiss_roll(800, seed=0)
    flat = kf.Isomap(2, n_neighbors=7).fit(roll.points)
    assert flat.residual_variance_ < 0.005
    along = np.corrcoef(flat.embedding_[:, 0], roll.coordinates[:, 0])[0, 1]
    assert abs(along) > 0.999
    # So many neighbours reach across to the next turn.
    assert kf.Isomap(2, n_neighbors=60).fit(roll.points).residual_variance_ > 0.05


def test_all_joined_is_classical_scaling(rng) -> None:
    x = rng.standard_normal((60, 4)).astype(np.float32)
    ours = kf.Isomap(4, n_neighbors=59).fit_transform(x)
    assert distance_up_to_signs(ours, kf.PCA(4).fit_transform(x)) < 1e-4


def test_training_points_stay_where_they_are() -> None:
    for landmarks in (None, 60):
        curve = s_curve(500, seed=3).points
        model = kf.Isomap(2, n_neighbors=8, landmarks=landmarks).fit(curve)
        scale = np.abs(model.embedding_).max()
        assert np.abs(model.transform(curve) - model.embedding_).max() < 1e-3 * scale


def test_landmarks_come_near_all() -> None:
    roll = swiss_roll(900, seed=4)
    whole = kf.Isomap(2, n_neighbors=8).fit(roll.points)
    few = kf.Isomap(2, n_neighbors=8, landmarks=100).fit(roll.points)
    # Up to a rotation and the centre: Procrustes.
    centred = few.embedding_ - few.embedding_.mean(axis=0)
    left, _, right = np.linalg.svd(centred.T @ whole.embedding_)
    gaps = centred @ (left @ right) - whole.embedding_
    assert np.sqrt((gaps**2).mean()) < 0.02 * whole.embedding_.std()
    assert few.residual_variance_ < 0.01
    # As many landmarks as points are no landmarks.
    every = kf.Isomap(2, n_neighbors=8, landmarks=900).fit(roll.points)
    np.testing.assert_array_equal(every.embedding_, whole.embedding_)


def test_order_of_points_and_threads_change_nothing(rng) -> None:
    x = swiss_roll(700, seed=5).points
    order = rng.permutation(len(x))
    with kf.use_threads(1):
        one = kf.Isomap(2, n_neighbors=8).fit(x)
    with kf.use_threads(3):
        three = kf.Isomap(2, n_neighbors=8).fit(x)
    np.testing.assert_array_equal(one.embedding_, three.embedding_)
    shuffled = kf.Isomap(2, n_neighbors=8).fit(x[order])
    assert distance_up_to_signs(shuffled.embedding_, one.embedding_[order]) < 1e-5


@pytest.mark.filterwarnings("ignore:Changing the sparsity structure")
def test_parts_are_joined_as_scikit_learn_joins_them() -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    x = np.concatenate([s_curve(150, seed=6).points, s_curve(140, seed=7).points + 9])
    with pytest.warns(UserWarning, match="falls into 2 parts"):
        ours = kf.Isomap(2, n_neighbors=12).fit(x)
    with pytest.warns(UserWarning, match="connected components"):
        theirs = manifold.Isomap(n_components=2, n_neighbors=12).fit(x.astype(np.float64))
    assert distance_up_to_signs(ours.embedding_, theirs.embedding_) < 1e-5


def test_duplicates_few_points_and_cosines(rng) -> None:
    x = rng.standard_normal((40, 3)).astype(np.float32)
    twice = np.concatenate([x, x, x])
    model = kf.Isomap(2, n_neighbors=9).fit(twice)
    assert np.abs(model.embedding_[:40] - model.embedding_[80:]).max() < 1e-5
    assert kf.Isomap(1).fit([[0.0], [3.0]]).embedding_.ravel() == pytest.approx([1.5, -1.5])
    same = kf.Isomap(2).fit(np.ones((5, 3)))
    assert (same.embedding_ == 0).all() and same.residual_variance_ == 0
    angles = kf.Isomap(2, n_neighbors=9, metric="cosine").fit(x)
    again = kf.Isomap(2, n_neighbors=9, metric="cosine").fit(x * rng.uniform(1, 9, (40, 1)))
    assert distance_up_to_signs(angles.embedding_, again.embedding_) < 1e-4


def test_bad_arguments() -> None:
    x = swiss_roll(30).points
    for words, call in {
        "n_components: ": lambda: kf.Isomap(30).fit(x),
        "n_neighbors: ": lambda: kf.Isomap(n_neighbors=0).fit(x),
        "landmarks: ": lambda: kf.Isomap(5, landmarks=3).fit(x),
        "metric: ": lambda: kf.Isomap(metric="l1").fit(x),
        "seed: ": lambda: kf.Isomap(seed=-1).fit(x),
        "X: expected finite": lambda: kf.Isomap().fit(x * np.nan),
        "X: expected at least 2": lambda: kf.Isomap().fit(x[:1]),
        "is expecting 3 features": lambda: kf.Isomap().fit(x).transform(x[:, :2]),
    }.items():
        with pytest.raises(ValueError, match=words):
            call()


def test_saved(tmp_path) -> None:
    x = swiss_roll(60).points
    check_saved(kf.Isomap(2, n_neighbors=9, landmarks=20).fit(x), x[:9] + 0.1, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_it() -> None:
    check_with_scikit_learn(kf.Isomap())


def test_poses_of_an_object_form_a_circle(shared) -> None:
    path = shared / "data" / "coil20" / "coil20.npz"
    if not path.is_file():
        pytest.skip("optional data: no COIL-20")
    views = np.load(path)["images"][3].astype(np.float32) / 255  # the fourth object
    x = views.reshape(72, 32, 4, 32, 4).mean(axis=(2, 4)).reshape(72, -1)
    plane = kf.Isomap(2, n_neighbors=4).fit_transform(x)
    angle = np.unwrap(np.arctan2(plane[:, 1], plane[:, 0]))
    assert abs(angle[-1] - angle[0]) == pytest.approx(2 * np.pi, rel=0.1)
    assert (np.sign(np.diff(angle)) == np.sign(angle[-1] - angle[0])).mean() > 0.9
