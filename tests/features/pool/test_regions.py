from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.grid import region_grid
from kinfold.features.pool.regions import Regions, roi_max


def published_grid(height: int, width: int, levels: int) -> list[tuple[int, int, int, int]]:
    """The definition with whole numbers and fractions, step by step."""
    w = min(height, width)
    steps = [Fraction(max(height, width) - w, many - 1) for many in range(2, 8)]
    gaps = [abs((w * w - w * step) / (w * w) - Fraction(2, 5)) for step in steps]
    index = min(range(6), key=lambda i: (gaps[i], i)) + 1
    wide = index if width > height else 0
    high = index if height > width else 0
    boxes = []
    for level in range(1, levels + 1):
        side = math.floor(Fraction(2 * w, level + 1))
        if side == 0:
            continue

        def starts(length: int, extra: int) -> list[int]:
            many = level + extra  # noqa: B023
            b = Fraction(length - side, many - 1) if many > 1 else Fraction(0)  # noqa: B023
            half = math.floor(Fraction(side, 2) - 1)  # noqa: B023
            return [math.floor(half + j * b) - half for j in range(many)]

        boxes += [
            (x, y, x + side, y + side) for y in starts(height, high) for x in starts(width, wide)
        ]
    return boxes


# Width, height and the number of regions of three scales.
COUNTS = [
    (16, 16, 14), (32, 24, 20), (48, 24, 26), (64, 24, 32), (32, 8, 44), (200, 10, 50), (7, 5, 20),
    (3, 3, 14), (2, 2, 14), (1, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize(("width", "height", "count"), COUNTS)
def test_published_counts(width, height, count) -> None:
    boxes = region_grid(height, width)
    assert len(boxes) == count and len(region_grid(width, height)) == count
    assert boxes == published_grid(height, width, 3)


def test_a_photo_of_four_by_three_in_detail() -> None:
    boxes = region_grid(24, 32)
    assert boxes[:2] == [(0, 0, 24, 24), (8, 0, 32, 24)]
    assert [b[:2] for b in boxes[2:8]] == [(x, y) for y in (0, 8) for x in (0, 8, 16)]
    assert [b[:2] for b in boxes[8:]] == [(x, y) for y in (0, 6, 12) for x in (0, 6, 13, 20)]
    assert len(Regions(whole=True).boxes(24, 32)) == 21


def test_every_grid_is_inside_its_map_and_as_defined(rng) -> None:
    for height, width in rng.integers(1, 60, (150, 2)).tolist():
        boxes = region_grid(height, width, 4)
        assert boxes == published_grid(height, width, 4), (height, width)
        for x0, y0, x1, y1 in boxes:
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height and x1 - x0 == y1 - y0
        covered = np.zeros((height, width), bool)
        for x0, y0, x1, y1 in boxes:
            covered[y0:y1, x0:x1] = True
        assert covered.all() or max(height, width) > 6 * min(height, width)


def test_maximum_in_each_box(rng) -> None:
    maps = torch.from_numpy(rng.standard_normal((2, 3, 5, 7)))
    boxes = [(0, 0, 7, 5), (1, 2, 4, 3), (6, 4, 7, 5)]
    pooled = roi_max(maps, boxes)
    for i in range(2):
        for r, (x0, y0, x1, y1) in enumerate(boxes):
            for k in range(3):
                cells = [float(maps[i, k, y, x]) for y in range(y0, y1) for x in range(x0, x1)]
                assert float(pooled[i, r, k]) == max(cells)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("whole", [False, True])
def test_gradients_and_script(whole, rng) -> None:
    regions = Regions(2, whole=whole)
    maps = torch.from_numpy(rng.standard_normal((2, 2, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(regions, (maps,))
    scripted = torch.jit.script(regions)
    for height, width in ((4, 5), (9, 3), (6, 6)):
        maps = torch.from_numpy(rng.standard_normal((1, 2, height, width)))
        assert torch.equal(scripted(maps), regions(maps))


@pytest.mark.parametrize(
    ("options", "message"), [({"levels": 0}, "levels"), ({"overlap": 2}, "overlap")]
)
def test_bad_settings(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        Regions(**options)
