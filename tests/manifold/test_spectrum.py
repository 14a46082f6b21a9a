"""Classical scaling finds points again from their distances."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.manifold.spectrum import centred_spectrum, placed


@pytest.mark.parametrize("n", [40, 700, 1600])
def test_points_from_distances(n, rng) -> None:
    x = rng.standard_normal((n, 3)) * [3, 2, 1]
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    spectrum = centred_spectrum((-0.5 * squares).astype(np.float32 if n > 1500 else np.float64), 4)
    points = spectrum.coordinates()
    assert (spectrum.values[:3] > 0).all() and spectrum.values[3] < 1e-4 * spectrum.values[0]
    again = ((points[:50, None].astype(np.float64) - points[None, :50]) ** 2).sum(axis=2)
    np.testing.assert_allclose(again, squares[:50, :50], atol=1e-3)
    new = rng.standard_normal((5, 3))
    rows = -0.5 * ((new[:, None] - x[None]) ** 2).sum(axis=2)
    at = placed(rows, spectrum.means, points, spectrum.values)
    gaps = ((at[:, None].astype(np.float64) - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(gaps, -2 * rows, rtol=1e-2, atol=1e-2)
