from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.datasets.coil import coil20

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 72, 2, 3), np.uint8)


def test_packed_pictures(tmp_path) -> None:
    np.savez_compressed(tmp_path / "coil20.npz", images=IMAGES)
    views = coil20(tmp_path)
    assert np.array_equal(views.images[72 * 3 + 5], IMAGES[3, 5])
    row = views.chosen(views.objects == 3).chosen(5)
    assert (row.objects, row.azimuths, row.elevations, row.lightings) == (3, 25, 0, 0)
    assert len(views.images) == len(views.azimuths) == 1440


def test_published_pictures(tmp_path) -> None:
    image = pytest.importorskip("PIL.Image")
    for i in range(20):
        for k in range(72):
            image.fromarray(IMAGES[i, k]).save(tmp_path / f"obj{i + 1}__{k}.png")
    assert np.array_equal(coil20(tmp_path).images, IMAGES.reshape(-1, 2, 3))
    image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "obj2__0.png")
    with pytest.raises(FileFormatError, match="pictures of one size"):
        coil20(tmp_path)
    (tmp_path / "obj20__71.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"coil20: put .* \(1 are missing, such as obj20__71"
    ):
        coil20(tmp_path)


def test_other_arrays(tmp_path) -> None:
    np.savez(tmp_path / "coil20.npz", images=IMAGES[:19])
    with pytest.raises(FileFormatError, match=r"expected pictures uint8 \(20, 72, height, width\)"):
        coil20(tmp_path)


def test_real_pictures_change_little_from_pose_to_pose(shared) -> None:
    views = coil20(shared / "data" / "coil20")
    assert views.images.shape == (1440, 128, 128)
    for number in (0, 9):
        x = views.chosen(views.objects == number).images.reshape(72, -1).astype(np.float64)
        near = np.linalg.norm(x - np.roll(x, -1, axis=0), axis=1)
        far = np.linalg.norm(x - np.roll(x, -18, axis=0), axis=1)
        assert (near < far).all(), "the last pose is next to the first"
