from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.proposals.boxes import iou
from kinfold.features.proposals.nms import nms


def boxes(n: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(n, 2, generator=random) * 10
    return torch.cat([low, low + 1 + torch.rand(n, 2, generator=random) * 12], 1)


def greedy(rows: torch.Tensor, scores: torch.Tensor, overlap: float) -> list[int]:
    """The definition, a box after the other."""
    kept: list[int] = []
    for row in sorted(range(len(rows)), key=lambda row: (-float(scores[row]), row)):
        if all(float(iou(rows[row], rows[other])) <= overlap for other in kept):
            kept.append(row)
    return kept


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.7, 1.0])
def test_against_loops(overlap) -> None:
    images = torch.stack([boxes(60, seed) for seed in range(3)])
    # Few different scores, so that there are ties.
    scores = torch.from_numpy(np.random.default_rng(0).integers(0, 20, (3, 60))).float()
    rows, there = nms(images, scores, overlap=overlap, keep=40)
    for image in range(3):
        wanted = greedy(images[image], scores[image], overlap)[:40]
        assert rows[image][there[image]].tolist() == wanted
        assert there[image].tolist() == [True] * len(wanted) + [False] * (40 - len(wanted))


def test_against_torchvision() -> None:
    try:
        from torchvision.ops import nms as peer
    except (ImportError, RuntimeError):  # one of another torch fails as it is imported
        pytest.skip("needs torchvision")
    images, scores = boxes(200, 5), torch.rand(200, generator=torch.Generator().manual_seed(1))
    rows, there = nms(images[None], scores[None], overlap=0.5, keep=200)
    assert rows[0][there[0]].tolist() == peer(images, scores, 0.5).tolist()
