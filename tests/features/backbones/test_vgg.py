from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.vgg import VGG16, VGG19


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        (VGG16, (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
        (VGG19, (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)),
    ],
)
def test_names_of_the_published_weights(kind, places) -> None:
    with torch.device("meta"):
        state = kind().state_dict()
    names = [key for key in state if key.startswith("features.") and key.endswith("weight")]
    assert names == [f"features.{place}.weight" for place in places]
    assert state["classifier.0.weight"].shape == (4096, 25088)
    assert {"classifier.3.bias", "classifier.6.bias"} <= set(state)
