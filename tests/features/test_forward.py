from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.forward import Forward, as_device, inference, unit
from kinfold.features.trunk import Trunk


def test_precisions(rng) -> None:
    trunk = Trunk.of("random", "squeezenet1_1")
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    outs = {}
    for precision in ("float32", "bfloat16"):
        forward = Forward(trunk, precision=precision)
        with inference():
            outs[precision] = forward(forward.images([pixels]))
        assert outs[precision].dtype == torch.float32
    a, b = (out.flatten() for out in outs.values())
    assert 0.999 < float(torch.nn.functional.cosine_similarity(a, b, dim=0)) < 1
    assert next(trunk.module.parameters()).dtype == torch.float32, "the trunk itself stays"


def test_settings() -> None:
    trunk = Trunk.of("random", "squeezenet1_1")
    with pytest.raises(ValueError, match="precision: expected one of float32"):
        Forward(trunk, precision="float8")
    with pytest.raises(ValueError, match="device: expected such as"):
        as_device("abacus")
    assert torch.equal(unit(torch.tensor([[3.0, 4.0], [0, 0]])), torch.tensor([[0.6, 0.8], [0, 0]]))
