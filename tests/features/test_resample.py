from __future__ import annotations

import numpy as np
import pytest

from kinfold.features.resample import resampled


@pytest.mark.parametrize(
    "size", [(34, 45), (24, 32), (7, 64), (96, 100), (48, 64), (1, 1), (48, 3)]
)
def test_as_torch_has_it(size, rng) -> None:
    torch = pytest.importorskip("torch")
    images = rng.standard_normal((2, 3, 48, 64)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images), size, mode="bilinear", align_corners=False, antialias=True
    )
    np.testing.assert_allclose(resampled(images, *size), expected, atol=2e-5)


def test_constants_stay_and_nothing_to_do_is_nothing_done() -> None:
    images = np.full((1, 3, 20, 30), 0.7, np.float32)
    np.testing.assert_allclose(resampled(images, 11, 41), 0.7, rtol=1e-6)
    assert resampled(images, 20, 30) is images
