"""Sign codes: the angle that they tell, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.quantize.sign import PROJECTIONS


def at_angle(rng: np.random.Generator, degrees: float, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors of random lengths at an angle."""
    a, b = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
    angle = np.deg2rad(degrees)
    return a * rng.uniform(0.1, 9), (np.cos(angle) * a + np.sin(angle) * b) * rng.uniform(0.1, 9)


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("degrees", [30.0, 60.0, 90.0])
def test_the_share_of_bits_tells_the_angle(
    projection: str, degrees: float, rng: np.random.Generator
) -> None:
    d, bits, pairs = 40, 1024, 60
    signs = kf.SignQuantizer(bits, projection=projection, seed=3).fit(np.ones((1, d)))
    left, right = zip(*(at_angle(rng, degrees, d) for _ in range(pairs)))
    differing = np.unpackbits(
        signs.encode(np.array(left)) ^ signs.encode(np.array(right)), axis=1
    ).sum(axis=1)
    p = degrees / 180
    deviation = np.sqrt(p * (1 - p) / (bits * pairs))
    # The directions are the same for all pairs, so the pairs are not quite independent.
    assert abs(differing.mean() / bits - p) < 4 * deviation * 2


def test_codes_do_not_depend_on_length_or_batch(rng: np.random.Generator) -> None:
    x = rng.standard_normal((70, 33)).astype(np.float32)
    for projection in PROJECTIONS:
        signs = kf.SignQuantizer(100, projection=projection).fit(x)
        codes = signs.encode(x)
        assert codes.shape == (70, 13) and codes.dtype == np.uint8
        np.testing.assert_array_equal(signs.encode(4 * x), codes)
        np.testing.assert_array_equal(np.concatenate([signs.encode(row) for row in x]), codes)
        above = signs.project(x) >= 0
        np.testing.assert_array_equal(np.packbits(above, axis=1, bitorder="little"), codes)


def test_zero_has_all_bits(rng: np.random.Generator) -> None:
    signs = kf.SignQuantizer(16).fit(rng.standard_normal((5, 4)))
    assert signs.encode(np.zeros((1, 4))).tolist() == [[255, 255]]


def test_centred_codes_follow_the_data(rng: np.random.Generator) -> None:
    x = rng.standard_normal((50, 8)).astype(np.float32)
    plain = kf.SignQuantizer(64, seed=5).fit(x - x.mean(axis=0))
    centred = kf.SignQuantizer(64, seed=5, centred=True).fit(x + 100)
    differing = np.unpackbits(plain.encode(x - x.mean(axis=0)) ^ centred.encode(x + 100)).mean()
    assert differing < 0.01, "but for rounding"


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_decoding_gives_the_direction(projection: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((20, 16)).astype(np.float32)
    signs = kf.SignQuantizer(2048, projection=projection).fit(x)
    back = signs.decode(signs.encode(x))
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-5)
    cosines = (back * x).sum(axis=1) / np.linalg.norm(x, axis=1)
    assert cosines.min() > 0.95


def test_refusals() -> None:
    with pytest.raises(ValueError, match="^bits: "):
        kf.SignQuantizer(5000)
    with pytest.raises(ValueError, match="^projection: expected one of"):
        kf.SignQuantizer(8, projection="other")
    with pytest.raises(kf.NotTrainedError, match="call fit first"):
        kf.SignQuantizer(8).encode([[1.0]])
    signs = kf.SignQuantizer(8).fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match="^x: expected vectors of dimension 2"):
        signs.encode([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="^codes: expected uint8"):
        signs.decode([[1.0]])
