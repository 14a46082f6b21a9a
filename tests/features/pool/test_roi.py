from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.grid import region_grid
from kinfold.features.pool.regions import roi_max
from kinfold.features.pool.roi import roi_max_pool


def by_loops(maps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    n, k, h, w = maps.shape
    found = np.empty((n, boxes.shape[1], k))
    for i in range(n):
        for j, (x0, y0, x1, y1) in enumerate(boxes[i]):
            left, top = (min(max(math.floor(v), 0), s - 1) for v, s in ((x0, w), (y0, h)))
            right, bottom = (min(math.ceil(v), s) for v, s in ((x1, w), (y1, h)))
            cells = [
                maps[i, :, y, x]
                for y in range(top, max(bottom, top + 1))
                for x in range(left, max(right, left + 1))
            ]
            found[i, j] = np.max(cells, axis=0)
    return found


def drawn(rng: np.random.Generator, n: int, r: int, h: int, w: int) -> np.ndarray:
    """Boxes of which some reach beyond the map, some are empty, and some lie beside it."""
    low = rng.uniform(-3, [w + 2, h + 2], (n, r, 2))
    return np.concatenate([low, low + rng.uniform(-1, [w, h], (n, r, 2))], -1)


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 9)])
def test_against_loops(size, rng) -> None:
    maps, boxes = rng.standard_normal((2, 4, *size)), drawn(rng, 2, 50, *size)
    pooled = roi_max_pool(torch.from_numpy(maps), torch.from_numpy(boxes))
    assert np.array_equal(pooled, by_loops(maps, boxes))
    last = torch.from_numpy(maps).contiguous(memory_format=torch.channels_last)
    assert torch.equal(roi_max_pool(last, torch.from_numpy(boxes)), pooled)


def test_boxes_of_the_grid_give_its_regions(rng) -> None:
    maps, grid = torch.from_numpy(rng.random((2, 3, 9, 12))), region_grid(9, 12)
    boxes = torch.tensor(grid, dtype=torch.float64).expand(2, -1, -1)
    assert torch.equal(roi_max_pool(maps, boxes), roi_max(maps, grid))


def test_differentiable(rng) -> None:
    maps = torch.from_numpy(rng.permutation(60).reshape(1, 3, 4, 5) / 7.0).requires_grad_()
    boxes = torch.from_numpy(drawn(rng, 1, 6, 4, 5))
    assert torch.autograd.gradcheck(lambda x: roi_max_pool(x, boxes), (maps,))


def test_shapes_without_numbers() -> None:
    with torch.device("meta"):
        pooled = roi_max_pool(torch.empty(2, 3, 4, 5), torch.empty(2, 7, 4))
    assert pooled.shape == (2, 7, 3)


def test_against_torchvision(rng) -> None:
    try:
        from torchvision.ops import roi_pool
    except (ImportError, RuntimeError):  # one of another torch fails as it is imported
        pytest.skip("needs torchvision")
    maps = torch.from_numpy(rng.random((1, 3, 9, 12))).float()
    low = torch.from_numpy(rng.integers(0, [11, 8], (1, 30, 2))).float()
    boxes = torch.cat([low, low + 1 + torch.rand(1, 30, 2) * (torch.tensor([11.0, 8.0]) - low)], -1)
    # It rounds, and counts the last cell in.
    cells = torch.cat([boxes[..., :2].floor(), boxes[..., 2:].ceil() - 1], -1)
    assert torch.equal(
        roi_max_pool(maps, boxes)[0], roi_pool(maps, [cells[0]], output_size=1).flatten(1)
    )
