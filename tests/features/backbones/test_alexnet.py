from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.alexnet import AlexNet


def test_names_and_shapes_of_the_published_weights() -> None:
    with torch.device("meta"):
        state = AlexNet().state_dict()
    assert {key: tuple(t.shape) for key, t in state.items() if key.endswith("weight")} == {
        "features.0.weight": (64, 3, 11, 11), "features.3.weight": (192, 64, 5, 5),
        "features.6.weight": (384, 192, 3, 3), "features.8.weight": (256, 384, 3, 3),
        "features.10.weight": (256, 256, 3, 3), "classifier.1.weight": (4096, 9216),
        "classifier.4.weight": (4096, 4096), "classifier.6.weight": (1000, 4096),
    }  # fmt: skip
