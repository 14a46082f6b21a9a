"""A photo laid over another: copies agree place by place, other pictures do not."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from kinfold.local.aligned import aligned


def picture(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return cv2.resize(blocks, (640, 480), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("angle", [0, 30, 90])
@pytest.mark.parametrize("scale", [0.4, 1.0, 1.7])
def test_a_turned_and_scaled_copy_agrees_both_ways(angle, scale) -> None:
    first = picture(0)
    turn = np.vstack([cv2.getRotationMatrix2D((320, 240), angle, scale), [0, 0, 1]])
    second = cv2.warpAffine(first, turn[:2], (640, 480), flags=cv2.INTER_AREA)
    there = aligned(first, second, turn)
    back = aligned(second, first, np.linalg.inv(turn))
    for found in (there, back):
        assert found.correlation > 0.97 and found.agreeing > 0.97
    np.testing.assert_allclose(there.shared, back.shared[::-1], atol=0.02)
    # The area that both show, by the outline of the first.
    mask = cv2.warpAffine(np.ones((480, 640), np.float32), turn[:2], (640, 480))
    assert there.shared[1] == pytest.approx(mask.mean(), abs=0.03)


def test_a_mirror_image_and_other_contrast() -> None:
    first = picture(1)
    second = (first[:, ::-1].astype(np.float32) * 0.5 + 60).astype(np.uint8)
    found = aligned(first, second, [[-1, 0, 639], [0, 1, 0], [0, 0, 1]])
    assert found.correlation > 0.98 and found.shared.min() > 0.98


def test_other_pictures_and_a_part_that_is_covered() -> None:
    first, second = picture(2), picture(2)
    assert abs(aligned(first, picture(3), np.eye(3)).correlation) < 0.3
    second[:, 400:] = picture(4)[:, 400:]
    found = aligned(first, second, np.eye(3))
    assert found.correlation > 0.9 and 0.5 < found.agreeing < 0.75


def test_margins_are_told_from_what_was_cut_off() -> None:
    first = picture(6)
    page = np.full((600, 800, 3), 240, np.uint8)
    page[60:540, 80:720] = first
    found = aligned(first, page, [[1, 0, 80], [0, 1, 60], [0, 0, 1]])
    assert found.shared[0] > 0.98 and found.plain[1] > 0.85
    cut = aligned(first[:, :400], first, np.eye(3))
    assert cut.shared.round(2).tolist() == [1.0, 0.62] and cut.plain[1] < 0.2
    # Sky that was cut off is no margin.
    sky = first.copy()
    sky[:300] = 200
    cut = aligned(sky[250:], sky, [[1, 0, 0], [0, 1, 250], [0, 0, 1]])
    assert cut.shared[1] < 0.6 and cut.plain.max() == 0


def test_flat_photos_tell_nothing_and_flat_against_lively_disagrees() -> None:
    flat = np.full((100, 100), 90, np.uint8)
    assert aligned(flat, flat, np.eye(3)).correlation == 0
    lively = picture(5)[:100, :100]
    assert aligned(flat, lively, np.eye(3)).correlation < 0.1
    # No overlap.
    assert aligned(lively, lively, [[1, 0, 500], [0, 1, 0], [0, 0, 1]]).shared.max() == 0


@pytest.mark.parametrize(
    "matrix", [np.eye(2), np.full((3, 3), np.nan), [[1, 0, 0], [0, 1, 0], [1, 0, 1]]]
)
def test_only_affine_maps(matrix) -> None:
    with pytest.raises(ValueError, match="^matrix: "):
        aligned(picture(0), picture(0), matrix)
    with pytest.raises(ValueError, match="^first: "):
        aligned(np.zeros((3, 3, 2)), picture(0), np.eye(3))
