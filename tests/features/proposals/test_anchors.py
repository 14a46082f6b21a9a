from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.proposals.anchors import RATIOS, SIZES, anchors


def by_loops(height: int, width: int, sizes, ratios) -> np.ndarray:
    boxes = []
    for y in range(height):
        for x in range(width):
            for size in sizes:
                for ratio in ratios:
                    side = size * np.sqrt(height * width)
                    w, h = side / np.sqrt(ratio), side * np.sqrt(ratio)
                    boxes.append(
                        [x + 0.5 - w / 2, y + 0.5 - h / 2, x + 0.5 + w / 2, y + 0.5 + h / 2]
                    )
    return np.array(boxes)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (15, 20)])
def test_against_loops(size) -> None:
    assert np.allclose(anchors(*size), by_loops(*size, SIZES, RATIOS), atol=1e-5)
    assert np.allclose(anchors(*size, [0.5], [3.0]), by_loops(*size, [0.5], [3.0]), atol=1e-5)


def test_a_map_of_twice_the_size_has_anchors_of_twice_the_size() -> None:
    small, large = anchors(4, 6).view(4, 6, -1, 4), anchors(8, 12).view(8, 12, -1, 4)
    sides = [boxes[0, 0, :, 2:] - boxes[0, 0, :, :2] for boxes in (small, large)]
    assert torch.allclose(2 * sides[0], sides[1])
