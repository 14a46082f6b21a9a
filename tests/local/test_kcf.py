from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
from marked import CUTS, MARKED
from moving import film, texture

from kinfold.local.kcf import KCF, overlap


def followed(frames, boxes, **options):
    tracker = KCF(frames[0], boxes[0], **options)
    return [tracker.update(frame) for frame in frames[1:]]


@pytest.mark.parametrize("features", ["hog", "grey"])
def test_the_filter_is_ridge_regression_over_all_shifts(features) -> None:
    """The Fourier transform solves what one may solve with a matrix of all pairs of shifts."""
    random = np.random.default_rng(3)
    frame = texture(random, 80, 80)
    size = (24, 16) if features == "hog" else (8, 6)
    tracker = KCF(frame, (20, 24, 20 + size[0], 24 + size[1]), features=features)
    columns, rows = tracker._cells
    window = np.fft.irfft2(tracker._model, s=(rows, columns), axes=(0, 1)).astype(np.float64)
    shifts = np.stack([
        np.roll(window, (i, j), (0, 1)).ravel() for i in range(rows) for j in range(columns)
    ])  # fmt: skip
    squares = ((shifts[:, None] - shifts) ** 2).mean(axis=2)
    kernel = np.exp(-squares / (0.5 if features == "hog" else 0.2) ** 2)
    target = np.fft.irfft2(tracker._target, s=(rows, columns)).ravel()
    alphas = np.fft.irfft2(tracker._alphas, s=(rows, columns)).ravel()
    np.testing.assert_allclose((kernel + 1e-4 * np.eye(len(kernel))) @ alphas, target, atol=0.01)
    assert target[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("noise", [0, 15])
@pytest.mark.parametrize("share", [0.05, 0.15, 0.25])
@pytest.mark.parametrize("size", [(24, 24), (56, 40)])
def test_textures_are_followed(size, share, noise) -> None:
    """Thirty frames later the box is where the texture is, also at a quarter of its size a frame."""
    speed = (share * size[0] * 0.8, share * size[1] * 0.6)
    for seed in range(2):
        frames, boxes = film(size, speed, noise=noise, seed=seed)
        found = followed(frames, boxes)
        assert not any(f.lost for f in found)
        assert overlap(found[-1].box, boxes[-1]) >= 0.7


def test_raw_grey_follows_too() -> None:
    frames, boxes = film((32, 32), (3.3, 1.2))
    assert overlap(followed(frames, boxes, features="grey")[-1].box, boxes[-1]) >= 0.7


def test_large_boxes_are_seen_reduced_and_found_to_fractions_of_a_cell() -> None:
    frames, boxes = film((180, 150), (7.3, 4.1), count=16, blur=4.0)
    found = followed(frames, boxes)
    middle = (np.array(found[-1].box)[:2] - boxes[-1, :2]) / (180, 150)
    assert np.abs(middle).max() < 0.03


def test_lost_where_it_is_hidden() -> None:
    frames, boxes = film((40, 40), (3.0, 2.0), hidden=range(12, 31))
    found = followed(frames, boxes)
    assert not any(f.lost for f in found[:11])
    assert all(f.lost for f in found[11:])
    assert found[11].sharpness < 5 < found[10].sharpness
    # It stays where it was last seen.
    assert found[-1].box == found[10].box


def test_lost_where_it_has_left_the_frame() -> None:
    random = np.random.default_rng(0)
    behind, thing = np.full((90, 120, 3), 127, np.uint8), texture(random, 30, 30)
    frames = []
    for step in range(25):
        wide = np.pad(behind, ((0, 0), (0, 120), (0, 0)), mode="edge")
        wide[30:60, 60 + 5 * step : 90 + 5 * step] = thing
        frames.append(np.ascontiguousarray(wide[:, :120]))
    assert followed(frames, [(60, 30, 90, 60)])[-1].lost


def test_a_still_frame_stays(rng) -> None:
    frame = texture(rng, 100, 120)
    found = KCF(frame, (30, 20, 70, 60)).update(frame)
    np.testing.assert_allclose(found.box, (30, 20, 70, 60), atol=0.05)
    assert not found.lost


def test_overlap() -> None:
    assert overlap((0, 0, 4, 2), (0, 0, 4, 2)) == 1
    assert overlap((0, 0, 4, 2), (2, 0, 6, 2)) == pytest.approx(4 / 12)
    assert overlap((0, 0, 2, 2), (5, 5, 6, 6)) == 0


def test_arguments(rng) -> None:
    frame = texture(rng, 40, 50)
    for box in [(0, 0, 5), (5, 5, 5, 9), (0, 0, np.nan, 4), "box"]:
        with pytest.raises(ValueError, match="box"):
            KCF(frame, box)
    with pytest.raises(ValueError, match="features"):
        KCF(frame, (0, 0, 9, 9), features="colour")
    with pytest.raises(ValueError, match="frame: expected"):
        KCF(frame, (0, 0, 9, 9)).update(frame[:30])


@pytest.mark.slow
@pytest.mark.parametrize("name", MARKED)
def test_real_things_are_followed_for_thirty_frames(shared, name) -> None:
    """Boxes keep their size, these things do not: the middle is what counts."""
    from kinfold.images.video import frames

    film, marked = [pixels for _, pixels in frames(shared / "data" / "video" / name)], MARKED[name]
    for start, box in marked.items():
        if start + 30 not in marked or (name, start) in CUTS:
            continue
        tracker = KCF(film[start], box)
        found = [tracker.update(frame) for frame in film[start + 1 : start + 31]]
        there = np.array(marked[start + 30], float).reshape(2, 2)
        off = np.linalg.norm(np.array(found[-1].box).reshape(2, 2).mean(0) - there.mean(0))
        assert off < 0.3 * np.sqrt(np.prod(there[1] - there[0])), start
        assert not any(f.lost for f in found), start
