from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from kinfold.learn.losses.context import ContextLoss


def test_by_hand() -> None:
    loss = ContextLoss()
    equal = loss(torch.zeros(3, 8), torch.tensor([0, 5, 7]))
    assert float(equal) == pytest.approx(math.log(8)), "chance"
    scores = torch.tensor([[0.0, math.log(3.0)], [math.log(4.0), 0.0]])
    assert float(loss(scores, torch.tensor([1, 1]))) == pytest.approx(
        (math.log(4 / 3) + math.log(5)) / 2
    )
    assert float(loss(scores + 1000, torch.tensor([1, 1]))) == pytest.approx(
        (math.log(4 / 3) + math.log(5)) / 2, rel=1e-4
    ), "large scores do not overflow"


def test_gradient_is_softmax_less_the_truth() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    positions = torch.tensor([0, 3, 7, 3, 1])
    assert torch.autograd.gradcheck(ContextLoss(), (scores, positions))
    ContextLoss()(scores, positions).backward()
    expected = scores.detach().exp() / scores.detach().exp().sum(1, keepdim=True)
    expected[range(5), positions] -= 1
    assert torch.allclose(scores.grad, expected / 5)


def test_bad_positions() -> None:
    with pytest.raises(ValueError, match="positions: expected one for each row"):
        ContextLoss()(torch.zeros(3, 8), torch.zeros(2, dtype=torch.int64))
