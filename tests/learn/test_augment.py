from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL")
from kinfold.learn.augment import random_square


def test_squares_of_every_shape_repeat_with_the_seed(rng, tmp_path) -> None:
    from PIL import Image

    for height, width in ((40, 90), (90, 40), (10, 300), (32, 32)):
        photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        squares = [random_square(photo, 28, np.random.default_rng(i)) for i in range(6)]
        assert all(s.shape == (28, 28, 3) and s.flags.c_contiguous for s in squares)
        assert np.array_equal(squares[0], random_square(photo, 28, np.random.default_rng(0)))
        assert len({s.tobytes() for s in squares}) > 1
    Image.fromarray(photo).save(tmp_path / "a.png")
    from_file = random_square(tmp_path / "a.png", 28, np.random.default_rng(0))
    assert np.array_equal(from_file, squares[0])


def test_half_are_mirrored() -> None:
    ramp = np.repeat(np.arange(32, dtype=np.uint8)[None, :, None] * 8, 32, axis=0).repeat(3, axis=2)
    squares = [random_square(ramp, 28, np.random.default_rng(i)) for i in range(60)]
    rising = [bool(square[0, -1, 0] > square[0, 0, 0]) for square in squares]
    assert 15 < sum(rising) < 45
