"""Exact k nearest neighbours against faiss, scikit-learn and numpy in the same run.

Every contestant must find the same neighbours (share of equal ids in extra_info; ties and rounding aside).
"""

from __future__ import annotations

import functools
import importlib.util

import numpy as np
import pytest

from benchmarks import data
from benchmarks.peers.exact import PEERS
from kinfold import _core

# Set -> maker of base and queries; larger than the caches, as users' data are.
SETS = {
    "sift 1M x 128": lambda: data.sift(1_000_000),
    "gaussian 1M x 32": lambda: data.gaussian(1_000_000, 32, 1000),
    "gaussian 500k x 128": lambda: data.gaussian(500_000, 128, 1000),
    "gaussian 200k x 512": lambda: data.gaussian(200_000, 512, 1000),
    "gaussian 50k x 2048": lambda: data.gaussian(50_000, 2048, 1000),
}
# Measured for k = 10 and one thread alone, scikit-learn and numpy with few rounds.
SLOW = ("sklearn", "numpy")
ONCE = (*SLOW, "kinfold avx2", "kinfold f32 avx2")


@functools.lru_cache(maxsize=1)
def loaded(name: str) -> dict[str, np.ndarray]:
    searches.cache_clear()
    return SETS[name]()


@functools.lru_cache(maxsize=len(PEERS))
def searches(name: str, peer: str):
    return PEERS[peer][0](loaded(name)["base"])


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("k", [1, 10, 100])
@pytest.mark.parametrize("batch", [1, 32, 1000])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", SETS)
def test_flat(
    name: str, threads: int, batch: int, k: int, peer: str, timed, one_library, benchmark
) -> None:
    package = peer.split()[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if peer in ONCE and (k != 10 or threads != 1):
        pytest.skip("measured for k = 10 and one thread alone")
    if peer == "numpy" and batch > 32:
        pytest.skip("its rate does not change with more than 32 queries")
    level = PEERS[peer][1]
    if level is not None and level not in _core.levels():
        pytest.skip(f"this machine lacks {level}")
    one_library(threads, level)
    queries = loaded(name)["queries"][:batch]
    search = searches(name, peer)
    one_library(threads, None)
    expected = searches(name, "kinfold")(queries, k)[1]
    one_library(threads, level)
    got = search(queries, k)[1]
    same = float((got == expected).mean())
    # Peers that expand the square lose digits: among 2,048 dimensions they swap some near neighbours.
    assert same > 0.98
    benchmark.group = f"{name}, {threads} thread{'s' * (threads > 1)}, batch {batch}, k {k}"
    timed(
        lambda: search(queries, k),
        rounds=1 if peer in SLOW else 3,
        same_ids=same,
        peer=peer,
        queries=batch,
    )
