from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.learn.losses.contrastive import ContrastiveLoss
from kinfold.learn.losses.contrastive_triplet import ContrastiveTripletLoss


def at(near: float, far: float, **options: float) -> float:
    a, p, n = torch.zeros(1, 2), torch.tensor([[near, 0.0]]), torch.tensor([[0.0, far]])
    return float(ContrastiveTripletLoss(1.0, **options)(a, p, n))


def test_by_hand() -> None:
    assert at(0.5, 0.6) == pytest.approx(0.25 + 0.16)
    assert at(0.5, 1.2) == pytest.approx(0.25), "unlike the triplet loss it pulls on"
    assert at(0.5, 0.6, squared=False) == pytest.approx(0.5 + 0.4)


@pytest.mark.parametrize("squared", [True, False])
def test_two_pairs_at_a_time(squared) -> None:
    generator = torch.Generator().manual_seed(0)
    a, p, n = (torch.randn(5, 3, generator=generator) for _ in range(3))
    pairs = ContrastiveLoss(2.0, squared=squared)(
        torch.cat([a, a]), torch.cat([p, n]), torch.arange(10) < 5
    )
    ours = ContrastiveTripletLoss(2.0, squared=squared)(a, p, n)
    assert float(ours) == pytest.approx(2 * float(pairs), rel=1e-6)
