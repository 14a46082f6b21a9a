from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool import METHODS
from kinfold.features.pool.mac import MAC

# Two maps whose poolings are worked out by hand.
GOLDEN = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 4.0]]]])


def test_worked_example() -> None:
    assert MAC()(GOLDEN).tolist() == [[3, 4]]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in METHODS if name != "flatten"])
def test_every_pooling_is_differentiable_scriptable_and_shaped(name, rng) -> None:
    from kinfold.base.registry import resolve

    pool = resolve(METHODS[name])()
    maps = torch.from_numpy(rng.uniform(0.1, 2, (2, 3, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(pool.double(), (maps,))
    plain = maps.detach().float()
    out = pool.float()(plain)
    assert out.shape == (2, 3) and out.dtype == torch.float32
    assert torch.allclose(torch.jit.script(pool)(plain), out)
    assert torch.equal(pool(torch.zeros(1, 4, 2, 2)) < 1e-5, torch.ones(1, 4, dtype=torch.bool))
    assert pool(plain[:, :, :1, :1]).shape == (2, 3)
    # Equal for every order of memory.
    assert torch.allclose(pool(plain.contiguous(memory_format=torch.channels_last)), out)
    again = resolve(METHODS[name])(**pool.options())
    assert torch.equal(again(plain), out) and again.options() == pool.options()


@pytest.mark.parametrize("name", ["mac", "spoc", "gem"])
def test_every_mean_of_a_constant_map_is_the_constant(name) -> None:
    from kinfold.base.registry import resolve

    pool = resolve(METHODS[name])()
    assert np.allclose(pool(torch.full((1, 2, 3, 5), 0.7)).detach(), 0.7)
