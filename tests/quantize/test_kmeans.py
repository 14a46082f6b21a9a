"""k-means: exact assignment, falling inertia, repair, seedings, determinism."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.quantize.kmeans import assign


def blobs(rng: np.random.Generator, k: int, n: int, d: int, spread: float = 0.05) -> np.ndarray:
    centres = rng.standard_normal((k, d)) * 4
    return (centres[rng.integers(k, size=n)] + spread * rng.standard_normal((n, d))).astype(
        np.float32
    )


@pytest.mark.parametrize("d", [1, 3, 16, 17, 128])
@pytest.mark.parametrize("k", [1, 2, 31, 33, 300])
def test_assignment_is_exact(level: str, d: int, k: int, rng: np.random.Generator) -> None:
    x, centroids = (
        rng.standard_normal((600, d)).astype(np.float32),
        rng.standard_normal((k, d)).astype(np.float32),
    )
    labels, distances = assign(x, centroids)
    truth = ((x[:, None, :].astype(np.float64) - centroids[None]) ** 2).sum(axis=2)
    rows = np.arange(len(x))
    np.testing.assert_allclose(distances, truth[rows, labels], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_less(truth[rows, labels], truth.min(axis=1) * (1 + 1e-5) + 1e-6)


@pytest.mark.parametrize("kind", ["plain", "ties", "duplicates", "zeros", "tiny", "large", "huge"])
def test_assignment_along_a_few_directions_is_that_of_all(
    level: str, kind: str, rng: np.random.Generator
) -> None:
    """Of points near a space of few dimensions, cold and warm: what brute force by canonical distances finds."""
    d, k = 96, 200
    axes = np.linalg.qr(rng.standard_normal((d, 6)))[0].T
    x = rng.standard_normal((3000, 6)) * 4 @ axes + 0.1 * rng.standard_normal((3000, d)) + 1
    x = x.astype(np.float32)
    if kind == "ties":
        x = np.rint(x)
    elif kind == "duplicates":
        x = np.repeat(x[:100], 30, axis=0)
    elif kind == "zeros":
        x[::2] = 0
    elif kind in ("tiny", "large", "huge"):
        x *= np.float32({"tiny": 1e-7, "large": 1e12, "huge": 1e17}[kind])
    centroids = x[rng.choice(len(x), k, replace=False)]
    index = kf.FlatIndex(d)
    index.add(centroids)
    wanted, near = (part[:, 0] for part in index.search(x, 1, scan="none"))
    clustering = _core.quantize.Clustering(x)
    cold = clustering.assign(centroids)
    warm = clustering.assign(centroids, rng.integers(0, k, len(x)))
    for labels, distances in (cold, warm, assign(x, centroids)):
        np.testing.assert_array_equal(distances, wanted)
        np.testing.assert_array_equal(labels, near)


def test_warm_and_cold_assignment_agree(level: str, threads: int, rng: np.random.Generator) -> None:
    x = rng.integers(0, 5, (3000, 8)).astype(np.float32)  # ties
    centroids = x[:70].copy()
    clustering = _core.quantize.Clustering(x)
    cold = clustering.assign(centroids)
    for start in (np.zeros(len(x), np.int64), rng.integers(0, 70, len(x)), cold[0]):
        warm = clustering.assign(centroids, start)
        np.testing.assert_array_equal(warm[0], cold[0])
        np.testing.assert_array_equal(warm[1], cold[1])
    truth = ((x[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(cold[0], truth.argmin(axis=1))  # ties to the smaller


@pytest.mark.parametrize("init", ["auto", "k-means++", "k-means||", "random"])
def test_inertia_never_rises_and_matches_the_assignment(
    init: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2000, 10)).astype(np.float32)
    model = kf.KMeans(20, iterations=15, init=init, seed=3).fit(x)
    history = np.array(model.inertia_history)
    assert (np.diff(history) <= 1e-6 * history[:-1]).all()
    assert history[-1] == pytest.approx(assign(x, model.centroids)[1].sum(dtype=np.float64))
    # At the end each centroid is close to the mean of its cell (the centroid condition, within one step).
    assert history[-1] < history[0]


def test_finds_well_separated_clusters(rng: np.random.Generator) -> None:
    x = blobs(rng, 12, 3000, 6)
    for init in ("k-means++", "k-means||"):
        model = kf.KMeans(12, init=init, restarts=4, seed=0).fit(x)
        assert model.inertia < 3000 * 6 * 0.05**2 * 1.05


def test_the_same_codebook_whatever_the_threads_and_level(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 24)).astype(np.float32)
    before, books = _core.level(), []
    try:
        for level in _core.levels()[1:] or _core.levels():
            _core.set_level(level)
            for threads in (1, 2, 7):
                with kf.use_threads(threads):
                    books.append(kf.KMeans(50, iterations=6, seed=1).fit(x).centroids)
    finally:
        _core.set_level(before)
    for book in books[1:]:
        np.testing.assert_array_equal(book, books[0])


def test_empty_cells_are_repaired(rng: np.random.Generator) -> None:
    x = np.concatenate([np.zeros((500, 2)), rng.standard_normal((500, 2))]).astype(np.float32)
    model = kf.KMeans(64, iterations=20, init="random", seed=0).fit(x)
    assert model.repaired > 0
    counts = np.bincount(model.assign(x), minlength=64)
    assert (counts > 0).sum() > 60


def test_fewer_distinct_vectors_than_centroids(rng: np.random.Generator) -> None:
    x = np.repeat(rng.standard_normal((3, 4)), 10, axis=0).astype(np.float32)
    for init in ("k-means++", "k-means||", "random"):
        model = kf.KMeans(5, init=init, iterations=5).fit(x)
        assert model.centroids.shape == (5, 4) and np.isfinite(model.centroids).all()
        assert len(np.unique(model.assign(x))) == 3


def test_spherical_mini_batch_and_sample(rng: np.random.Generator) -> None:
    x = blobs(rng, 8, 4000, 16)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    spherical = kf.KMeans(8, spherical=True, restarts=3).fit(unit)
    np.testing.assert_allclose(np.linalg.norm(spherical.centroids, axis=1), 1, rtol=1e-5)
    full = kf.KMeans(8, restarts=3).fit(x).inertia
    mini = kf.KMeans(8, batch=256, iterations=40, restarts=3).fit(x)
    assert mini.inertia < 1.5 * full and len(mini.inertia_history) == 2
    sampled = kf.KMeans(8, sample=100, restarts=3).fit(x)
    assert assign(x, sampled.centroids)[1].sum() < 1.5 * full


def test_panter_dite_distortion_of_a_gaussian(rng: np.random.Generator) -> None:
    """256 cells on N(0, 1): mean squared error near pi * sqrt(3) / (2 * 256**2) (Panter & Dite 1951)."""
    x = rng.standard_normal((60_000, 1)).astype(np.float32)
    model = kf.KMeans(256, iterations=60, seed=0).fit(x)
    assert model.inertia / len(x) == pytest.approx(4.15e-5, rel=0.15)


BAD = [
    (lambda: kf.KMeans(0), "k: expected"),
    (lambda: kf.KMeans(2, iterations=-1), "iterations: expected"),
    (lambda: kf.KMeans(2, init="best"), "init: expected one of"),
    (lambda: kf.KMeans(2, restarts=0), "restarts: expected"),
    (lambda: kf.KMeans(2, seed=-1), "seed: expected"),
    (lambda: kf.KMeans(5).fit(np.zeros((4, 2))), "x: expected at least k = 5 vectors, got 4"),
    (lambda: kf.KMeans(1).fit(np.zeros(4)), "x: expected vectors"),
    (lambda: kf.KMeans(1).fit(np.full((4, 2), np.nan)), "x: expected finite"),
    (lambda: kf.KMeans(1).fit(np.full((4, 2), 1e30)), "x: expected vectors of a length up to"),
    (lambda: assign(np.zeros((2, 3)), np.zeros((2, 4))), "x: expected vectors of dimension 4"),
]


@pytest.mark.parametrize(("call", "words"), BAD)
def test_bad_input(call, words: str) -> None:
    with pytest.raises(ValueError, match="^" + words):
        call()


def test_not_trained() -> None:
    with pytest.raises(kf.NotTrainedError, match="call fit first"):
        _ = kf.KMeans(2).centroids


def test_state_round_trip(rng: np.random.Generator) -> None:
    x = rng.standard_normal((200, 5)).astype(np.float32)
    model = kf.KMeans(7, seed=2).fit(x)
    again = kf.KMeans.from_state(model.params(), model.arrays())
    np.testing.assert_array_equal(again.assign(x), model.assign(x))
    assert again.inertia == model.inertia


def test_assignment_by_something_else(rng: np.random.Generator) -> None:
    x = rng.standard_normal((500, 6)).astype(np.float32)
    calls = []

    def nearest(vectors: np.ndarray, centroids: np.ndarray):
        calls.append(len(centroids))
        return assign(vectors, centroids)

    exact = kf.KMeans(20, iterations=4, verbose=False).fit(x)
    other = kf.KMeans(20, iterations=4, verbose=False).fit(x, nearest=nearest)
    np.testing.assert_array_equal(other.centroids, exact.centroids)
    assert other.inertia_history == exact.inertia_history and calls == [20] * 5
    with pytest.raises(ValueError, match="^nearest: expected none with mini-batches"):
        kf.KMeans(20, batch=50).fit(x, nearest=nearest)


FEW = {
    "k-means": lambda x: kf.KMeans(8, verbose=False).fit(x),
    "VQ": lambda x: kf.VectorQuantizer(8, verbose=False).fit(x),
    "PQ": lambda x: kf.ProductQuantizer(2, bits=4, verbose=False).fit(x),
    "OPQ": lambda x: kf.OPQ(2, bits=4, iterations=2, verbose=False).fit(x),
    "LOPQ": lambda x: kf.LocallyOptimizedPQ(2, bits=4, verbose=False).fit(x, np.arange(len(x)) % 3, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_learning_from_few_vectors_warns_once(name: str, rng: np.random.Generator) -> None:
    """Below 39 vectors a centroid, as faiss."""
    k = 8 if name in ("k-means", "VQ") else 16
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        FEW[name](rng.standard_normal((39 * k, 4)).astype(np.float32))
        assert not seen
        FEW[name](rng.standard_normal((39 * k - 1, 4)).astype(np.float32))
    assert [str(warning.message) for warning in seen] == [
        f"{k} centroids are learnt from {39 * k - 1} vectors: at least {39 * k} are advised"
    ]


def test_assign_gives_distances_in_front_of_cells(rng: np.random.Generator) -> None:
    x = rng.standard_normal((60, 3)).astype(np.float32)
    means = kf.KMeans(4, verbose=False).fit(x)
    distances, cells = means.assign(x, return_distance=True)
    np.testing.assert_array_equal(cells, means.assign(x))
    gaps = ((x - means.centroids[cells]) ** 2).sum(axis=1)
    np.testing.assert_allclose(distances, gaps, rtol=1e-5)
