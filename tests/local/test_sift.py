"""SIFT: counts, order, positions, blank images, RootSIFT."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.local.sift import SIFT, root_sift

cv2 = pytest.importorskip("cv2")


def picture(rng: np.random.Generator, height: int = 240, width: int = 320) -> np.ndarray:
    small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.GaussianBlur(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 1.5
    )


def test_strongest_first_and_no_more_than_asked(rng: np.random.Generator) -> None:
    image = picture(rng)
    many, few = SIFT(max_features=400).extract(image), SIFT(max_features=50).extract(image)
    assert len(few) == 50 and 50 < len(many) <= 400
    np.testing.assert_array_equal(many.positions[:50], few.positions)
    assert many.descriptors.dtype == np.uint8 and many.descriptors.shape == (len(many), 128)
    assert many.positions.dtype == many.scales.dtype == many.angles.dtype == np.float32
    assert (many.scales > 0).all() and np.isfinite(many.angles).all()
    again = SIFT(max_features=400).extract(image)
    np.testing.assert_array_equal(many.descriptors, again.descriptors)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 200, 3), (64, 64), (300, 300, 3)])
def test_images_without_structure_have_no_features(shape: tuple[int, ...]) -> None:
    features = SIFT().extract(np.full(shape, 77, np.uint8))
    assert (
        len(features) == 0
        and features.descriptors.shape == (0, 128)
        and features.positions.shape == (0, 2)
    )


def test_positions_are_in_the_pixels_that_were_given(rng: np.random.Generator) -> None:
    image = cv2.resize(picture(rng, 480, 640), (1280, 960), interpolation=cv2.INTER_CUBIC)
    reduced, whole = (
        SIFT(max_side=640).extract(image),
        SIFT(max_side=None, max_features=5000).extract(image),
    )
    assert reduced.positions[:, 0].max() > 700
    # Nearly every feature of the reduced image has one of the whole image beside it.
    gaps = np.linalg.norm(reduced.positions[:100, None] - whole.positions[None], axis=2).min(axis=1)
    assert np.median(gaps) < 1.0


def test_grey_and_colour_agree(rng: np.random.Generator) -> None:
    grey = picture(rng)[:, :, 0]
    a, b = (
        SIFT().extract(np.ascontiguousarray(grey)),
        SIFT().extract(np.repeat(grey[:, :, None], 3, axis=2)),
    )
    np.testing.assert_array_equal(a.descriptors, b.descriptors)


def test_root_sift(rng: np.random.Generator) -> None:
    raw = rng.integers(0, 256, (20, 128), dtype=np.uint8)
    raw[3] = 0
    root = root_sift(raw)
    lengths = np.linalg.norm(root, axis=1)
    assert lengths[3] == 0
    np.testing.assert_allclose(np.delete(lengths, 3), 1, rtol=1e-6)
    shares = raw[0] / raw[0].sum()
    np.testing.assert_allclose(root[0], np.sqrt(shares), rtol=1e-5)
    with pytest.raises(ValueError, match="^descriptors: expected numbers >= 0"):
        root_sift(-np.ones((1, 128)))


BAD = [
    (lambda: SIFT(max_features=0), "max_features: expected"),
    (lambda: SIFT(max_features=10**9), "max_features: expected"),
    (lambda: SIFT(contrast_threshold=-1), "contrast_threshold: expected"),
    (lambda: SIFT(max_side=3), "max_side: expected"),
    (lambda: SIFT().extract(np.zeros((4, 4))), "pixels: expected uint8"),
    (lambda: SIFT().extract(np.zeros((4, 4, 4), np.uint8)), "pixels: expected uint8"),
    (lambda: SIFT().extract(np.zeros((0, 4, 3), np.uint8)), "pixels: expected at least one pixel"),
]


@pytest.mark.parametrize(("call", "words"), BAD)
def test_bad_input(call, words: str) -> None:
    with pytest.raises(ValueError, match="^" + words):
        call()


def test_the_fingerprint_changes_with_the_settings() -> None:
    prints = {SIFT().fingerprint, SIFT(max_features=5).fingerprint, SIFT(max_side=None).fingerprint}
    assert len(prints) == 3
