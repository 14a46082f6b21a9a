"""What extractors by networks share: pixels, files of weights, fingerprints."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

sys.path.insert(0, str(Path(__file__).parent))
from networks import picture, saved

from kinfold.local.extractors.xfeat import Network, XFeat


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return saved(Network(), tmp_path / "xfeat.safetensors")


def test_grey_pixels_are_those_of_three_equal_channels(weights: Path) -> None:
    grey = picture()[..., 0]
    one = XFeat(weights, threshold=0.02).extract(grey)
    three = XFeat(weights, threshold=0.02).extract(np.repeat(grey[..., None], 3, 2))
    np.testing.assert_array_equal(one.positions, three.positions)


@pytest.mark.parametrize(
    "pixels", [np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)]
)
def test_other_pixels_are_refused(weights: Path, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels: expected"):
        XFeat(weights).extract(pixels)


def test_files_are_counted(weights: Path) -> None:
    for files in ([], [weights, weights]):
        with pytest.raises(ValueError, match="local_weights: xfeat needs"):
            XFeat(files)


def test_fingerprints_tell_settings_and_weights_apart(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    prints = {
        XFeat(weights).fingerprint,
        XFeat([weights], max_features=5).fingerprint,
        XFeat(weights, threshold=0.5).fingerprint,
        XFeat(weights, max_side=None).fingerprint,
        XFeat(other).fingerprint,
    }
    assert len(prints) == 5
    assert XFeat(weights).fingerprint in prints


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_features": 0}, "max_features: expected"),
        ({"threshold": 2}, "threshold: expected"),
        ({"max_side": 3}, "max_side: expected"),
    ],
)
def test_settings_are_checked(weights: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        XFeat(weights, **options)
    assert "max_features=1000" in repr(XFeat(weights))
