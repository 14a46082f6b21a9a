"""k-means against faiss and scikit-learn: equal iterations, random rows to start from, inertia beside the time."""

from __future__ import annotations

import functools
import importlib.util
import warnings

import numpy as np
import pytest

import kinfold as kf
from benchmarks import data
from kinfold import _core
from kinfold.quantize.kmeans import assign

# Set -> vectors, k, iterations.
CASES = {
    "gaussian 100k x 16, k 256": (lambda: data.gaussian(100_000, 16, 1)["base"], 256, 20),
    "sift 100k x 16, k 256": (
        lambda: np.ascontiguousarray(data.sift(100_000)["base"][:, :16]),
        256,
        20,
    ),
    "sift 100k x 128, k 1024": (lambda: data.sift(100_000)["base"], 1024, 10),
    "sift 100k x 128, k 4096": (lambda: data.sift(100_000)["base"], 4096, 5),
    "gaussian 100k x 128, k 4096": (lambda: data.gaussian(100_000, 128, 1)["base"], 4096, 5),
    "sift 250k x 128, k 65536": (lambda: data.sift(250_000)["base"], 65_536, 2),
}


def by_kinfold(x: np.ndarray, k: int, iterations: int) -> np.ndarray:
    return (
        kf.KMeans(k, iterations=iterations, init="random", seed=0, verbose=False).fit(x).centroids
    )


def by_faiss(x: np.ndarray, k: int, iterations: int) -> np.ndarray:
    import faiss

    model = faiss.Kmeans(
        x.shape[1],
        k,
        niter=iterations,
        seed=0,
        max_points_per_centroid=10**9,
        min_points_per_centroid=1,
    )
    model.train(x)
    return model.centroids


def by_sklearn(x: np.ndarray, k: int, iterations: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(k, max_iter=iterations, init="random", n_init=1, tol=0, random_state=0)
        return model.fit(x).cluster_centers_.astype(np.float32)


PEERS = {
    "kinfold": (by_kinfold, None),
    "kinfold avx2": (by_kinfold, "avx2"),
    "faiss": (by_faiss, None),
    "sklearn": (by_sklearn, None),
}


@functools.lru_cache(maxsize=1)
def loaded(name: str) -> np.ndarray:
    return CASES[name][0]()


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_kmeans(name: str, threads: int, peer: str, timed, one_library, benchmark) -> None:
    package = peer.split()[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    fit, level = PEERS[peer]
    _, k, iterations = CASES[name]
    if level is not None and level not in _core.levels():
        pytest.skip(f"this machine lacks {level}")
    if peer in ("sklearn", "kinfold avx2") and (threads != 1 or k > 4096):
        pytest.skip("measured with one thread and up to 4,096 centroids alone")
    one_library(threads, level)
    x = loaded(name)
    centroids: list[np.ndarray] = []
    benchmark.group = f"{name}, {iterations} iterations, {threads} thread{'s' * (threads > 1)}"
    rounds = 1 if k > 4096 or peer == "sklearn" else 3
    timed(lambda: centroids.append(fit(x, k, iterations)), rounds=rounds, warmup=0, peer=peer)
    one_library(2, None)
    benchmark.extra_info["inertia"] = float(assign(x, centroids[-1])[1].sum(dtype=np.float64))
