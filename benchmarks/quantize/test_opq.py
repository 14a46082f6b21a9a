"""OPQ training against faiss at equal iterations: time, and the error of a product quantizer in the rotated space."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import kinfold as kf
from benchmarks import data
from kinfold import _core

ITERATIONS = 50


@functools.lru_cache(maxsize=1)
def vectors() -> np.ndarray:
    return data.sift(100_000)["train"][:65536]


def lost(rotated: np.ndarray, m: int) -> float:
    """Mean squared error of a product quantizer trained alike for all contestants."""
    return kf.ProductQuantizer(m, verbose=False).fit(rotated).distortion(rotated)


@functools.cache
def plain(m: int) -> float:
    return lost(vectors(), m)


@pytest.mark.parametrize("peer", ["kinfold", "kinfold avx2", "kinfold parametric", "faiss"])
@pytest.mark.parametrize("m", [8, 16])
@pytest.mark.parametrize("threads", [1, 2])
def test_opq(m: int, threads: int, peer: str, timed, one_library, benchmark) -> None:
    level = "avx2" if peer.endswith("avx2") else None
    if level and level not in _core.levels():
        pytest.skip("this machine lacks avx2")
    one_library(threads, level)
    x = vectors()
    if peer == "faiss":
        faiss = pytest.importorskip("faiss")

        def train() -> np.ndarray:
            matrix = faiss.OPQMatrix(x.shape[1], m)
            matrix.niter = ITERATIONS
            matrix.train(x)
            return matrix.apply(x)

    else:
        method = "parametric" if peer.endswith("parametric") else "non-parametric"

        def train() -> np.ndarray:
            opq = kf.OPQ(m, method=method, iterations=ITERATIONS, verbose=False)
            return opq.fit(x).transform(x)

    benchmark.group = f"sift 65,536 x 128, m {m}, {threads} thread{'s' * (threads > 1)}"
    rotated = timed(train, rounds=1, warmup=0, peer=peer)
    one_library(2, None)
    benchmark.extra_info["inertia"] = lost(rotated, m)
    # A rotation must pay for itself.
    assert benchmark.extra_info["inertia"] < 1.02 * plain(m)
