from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.base.registry import resolve
from kinfold.learn.losses import METHODS
from kinfold.learn.losses.base import PairLoss, euclidean, mean
from kinfold.learn.mine import METHODS as MINERS
from kinfold.learn.mine.found import Triplets

# Losses of distances; that of context prediction is of scores.
LOSSES = {name: target for name, target in METHODS.items() if name != "context"}


def rows(seed: int, n: int = 6, dim: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, dtype=torch.float64, generator=generator, requires_grad=True)


def asked(loss, a, b, c):
    if isinstance(loss, PairLoss):
        return loss(a, b, torch.tensor([True, False] * (len(a) // 2)))
    return loss(a, b, c)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right(name, squared) -> None:
    loss = resolve(METHODS[name])(margin=1.3, squared=squared)
    a, b, c = rows(0), rows(1), rows(2)
    assert torch.autograd.gradcheck(lambda *x: asked(loss, *x), (a, b, c))


@pytest.mark.parametrize("name", LOSSES)
def test_identical_points_and_zero_vectors_have_finite_gradients(name) -> None:
    loss = resolve(METHODS[name])()
    for a in (torch.ones(4, 3), torch.zeros(4, 3)):
        x = a.clone().requires_grad_()
        value = asked(loss, x, x * 1, x * 1)
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_none_is_zero_and_moves_nothing(name) -> None:
    loss = resolve(METHODS[name])()
    x = torch.ones(3, 2, requires_grad=True)
    none = Triplets(*(np.empty(0, np.int64),) * 3)
    value = loss.of(x, none)
    value.backward()
    assert float(value.detach()) == 0 and (x.grad == 0).all()


@pytest.mark.parametrize("miner", MINERS)
@pytest.mark.parametrize("name", LOSSES)
def test_any_miner_goes_with_any_loss(name, miner) -> None:
    x = torch.nn.functional.normalize(rows(3, 20, 5).detach().float(), dim=1).requires_grad_()
    labels = torch.arange(20) % 4
    value = resolve(METHODS[name])().of(x, resolve(MINERS[miner])()(x, labels))
    value.backward()
    assert torch.isfinite(value) and x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_miners_of_another_library_will_do(name) -> None:
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    x = torch.nn.functional.normalize(rows(4, 12, 4).detach().float(), dim=1)
    labels = torch.arange(12) % 3
    loss = resolve(METHODS[name])()
    for miner in (miners.BatchHardMiner(), miners.MultiSimilarityMiner(), miners.PairMarginMiner()):
        assert torch.isfinite(loss.of(x, miner(x, labels)))


@pytest.mark.parametrize("name", LOSSES)
def test_what_a_miner_finds_is_learnt_from(name) -> None:
    x = torch.nn.functional.normalize(rows(3, 12, 5).detach().float(), dim=1)
    labels, miner, loss = (
        torch.arange(12) % 3,
        resolve(MINERS["hardest"])(),
        resolve(METHODS[name])(),
    )
    assert float(loss.mined(x, miner, labels)) == float(loss.of(x, miner(x, labels)))
    x[1, 1] = torch.nan
    assert not torch.isfinite(loss.mined(x, miner, labels))  # and no miner is asked


def test_distances_and_means() -> None:
    assert euclidean(torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0]])).tolist() == [5.0]
    assert float(mean(torch.tensor([1.0, 2.0]))) == 1.5


@pytest.mark.parametrize("name", LOSSES)
def test_wrong_shapes_are_said(name) -> None:
    loss = resolve(METHODS[name])()
    with pytest.raises(ValueError, match=r"descriptors: expected vectors \(n, d\) of one shape"):
        asked(loss, torch.ones(4, 3), torch.ones(4, 2), torch.ones(4, 3))
    with pytest.raises(ValueError, match="margin"):
        resolve(METHODS[name])(margin=-1)
    assert "margin" in repr(loss)
