from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.flatten import Flatten


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_every_number_once(rng) -> None:
    maps = torch.from_numpy(rng.random((2, 3, 4, 5)))
    flat = Flatten()(maps)
    assert flat.shape == (2, 60) and torch.equal(flat[1, 20:25], maps[1, 1, 0])
    assert torch.equal(Flatten()(flat), flat)
    assert torch.equal(torch.jit.script(Flatten())(maps), flat)
    assert Flatten().options() == {}
