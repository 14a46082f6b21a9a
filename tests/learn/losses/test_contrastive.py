from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.learn.losses.contrastive import ContrastiveLoss


def at(distance: float, similar: bool, **options: float) -> float:
    x = torch.tensor([[distance, 0.0]])
    return float(ContrastiveLoss(1.0, **options)(torch.zeros(1, 2), x, torch.tensor([similar])))


def test_by_hand() -> None:
    assert at(0.6, True) == pytest.approx(0.36)
    assert at(0.6, False) == pytest.approx(0.16)
    assert at(0.0, True) == 0 and at(1.0, False) == 0 and at(3.0, False) == 0
    assert at(0.0, False) == 1
    assert at(0.6, True, squared=False) == pytest.approx(0.6)
    assert at(0.6, False, squared=False) == pytest.approx(0.4)


def test_the_mean_of_pairs() -> None:
    a = torch.zeros(2, 1)
    b = torch.tensor([[0.5], [0.25]])
    value = ContrastiveLoss(1.0)(a, b, torch.tensor([True, False]))
    assert float(value) == pytest.approx((0.25 + 0.5625) / 2)
    with pytest.raises(ValueError, match="similar: expected shape"):
        ContrastiveLoss()(a, b, torch.tensor([True]))


def test_as_of_another_library() -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 3, generator=generator)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1])
    a, b = (
        part.flatten() for part in torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    )
    a, b = a[a != b], b[a != b]
    similar = labels[a] == labels[b]
    theirs = losses.ContrastiveLoss(
        pos_margin=0, neg_margin=1.5, reducer=reducers.DoNothingReducer(),
        distance=distances.LpDistance(normalize_embeddings=False),
    )(x, labels)  # fmt: skip
    for kind, of in (("pos_loss", similar), ("neg_loss", ~similar)):
        ours = ContrastiveLoss(1.5, squared=False)(x[a[of]], x[b[of]], similar[of])
        assert float(ours) == pytest.approx(float(theirs[kind]["losses"].mean()), rel=1e-5)
