"""Spatial verification: known maps are recovered, whatever the order, the threads and the level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.local.verify import Verification, outline, project, verify, verify_many

NONE = np.empty((0, 128), np.uint8)


def features(positions: np.ndarray, scales: np.ndarray, angles: np.ndarray) -> LocalFeatures:
    return LocalFeatures(
        positions.astype(np.float32), scales.astype(np.float32), angles.astype(np.float32), NONE
    )


def scene(
    rng: np.random.Generator, inliers: int = 100, outliers: int = 400, noise: float = 1.0
) -> tuple[LocalFeatures, LocalFeatures, np.ndarray, np.ndarray]:
    """Features under a known similarity, whose scales and angles are noisy, and outliers."""
    n = inliers + outliers
    # Errors count in both images: where the photo is larger, its noise is the larger error.
    scale, turn = float(np.exp(rng.uniform(0, 0.7))), float(rng.uniform(-3, 3))
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = rng.uniform(-100, 100, 2)
    a = rng.uniform(0, 640, (n, 2))
    b = a @ matrix.T + shift + noise * rng.standard_normal((n, 2))
    b[inliers:] = rng.uniform(-500, 1000, (outliers, 2))
    scales, angles = rng.uniform(2, 12, n), rng.uniform(-np.pi, np.pi, n)
    photo_scales = scales * scale * np.exp(0.1 * rng.standard_normal(n))
    photo_angles = angles + turn + 0.1 * rng.standard_normal(n)
    photo_scales[inliers:], photo_angles[inliers:] = (
        rng.uniform(2, 12, outliers),
        rng.uniform(-3, 3, outliers),
    )
    truth = np.eye(3)
    truth[:2, :2], truth[:2, 2] = matrix, shift
    return (
        features(a, scales, angles),
        features(b, photo_scales, photo_angles),
        np.column_stack([np.arange(n)] * 2),
        truth,
    )


@pytest.mark.parametrize("model", ["similarity", "affine", "homography"])
@pytest.mark.parametrize("seed", range(6))
def test_a_known_similarity_is_recovered(seed: int, model: str, level: str) -> None:
    query, photo, pairs, truth = scene(np.random.default_rng(seed))
    found = verify(query, photo, pairs, tolerance=4.0, model=model)
    assert found.inliers >= 98 and (found.pairs[:, 0] < 100).sum() >= 98
    assert np.linalg.norm(found.matrix[:2, :2] - truth[:2, :2]) <= 1e-2 * np.linalg.norm(
        truth[:2, :2]
    )
    corners = np.array([[0, 0], [640, 0], [640, 480], [0, 480.0]])
    assert np.abs(project(corners, found.matrix) - project(corners, truth)).max() < 4


def same(a: Verification, b: Verification) -> bool:
    return a.inliers == b.inliers and np.array_equal(a.matrix, b.matrix)


def test_order_threads_and_level_change_nothing(
    level: str, threads: int, rng: np.random.Generator
) -> None:
    from kinfold import _core

    query, photo, pairs, _ = scene(np.random.default_rng(5), 60, 200)
    shuffled = rng.permutation(len(pairs))
    results = verify_many(query, [photo] * 9, [pairs] * 8 + [pairs[shuffled]])
    _core.set_level("baseline")
    reference = verify(query, photo, pairs)
    for got in results:
        assert same(got, reference)
    assert sorted(map(tuple, results[-1].pairs)) == sorted(map(tuple, reference.pairs))
    parts = np.concatenate([reference.pairs, reference.rejected])
    assert sorted(map(tuple, parts)) == sorted(map(tuple, pairs))
    assert len(verify(query, photo, pairs[:1], tolerance=1e-3).rejected) <= 1


def test_agrees_with_an_exhaustive_oracle(rng: np.random.Generator) -> None:
    """No similarity from one correspondence explains more than the refined map does, up to refinement's losses."""
    for _ in range(10):
        query, photo, pairs, _ = scene(rng, 15, 35, noise=0.5)
        best = 0
        for i, j in pairs:
            s = photo.scales[j] / query.scales[i]
            t = photo.angles[j] - query.angles[i]
            m = s * np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
            gaps = (
                (query.positions - query.positions[i]) @ m.T + photo.positions[j] - photo.positions
            )
            error = np.linalg.norm(gaps, axis=1) * max(1.0, 1 / s)
            ratio = np.abs(np.log(photo.scales / query.scales / s))
            best = max(best, int(((error <= 8) & (ratio <= np.log(2.5))).sum()))
        assert verify(query, photo, pairs, tolerance=8.0).inliers >= best


def test_the_same_photo_is_the_identity(rng: np.random.Generator) -> None:
    query, _, pairs, _ = scene(rng, 80, 0)
    found = verify(query, query, pairs)
    assert found.inliers == 80
    np.testing.assert_allclose(found.matrix, np.eye(3), atol=1e-4)


def test_upright_photos_need_no_angles(rng: np.random.Generator) -> None:
    a = rng.uniform(0, 500, (50, 2))
    query = features(a, np.full(50, 3.0), rng.uniform(-3, 3, 50))
    photo = features(a * 1.5 + 20, np.full(50, 4.5), rng.uniform(-3, 3, 50))
    pairs = np.column_stack([np.arange(50)] * 2)
    found = verify(query, photo, pairs, use_angles=False)
    assert found.inliers == 50
    np.testing.assert_allclose(found.matrix, [[1.5, 0, 20], [0, 1.5, 20], [0, 0, 1]], atol=1e-3)


def test_each_feature_counts_once() -> None:
    one = features(np.array([[10.0, 10.0]]), np.array([2.0]), np.array([0.0]))
    many = features(np.tile([[10.0, 10.0]], (30, 1)), np.full(30, 2.0), np.zeros(30))
    pairs = np.column_stack([np.zeros(30, int), np.arange(30)])
    assert verify(one, many, pairs).inliers == 1


HARD = {
    "nothing": (np.empty((0, 2)), np.empty((0, 2))),
    "one": (np.ones((1, 2)), np.ones((1, 2))),
    "two": (np.eye(2), np.eye(2)),
    "all in one place": (np.ones((40, 2)), np.ones((40, 2))),
    "on a line": (np.outer(np.arange(40.0), [1, 2]), np.outer(np.arange(40.0), [2, 1])),
    "far away": (1e6 + np.arange(80.0).reshape(40, 2), 1e6 + np.arange(80.0).reshape(40, 2)),
    "further": (np.full((5, 2), 3e38), np.full((5, 2), -3e38)),
}


@pytest.mark.parametrize("model", ["similarity", "affine", "homography"])
@pytest.mark.parametrize("name", HARD)
def test_degenerate_input_neither_crashes_nor_lies(name: str, model: str) -> None:
    a, b = HARD[name]
    n = len(a)
    query, photo = (features(p, np.full(n, 2.0), np.zeros(n)) for p in (a, b))
    found = verify(query, photo, np.column_stack([np.arange(n)] * 2), model=model)
    assert 0 <= found.inliers <= n and np.isfinite(found.matrix).all()
    if name == "all in one place":
        assert found.inliers <= 1


def test_mirrored_photos_do_not_match(rng: np.random.Generator) -> None:
    a = rng.uniform(0, 500, (60, 2))
    query = features(a, np.full(60, 3.0), np.zeros(60))
    photo = features(a * [-1, 1] + [500, 0], np.full(60, 3.0), np.zeros(60))
    assert verify(query, photo, np.column_stack([np.arange(60)] * 2)).inliers < 15


def test_bad_input() -> None:
    good = features(np.eye(2), np.ones(2), np.zeros(2))
    pairs = [[0, 0], [1, 1]]
    for bad in (
        features(np.full((2, 2), np.nan), np.ones(2), np.zeros(2)),
        features(np.eye(2), np.zeros(2), np.zeros(2)),
        features(np.eye(2), np.ones(2), np.full(2, np.inf)),
        features(np.eye(2), np.ones(3), np.zeros(2)),
    ):
        with pytest.raises(ValueError, match="^query: expected"):
            verify(bad, good, pairs)
        with pytest.raises(ValueError, match="^photos: expected"):
            verify(good, bad, pairs)
    for bad_pairs in ([[0, 2]], [[-1, 0]], [[0.5, 0]], [0, 1], [[0, 1, 2]]):
        with pytest.raises(ValueError, match="^correspondences: expected"):
            verify(good, good, bad_pairs)
    with pytest.raises(ValueError, match="^model: expected one of"):
        verify(good, good, pairs, model="fundamental")
    for option in ("tolerance", "coarse_tolerance"):
        for value in (0, -1, np.nan, 1e20):
            with pytest.raises(ValueError, match=f"^{option}: expected"):
                verify(good, good, pairs, **{option: value})
    with pytest.raises(ValueError, match="^correspondences: expected one list"):
        verify_many(good, [good, good], [pairs])


def test_outline() -> None:
    matrix = np.array([[2.0, 0, 5], [0, 2, 7], [0, 0, 1]])
    np.testing.assert_array_equal(
        outline((0, 0, 10, 20), matrix), [[5, 7], [25, 7], [25, 47], [5, 47]]
    )
    assert np.isinf(project([[0, 0]], np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1.0]]))).all()


@pytest.mark.parametrize("hypotheses", ["single", "sampled"])
@pytest.mark.parametrize(("number", "pixels"), [(2, 1.5), (3, 2.5), (4, 4.0)])
def test_graffiti(number: int, pixels: float, hypotheses: str, shared: Path) -> None:
    """Real photos of a wall with a measured homography (Mikolajczyk & Schmid): median error over the first photo."""
    pytest.importorskip("cv2")
    from kinfold.images.decode import decode
    from kinfold.local.match import match
    from kinfold.local.sift import SIFT

    folder = shared / "data" / "graf"
    photos = [decode(folder / f"img{i}.png").pixels for i in (1, number)]
    first, other = (SIFT().extract(photo) for photo in photos)
    found = verify(
        first, other, match(first, other), model="homography", hypotheses=hypotheses, tolerance=4.0
    )
    truth = np.loadtxt(folder / f"H1to{number}p")
    height, width = photos[0].shape[:2]
    grid = np.stack(np.meshgrid(np.arange(0, width, 20), np.arange(0, height, 20)), -1)
    there = project(grid.reshape(-1, 2), truth)
    inside = ((there >= 0) & (there < [photos[1].shape[1], photos[1].shape[0]])).all(axis=1)
    gap = np.linalg.norm(project(grid.reshape(-1, 2), found.matrix) - there, axis=1)[inside]
    assert found.inliers > 20 and np.median(gap) < pixels


@pytest.mark.parametrize("model", ["similarity", "affine", "homography"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.9])
def test_any_share_of_outliers(share: float, model: str) -> None:
    """From single correspondences and from samples: planted inliers are found, and not many more."""
    planted = round(300 * (1 - share))
    query, photo, pairs, truth = scene(np.random.default_rng(7), planted, 300 - planted)
    for hypotheses in ("single", "sampled"):
        # A sample of four clean ones among nine outliers in ten is too rare to wait for.
        if hypotheses == "sampled" and share == 0.9 and model != "similarity":
            continue
        found = verify(query, photo, pairs, tolerance=4.0, model=model, hypotheses=hypotheses)
        assert (found.pairs[:, 0] < planted).sum() >= 0.97 * planted
        assert found.inliers <= planted + 3 + 0.02 * 300
        corners = np.array([[0, 0], [640, 0], [640, 480], [0, 480.0]])
        gap = np.abs(project(corners, found.matrix) - project(corners, truth)).max()
        assert gap < (4 if planted > 100 else 12)


def test_samples_are_repeatable_in_any_order_and_at_every_level(
    level: str, threads: int, rng: np.random.Generator
) -> None:
    from kinfold import _core

    query, photo, pairs, _ = scene(np.random.default_rng(5), 60, 90)
    shuffled = rng.permutation(len(pairs))
    quality = np.where(pairs[:, 0] < 60, 2.0, 1.0)
    for model in ("similarity", "affine", "homography"):
        for given in (None, [quality, quality, quality[shuffled]]):
            results = verify_many(
                query, [photo] * 3, [pairs, pairs, pairs[shuffled]],
                model=model, hypotheses="sampled", seed=3, qualities=given,
            )  # fmt: skip
            _core.set_level("baseline")
            again = verify(
                query, photo, pairs, model=model, hypotheses="sampled", seed=3,
                qualities=None if given is None else given[:1],
            )  # fmt: skip
            _core.set_level(level)
            assert all(same(got, again) for got in results)


def test_good_correspondences_first_need_few_samples() -> None:
    query, photo, pairs, _ = scene(np.random.default_rng(2), 30, 270)
    quality = np.where(pairs[:, 0] < 30, 1.0, 0.0)
    options = {"model": "affine", "hypotheses": "sampled", "samples": 200, "tolerance": 4.0}
    blind = verify(query, photo, pairs, **options)
    led = verify(query, photo, pairs, qualities=[quality], **options)
    assert led.inliers >= 28 > blind.inliers


def test_samples_need_no_scales_and_angles(rng: np.random.Generator) -> None:
    query, photo, pairs, _ = scene(rng, 100, 60)
    blank = [features(f.positions, np.ones(160), np.zeros(160)) for f in (query, photo)]
    found = verify(*blank, pairs, hypotheses="sampled", scale_factor=1e6, tolerance=4.0)
    assert (found.pairs[:, 0] < 100).sum() >= 97


def test_a_homography_is_recovered(level: str, rng: np.random.Generator) -> None:
    truth = np.array([[0.9, 0.1, 20], [-0.05, 1.1, 5], [4e-4, -2e-4, 1.0]])
    a = rng.uniform(0, 640, (200, 2))
    b = project(a, truth) + 0.3 * rng.standard_normal((200, 2))
    b[120:] = rng.uniform(0, 640, (80, 2))
    w = a @ truth[2, :2] + 1
    scales = np.full(200, 4.0)
    grown = scales * np.sqrt(np.linalg.det(truth) / w**3)
    query, photo = features(a, scales, np.zeros(200)), features(b, grown, np.zeros(200))
    pairs = np.column_stack([np.arange(200)] * 2)
    corners = np.array([[0, 0], [640, 0], [640, 640], [0, 640.0]])
    for hypotheses in ("single", "sampled"):
        found = verify(
            query, photo, pairs, model="homography", hypotheses=hypotheses, tolerance=3.0
        )
        assert (found.pairs[:, 0] < 120).sum() >= 118
        assert np.abs(project(corners, found.matrix) - project(corners, truth)).max() < 2


def test_shapes_propose_affine_maps(rng: np.random.Generator) -> None:
    """A tilt that no similarity follows is found from one correspondence where features have affine frames."""
    tilt = np.array([[1.0, 0.3], [0.0, 0.25]])
    n = 60
    a = rng.uniform(0, 600, (n, 2))
    b = a @ tilt.T + [30, 50]
    b[30:] = rng.uniform(0, 300, (n - 30, 2))
    frames = 3 * rng.standard_normal((n, 2, 2)) * 0.2 + 3 * np.eye(2)
    seen = tilt @ frames
    query, photo = (
        replace(
            features(p, np.sqrt(np.abs(np.linalg.det(f))), np.zeros(n)), shapes=f.astype(np.float32)
        )
        for p, f in ((a, frames), (b, seen))
    )
    pairs = np.column_stack([np.arange(n)] * 2)
    options = {"refined": 1, "coarse_tolerance": 3.0, "tolerance": 3.0}
    found = verify(query, photo, pairs, **options)
    assert found.inliers >= 30
    np.testing.assert_allclose(found.matrix[:2, :2], tilt, atol=1e-2)
    plain = [replace(f, shapes=None) for f in (query, photo)]
    assert verify(*plain, pairs, **options).inliers < 20


def test_mirrored_photos_on_demand(rng: np.random.Generator) -> None:
    a, angles = rng.uniform(0, 500, (60, 2)), rng.uniform(-3, 3, 60)
    query = features(a, np.full(60, 3.0), angles)
    # A mirror from left to right turns a direction t to pi - t; the mirrored frame is turned over: angles stay.
    photo = features(a * [-1, 1] + [500, 0], np.full(60, 3.0), np.pi - angles)
    pairs = np.column_stack([np.arange(60)] * 2)
    flip = [[-1, 0, 500], [0, 1, 0], [0, 0, 1]]
    for hypotheses in ("single", "sampled"):
        for model in ("similarity", "affine", "homography"):
            found = verify(query, photo, pairs, mirrored=True, model=model, hypotheses=hypotheses)
            assert found.inliers == 60
            np.testing.assert_allclose(found.matrix, flip, atol=1e-2)
    upright = verify(query, photo, pairs, mirrored=True, use_angles=False)
    assert upright.inliers == 60


def test_thousands_of_equal_features_and_renumbered_ones(rng: np.random.Generator) -> None:
    n = 3000
    one_place = features(np.full((n, 2), 7.0), np.full(n, 2.0), np.zeros(n))
    pairs = np.column_stack([np.arange(n)] * 2)
    assert verify(one_place, one_place, pairs).inliers == 1
    # Rows that are numbered otherwise name the same features.
    query, photo, pairs, _ = scene(rng, 40, 60)
    order = rng.permutation(100)
    place = np.argsort(order)
    other = features(query.positions[order], query.scales[order], query.angles[order])
    again = verify(other, photo, np.column_stack([place, np.arange(100)]))
    assert same(again, verify(query, photo, pairs))


def test_bad_options() -> None:
    good = features(np.eye(2), np.ones(2), np.zeros(2))
    pairs = [[0, 0], [1, 1]]
    for options in ({"hypotheses": "guessed"}, {"confidence": 1.0}, {"samples": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=f"^{next(iter(options))}: expected"):
            verify(good, good, pairs, **options)
    for qualities in ([], [[1.0]], [[1.0, np.nan]]):
        with pytest.raises(ValueError, match="^qualities: expected"):
            verify(good, good, pairs, qualities=qualities)
    for shapes in (np.ones((1, 2, 2)), np.full((2, 2, 2), np.nan)):
        with pytest.raises(ValueError, match="^photos: expected finite shapes"):
            verify(good, replace(good, shapes=shapes), pairs)


def test_opencv_finds_no_more(rng: np.random.Generator) -> None:
    cv2 = pytest.importorskip("cv2")
    query, photo, pairs, _ = scene(rng, 80, 200)
    mask = cv2.estimateAffinePartial2D(
        query.positions, photo.positions, method=cv2.RANSAC, ransacReprojThreshold=4.0
    )[1]
    assert verify(query, photo, pairs, tolerance=4.0).inliers >= 0.95 * int(mask.sum())
