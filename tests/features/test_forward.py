from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.forward import Forward, as_device, inference, unit
from kinfold.features.trunk import Trunk


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_precisions(precision, able, rng, monkeypatch) -> None:
    """Half precision is the whole network's, or the weights' alone on a processor without it; never an error."""
    if not able:
        monkeypatch.setattr("kinfold.features.forward.convolves", lambda dtype: False)
    trunk = Trunk.of("random", "squeezenet1_1")
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    outs = []
    for asked in ("float32", precision):
        forward = Forward(trunk, precision=asked)
        assert forward.precision == asked
        with inference():
            outs.append(forward(forward.images([pixels])).flatten())
        assert outs[-1].dtype == torch.float32
    assert not torch.equal(*outs)
    assert float(torch.nn.functional.cosine_similarity(*outs, dim=0)) > 0.999
    if not able:
        kinds = {p.dtype for p in forward.module.parameters()}
        assert kinds <= {torch.float32}
    assert next(trunk.module.parameters()).dtype == torch.float32, "the trunk itself stays"


def test_settings() -> None:
    trunk = Trunk.of("random", "squeezenet1_1")
    with pytest.raises(ValueError, match="precision: expected one of float32"):
        Forward(trunk, precision="float8")
    with pytest.raises(ValueError, match="device: expected such as"):
        as_device("abacus")
    assert torch.equal(unit(torch.tensor([[3.0, 4.0], [0, 0]])), torch.tensor([[0.6, 0.8], [0, 0]]))
