from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.spoc import SPoC

GOLDEN = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 4.0]]]])


def test_worked_example() -> None:
    assert SPoC()(GOLDEN).tolist() == [[1.5, 1]]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_centre_prior_against_a_loop(rng) -> None:
    maps = torch.from_numpy(rng.uniform(0, 1, (1, 1, 5, 8)))
    sigma = 5 / 2 / 3  # the closest border is 2.5 cells from the centre
    weighted = total = 0.0
    for y in range(5):
        for x in range(8):
            weight = math.exp(-((y - 2) ** 2 + (x - 3.5) ** 2) / (2 * sigma**2))
            weighted += weight * float(maps[0, 0, y, x])
            total += weight
    pool = SPoC(centre_prior=True)
    assert math.isclose(float(pool(maps)), weighted / total, rel_tol=1e-9)
    assert torch.autograd.gradcheck(pool, (maps.requires_grad_(),))
    assert torch.allclose(torch.jit.script(pool)(maps), pool(maps))
