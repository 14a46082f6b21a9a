from __future__ import annotations

import numpy as np

from kinfold.transform.moments import Moments


def test_chunks_of_any_size_give_the_moments_of_all(rng) -> None:
    x = (rng.standard_normal((20_000, 6)) * [1, 2, 3, 4, 5, 6] + 1000).astype(np.float32)
    for cuts in ([], [1], [1, 2, 3], [5000, 19_999]):
        moments = Moments(6)
        for chunk in np.split(x, cuts):
            moments.add(chunk)
        assert moments.count == 20_000
        wide = x.astype(np.float64)
        assert np.allclose(moments.mean, wide.mean(axis=0), rtol=1e-12)
        assert np.allclose(moments.covariance(), np.cov(wide.T, bias=True), rtol=1e-9, atol=1e-9)


def test_an_empty_chunk_changes_nothing() -> None:
    moments = Moments(2)
    moments.add(np.ones((3, 2), np.float32))
    moments.add(np.empty((0, 2), np.float32))
    assert moments.count == 3 and (moments.mean == 1).all() and (moments.scatter == 0).all()
