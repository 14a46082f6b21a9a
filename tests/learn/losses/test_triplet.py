from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.learn.losses.triplet import TripletLoss


def at(near: float, far: float, **options: float) -> float:
    a, p, n = torch.zeros(1, 2), torch.tensor([[near, 0.0]]), torch.tensor([[0.0, far]])
    return float(TripletLoss(0.5, **options)(a, p, n))


def test_by_hand() -> None:
    assert at(1.0, 0.5) == pytest.approx(0.5 + 1 - 0.25)
    assert at(0.5, 1.0) == 0
    assert at(0.0, 0.0) == 0.5
    assert at(1.0, 0.5, squared=False) == pytest.approx(1.0)


def test_only_violated_triplets_pull() -> None:
    a = torch.zeros(2, 1, requires_grad=True)
    p, n = torch.tensor([[0.5], [1.0]]), torch.tensor([[2.0], [1.0]])
    TripletLoss(0.5)(a, p, n).backward()
    # d/da of (a - 1)^2 - (a - 1)^2 is 0 as well: both sides pull alike.
    assert a.grad.tolist() == [[0.0], [0.0]]
    TripletLoss(0.5)(a, p, torch.tensor([[2.0], [-1.0]])).backward()
    # d/da ((a - 1)^2 - (a + 1)^2) / 2 = -2.
    assert a.grad.tolist() == [[0.0], [-2.0]]


@pytest.mark.parametrize("squared", [True, False])
def test_as_of_another_library(squared) -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    from kinfold.learn.mine.all_valid import AllValid

    x = torch.randn(10, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(10) % 3
    theirs = losses.TripletMarginLoss(
        margin=0.7, reducer=reducers.MeanReducer(),
        distance=distances.LpDistance(normalize_embeddings=False, power=2 if squared else 1),
    )(x, labels)  # fmt: skip
    ours = TripletLoss(0.7, squared=squared).of(x, AllValid()(x, labels))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
