from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.compact import Compact
from kinfold.features.backbones.cut import cut
from kinfold.features.receptive_field import receptive_field
from kinfold.features.weights import network, random_network, read_weights
from kinfold.learn.checkpoint import save_weights


def test_sizes() -> None:
    made = Compact(7).eval()
    trunk = cut(made)
    with torch.inference_mode():
        assert trunk(torch.zeros(2, 3, 96, 96)).shape == (2, 128, 6, 6)
        assert made(torch.zeros(1, 3, 33, 65)).shape == (1, 7)
    field = receptive_field(trunk)
    # 5, then 2 · 2, 2 · 4, 2 · 8, 2 · 16 more.
    assert (tuple(field.size), tuple(field.stride)) == ((65, 65), (16, 16))
    convolutions = [m for m in trunk if isinstance(m, torch.nn.Conv2d)]
    sides = (48, 24, 12, 6, 6)
    work = sum(s * s * m.weight.numel() for s, m in zip(sides, convolutions))
    assert 32e6 < work < 35e6


def test_weights_are_recognised(tmp_path) -> None:
    made = random_network("compact", 3)
    save_weights(tmp_path / "w.safetensors", made, None)
    again = network(read_weights(tmp_path / "w.safetensors"))
    assert isinstance(again, Compact)
    assert torch.equal(again.features[0].weight, made.features[0].weight)
