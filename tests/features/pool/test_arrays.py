from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.base.registry import resolve
from kinfold.features.pool import METHODS as MODULES
from kinfold.features.pool.arrays import (
    METHODS,
    ArrayPool,
    crow_channels,
    crow_places,
    maxima,
    unit,
)
from kinfold.features.pool.crow import FORMS, CroW
from kinfold.features.pool.regions import roi_max
from kinfold.features.pool.spoc import SPoC


@pytest.fixture
def maps(rng) -> np.ndarray:
    """Rectified, one channel silent."""
    values = np.maximum(rng.standard_normal((2, 5, 12, 17)), 0).astype(np.float32)
    values[:, 0] = 0
    return values


def test_the_same_names() -> None:
    assert set(METHODS) - {"spoc-centre"} == set(MODULES)


@pytest.mark.parametrize("name", METHODS)
def test_each_equals_its_module(name, maps) -> None:
    module = SPoC(centre_prior=True) if name == "spoc-centre" else resolve(MODULES[name])()
    with torch.inference_mode():
        expected = module(torch.from_numpy(maps)).numpy()
    pooled = ArrayPool(name, 3.0 if name == "gem" else 1.0)(maps)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_crow(form, maps) -> None:
    values = torch.from_numpy(maps)
    np.testing.assert_allclose(
        crow_places(maps, form), CroW(form).spatial(values), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        crow_channels(maps, form), CroW(form).channel(values), rtol=1e-5, atol=1e-5
    )


def test_regions_and_lengths(maps) -> None:
    boxes = [(0, 0, 17, 12), (3, 2, 9, 4)]
    np.testing.assert_array_equal(maxima(maps, boxes), roi_max(torch.from_numpy(maps), boxes))
    vectors = np.array([[3, 4], [0, 0]], np.float32)
    np.testing.assert_allclose(unit(vectors), [[0.6, 0.8], [0, 0]])


def test_bad_choices() -> None:
    with pytest.raises(ValueError, match="pooling: expected one of mac"):
        ArrayPool("median")
    with pytest.raises(ValueError, match="p: expected"):
        ArrayPool("gem", 0)
    assert ArrayPool("gem", 2.0).options() == {"name": "gem", "p": 2.0}
