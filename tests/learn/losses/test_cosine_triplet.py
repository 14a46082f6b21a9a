from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.learn.losses.cosine_triplet import CosineTripletLoss


def test_by_hand() -> None:
    a = torch.tensor([[2.0, 0.0]])
    p, n = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 9.0]])
    # D+ = 1 - .6, D- = 1.
    assert float(CosineTripletLoss(0.5)(a, p, n)) == 0
    assert float(CosineTripletLoss(0.5)(a, n, p)) == pytest.approx(0.5 + 1 - 0.4)
    assert float(CosineTripletLoss(0.5, squared=True)(a, n, p)) == pytest.approx(0.5 + 1 - 0.16)
    zero = torch.zeros(1, 2)
    assert float(CosineTripletLoss(0.5)(zero, p, n)) == 0.5


def test_lengths_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    a, p, n = (torch.randn(6, 3, generator=generator) for _ in range(3))
    loss = CosineTripletLoss()
    assert float(loss(a, p, n)) == pytest.approx(float(loss(a * 7, p / 3, n * 0.1)), rel=1e-5)


def test_as_of_another_library() -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    from kinfold.learn.mine.all_valid import AllValid

    x = torch.randn(10, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(10) % 3
    theirs = losses.TripletMarginLoss(
        margin=0.5, reducer=reducers.MeanReducer(), distance=distances.CosineSimilarity()
    )(x, labels)
    ours = CosineTripletLoss(0.5).of(x, AllValid()(x, labels))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
