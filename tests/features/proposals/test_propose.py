from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import kinfold as kf
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.proposals.propose import proposed_regions


def trunk() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 6, 8, stride=8), torch.nn.ReLU())


def test_boxes_are_of_the_photo(rng) -> None:
    pixels = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    pool = LearntRMAC(6, 4, proposals={"hidden": 4, "keep": 5})
    extractor = kf.Extractor(trunk(), pooling=pool, scales=[1.0], max_side=96)
    boxes = proposed_regions(extractor, pixels)
    cells, there = pool.proposals(torch.from_numpy(extractor.maps(pixels))[None])
    assert np.allclose(boxes, cells[0][there[0]] * 8, atol=1e-3)
    # A larger photo is reduced: its boxes are larger by as much.
    large = np.repeat(np.repeat(pixels, 2, 0), 2, 1)
    again = proposed_regions(extractor, large)
    assert np.allclose(again[:, 2:].max(0), 2 * boxes[:, 2:].max(0), atol=1)


def test_the_grid_is_that_of_rmac(rng) -> None:
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    extractor = kf.Extractor(trunk(), pooling=LearntRMAC(6, 4, levels=1), scales=[1.0])
    assert proposed_regions(extractor, pixels).tolist() == [[0, 0, 64, 64]]


def test_another_pooling(rng) -> None:
    with pytest.raises(
        ValueError, match="extractor: expected the pooling 'learnt-rmac', got 'gem'"
    ):
        proposed_regions(kf.Extractor(trunk()), np.zeros((64, 64, 3), np.uint8))
