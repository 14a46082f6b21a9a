from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from kinfold.features.shapes import shape_of


def test_a_shape_is_told_without_computing() -> None:
    """An image of 40,000 x 40,000 pixels would take 19 GB."""
    module = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2))
    assert shape_of(module, (1, 3, 40_000, 40_000)) == (1, 5, 9999, 9999)
    assert shape_of(module, (2, 3, 11, 9)) == tuple(module(torch.zeros(2, 3, 11, 9)).shape)


def test_a_module_of_ones_own_is_run() -> None:
    class Own(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :, :: int(x.mean()) + 1]  # needs numbers

    assert shape_of(Own(), (1, 3, 8, 8)) == (1, 3, 8, 8)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(4, 5, 3), "does not take images"),
        (nn.MaxPool2d(100), "does not take images"),
        (nn.LSTM(8, 2), "does not take images|gives a tensor"),
    ],
)
def test_what_takes_no_image(module, message) -> None:
    with pytest.raises(ValueError, match=message):
        shape_of(module, (1, 3, 8, 8))
