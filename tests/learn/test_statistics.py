from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.features.backbones.cut import cut
from kinfold.learn.augment import random_square
from kinfold.learn.statistics import calibrate


def test_statistics_are_those_of_squares_of_the_photos() -> None:
    photos, _ = stripes([10, 10])
    network = small()
    weights = [parameter.clone() for parameter in network.parameters()]
    assert calibrate(network, photos, squares=20, side=32, batch=20, seed=4) is network
    random = np.random.default_rng([4, 1])
    order = random.permutation(20)
    squares = np.stack([random_square(photos[row], 32, random) for row in order])
    maps = network.features[0]((torch.from_numpy(squares).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25)
    norm = network.features[1]
    assert torch.allclose(norm.running_mean, maps.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, maps.var((0, 2, 3)), rtol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters()))
    assert not network.training and not norm.training and norm.momentum == 0.1


def test_the_mean_over_batches_and_over_files(tmp_path) -> None:
    from PIL import Image

    photos, _ = stripes([4])
    files = []
    for row, photo in enumerate(photos):
        files.append(tmp_path / f"{row}.png")
        Image.fromarray(photo).save(files[-1])
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    one = calibrate(small(), files, squares=30, side=32, batch=7, seed=1)
    norm = cut(one)[1]
    assert norm.num_batches_tracked == 5
    other = calibrate(small(), photos, squares=30, side=32, batch=7, seed=1)
    assert torch.equal(norm.running_var, cut(other)[1].running_var)
    calibrate(small(), [*files, tmp_path / "bad.jpg"], squares=5, side=32, batch=4)
    with pytest.raises(ValueError, match="photos: expected some that can be read, got 0"):
        calibrate(small(), [tmp_path / "bad.jpg"], side=32)
