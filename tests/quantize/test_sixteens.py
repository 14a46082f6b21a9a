"""Codewords in an order in which each sixteen lie near each other."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.quantize.sixteens import in_sixteens


def spread(words: np.ndarray) -> float:
    """Squared distances to the middles of the sixteens."""
    groups = words.reshape(16, 16, -1).astype(np.float64)
    return float(((groups - groups.mean(axis=1, keepdims=True)) ** 2).sum())


@pytest.mark.parametrize("s", [1, 2, 8, 40])
def test_the_same_words_with_near_ones_together(s: int, rng: np.random.Generator) -> None:
    words = rng.standard_normal((256, s)).astype(np.float32)
    ordered = in_sixteens(words)
    assert sorted(map(bytes, ordered)) == sorted(map(bytes, words))
    assert spread(ordered) < (0.05 if s == 1 else 0.3 if s == 2 else 0.95) * spread(words)
    np.testing.assert_array_equal(in_sixteens(words), ordered)


def test_sixteen_clusters_are_found(rng: np.random.Generator) -> None:
    centres = 100 * rng.standard_normal((16, 4))
    words = (np.repeat(centres, 16, axis=0) + rng.standard_normal((256, 4))).astype(np.float32)
    ordered = in_sixteens(words[rng.permutation(256)])
    assert spread(ordered) == pytest.approx(spread(words), rel=0.2)


@pytest.mark.parametrize("size", [0.0, 1e-38, 1e30])
def test_words_of_any_size(size: float, rng: np.random.Generator) -> None:
    words = (size * rng.standard_normal((256, 3))).astype(np.float32)
    words[:40] = words[0]
    assert sorted(map(bytes, in_sixteens(words))) == sorted(map(bytes, words))


def test_quantizers_of_eight_bits_have_them(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2000, 8)).astype(np.float32)
    quantizer = kf.ProductQuantizer(2, verbose=False, iterations=3).fit(x)
    for book in quantizer.codebooks:
        assert spread(book) < 0.5 * spread(book[rng.permutation(256)])
