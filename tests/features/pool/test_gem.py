from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.gem import GeM
from kinfold.features.pool.mac import MAC
from kinfold.features.pool.spoc import SPoC

GOLDEN = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 4.0]]]])


def maps(rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.uniform(0, 3, (2, 4, 5, 6)))


def test_worked_example() -> None:
    pooled = GeM(3)(GOLDEN).detach().numpy()
    assert np.allclose(pooled, [[2.080084, 2.519842]], atol=1e-5)


def test_against_the_formula(rng) -> None:
    x = maps(rng)
    for p in (0.5, 1, 2.5, 3, 8):
        expected = np.mean(np.maximum(x.numpy(), 1e-6) ** p, axis=(2, 3)) ** (1 / p)
        assert np.allclose(GeM(p)(x).detach(), expected, rtol=1e-5)


def test_limits_and_order(rng) -> None:
    x = maps(rng)
    assert torch.allclose(GeM(1)(x), SPoC()(x))
    assert torch.allclose(GeM(1000)(x), MAC()(x), rtol=0.01)
    values = torch.stack([GeM(p)(x) for p in (0.5, 1, 2, 3, 5, 10, 100)])
    assert (values[1:] > values[:-1]).all()


def test_gradient_of_p(rng) -> None:
    x = maps(rng) + 0.1
    pool = GeM(2.5).double()

    def at(p: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(pool, {"p": p}, (x,))

    assert torch.autograd.gradcheck(
        at, (torch.tensor([2.5], dtype=torch.float64, requires_grad=True),)
    )
    pool(x).sum().backward()
    analytic = pool.p.grad.item()
    step = 1e-5
    above, below = (at(torch.tensor([2.5 + s], dtype=torch.float64)).sum() for s in (step, -step))
    assert np.isclose(analytic, float(above - below) / (2 * step), rtol=1e-6)


def test_large_and_tiny_activations_stay_finite() -> None:
    for size in (1e-5, 1e5, 1e15):
        x = torch.full((1, 1, 2, 2), size)
        x[0, 0, 0, 0] = 0
        for p in (1.0, 3.0, 100.0):
            assert np.isclose(GeM(p)(x).item(), size * 0.75 ** (1 / p), rtol=0.05)


def test_gradient_where_a_map_is_zero_is_finite() -> None:
    x = torch.zeros(1, 2, 3, 3, requires_grad=True)
    GeM()(x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("p", [0, -1, np.inf, "three"])
def test_bad_p(p) -> None:
    with pytest.raises(ValueError, match="p: expected"):
        GeM(p)


def test_bad_eps() -> None:
    with pytest.raises(ValueError, match="eps"):
        GeM(eps=0)


def test_a_fixed_exponent_is_no_parameter() -> None:
    fixed = GeM(3, learnt=False)
    assert not list(fixed.parameters()) and "p" in fixed.state_dict()
    assert torch.equal(fixed(GOLDEN), GeM(3)(GOLDEN))
    assert [p.item() for p in GeM(2.5).parameters()] == [2.5]
