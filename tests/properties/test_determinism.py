"""The same bits on every machine: answers to fixed questions, compared with fingerprints kept here.

The baseline has no fused multiply-add and other roundings; from AVX2 on all levels agree, also with
those of other machines. Fingerprints change only with the mathematics: then say why in the changelog.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import kinfold
from kinfold import _core

FINGERPRINTS = {
    "search l2": "9980ea9e48464831",
    "search ip": "81e44cc2b65c1079",
    "k-means": "17fbab4635266891",
}


def numbers(n: int, d: int, step: int) -> np.ndarray:
    """Numbers in [-1, 1) that depend on no library's generator."""
    state = np.arange(1, n * d + 1, dtype=np.uint64) * np.uint64(step)
    state ^= state >> np.uint64(29)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(32)
    return ((state >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - 1).reshape(n, d)


def search(metric: str) -> list[np.ndarray]:
    index = kinfold.FlatIndex(37, metric=metric)
    index.add(numbers(3000, 37, 0x9E3779B97F4A7C15))
    return list(index.search(numbers(50, 37, 0xD1342543DE82EF95), 10))


def k_means() -> list[np.ndarray]:
    x = numbers(4000, 20, 0x9E3779B97F4A7C15)
    model = kinfold.KMeans(32, seed=3, iterations=8, verbose=False).fit(x)
    return [model.centroids, model.assign(x)]


QUESTIONS = {
    "search l2": lambda: search("l2"),
    "search ip": lambda: search("ip"),
    "k-means": k_means,
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_same_bits(name, threads, level) -> None:
    if level == "baseline":
        pytest.skip("the baseline rounds otherwise")
    _core.set_threads(threads)
    try:
        answer = QUESTIONS[name]()
    finally:
        _core.set_threads(0)
    digest = hashlib.sha256(b"".join(a.tobytes() for a in answer)).hexdigest()[:16]
    assert digest == FINGERPRINTS[name]
