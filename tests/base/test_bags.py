"""Images as sets of descriptors: end to end, with an owner each."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.bags import are_photos, as_bags, as_descriptors


def test_end_to_end() -> None:
    bags = as_bags([np.ones((2, 3)), [], np.zeros((1, 3))])
    np.testing.assert_array_equal(bags.vectors, [[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(bags.owner, [0, 0, 2])
    assert bags.n == 3 and bags.vectors.dtype == np.float32 and bags.owner.dtype == np.int64


def test_images_without_descriptors() -> None:
    bags = as_bags([[], []], dim=4)
    assert bags.vectors.shape == (0, 4) and bags.owner.shape == (0,) and bags.n == 2


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "X: expected at least one image"),
        ([[], []], "X: expected an image with descriptors"),
        ("photo", "X: expected a list of arrays"),
        (3, "X: expected a list of arrays"),
        ([np.ones((1, 3)), np.ones((1, 4))], r"X\[1\]"),
    ],
)
def test_refusals(images, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_bags(images)


def test_photos_or_descriptors() -> None:
    table = np.arange(6.0).reshape(2, 3)
    assert not are_photos(table) and not are_photos(table.tolist())
    several = np.empty(2, object)
    several[:] = [table, table[:1]]
    for photos in ([table, table[:1]], several):
        assert are_photos(photos)
        np.testing.assert_array_equal(
            as_descriptors(photos, "x"), np.concatenate([table, table[:1]])
        )
    assert are_photos(np.stack([table, table]))
    np.testing.assert_array_equal(as_descriptors(table, "x"), table)
