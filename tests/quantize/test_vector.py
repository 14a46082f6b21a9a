"""Vector quantization: argmin, distances through codewords, odd input."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf


def test_codes_are_nearest_codewords(level: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((500, 5)).astype(np.float32)
    quantizer = kf.VectorQuantizer(20, iterations=5, verbose=False).fit(x)
    gaps = ((x[:, None].astype(np.float64) - quantizer.codebook[None]) ** 2).sum(axis=2)
    codes = quantizer.encode(x)
    np.testing.assert_array_equal(codes, gaps.argmin(axis=1))
    assert quantizer.distortion(x) == pytest.approx(gaps.min(axis=1).mean(), rel=1e-5)
    np.testing.assert_array_equal(quantizer.decode(codes), quantizer.codebook[codes])
    expected = ((x[:3, None] - quantizer.decode(codes)[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(quantizer.distances(x[:3], codes), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k, bits", [(1, 0), (2, 1), (16, 4), (17, 5), (256, 8)])
def test_bits_of_a_code(k: int, bits: int) -> None:
    assert kf.VectorQuantizer(k).code_bits == bits


def test_more_codewords_lose_less(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 4)).astype(np.float32)
    lost = [kf.VectorQuantizer(k, verbose=False).fit(x).distortion(x) for k in (1, 4, 16, 64)]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] == pytest.approx(x.var(axis=0).sum(), rel=1e-4)


def test_state_and_nothing(rng: np.random.Generator) -> None:
    x = rng.standard_normal((50, 3)).astype(np.float32)
    quantizer = kf.VectorQuantizer(4, verbose=False).fit(x)
    again = type(quantizer).from_state(quantizer.params(), quantizer.arrays())
    np.testing.assert_array_equal(again.encode(x), quantizer.encode(x))
    assert quantizer.encode(np.empty((0, 3))).shape == (0,)
    assert quantizer.decode([]).shape == (0, 3)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda q: q.decode([4]), "codes: expected numbers from 0 to 3"),
        (lambda q: q.decode([-1]), "codes: expected numbers"),
        (lambda q: q.decode([0.5]), "codes: expected whole numbers"),
        (lambda q: q.encode([[1, 2]]), "x: expected vectors of dimension 3"),
        (
            lambda q: kf.VectorQuantizer(9, verbose=False).fit(np.eye(3)),
            "x: expected at least k = 9",
        ),
    ],
)
def test_bad_input(call: object, words: str, rng: np.random.Generator) -> None:
    quantizer = kf.VectorQuantizer(4, verbose=False).fit(rng.standard_normal((50, 3)))
    with pytest.raises(ValueError, match=words):
        call(quantizer)  # type: ignore[operator]
