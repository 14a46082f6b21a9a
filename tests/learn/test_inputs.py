from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from small import small

from kinfold.learn.inputs import as_input


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_by_mean_and_deviation_of_the_network(kind) -> None:
    squares = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    network = small()
    network.mean, network.std = (0.5, 0.25, 0.0), (0.25, 0.5, 1.0)
    images = as_input(network)(kind(squares))
    assert images.dtype == torch.float32 and images.shape == (2, 3, 4, 4)
    want = (squares / 255 - network.mean) / network.std
    np.testing.assert_allclose(images.permute(0, 2, 3, 1), want, atol=1e-6)
