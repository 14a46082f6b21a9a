"""Where data lie and how large their numbers are changes no answer but by as much: shifts, powers of two, order.

Every shift below is exact in float32, and so is every power of two: what differs is the method's own rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.quantize.kmeans import assign
from kinfold.transform.normalize import l2_normalize

# Name: how it is made, and to which power of the data's scale its answers grow.
EMBEDDINGS: dict[str, tuple[Callable[[], Any], int]] = {
    "Isomap": (lambda: kf.Isomap(2, n_neighbors=6), 1),
    "Isomap, landmarks": (lambda: kf.Isomap(2, n_neighbors=6, landmarks=40), 1),
    "LLE": (lambda: kf.LocallyLinearEmbedding(2), 0),
    "Laplacian": (lambda: kf.LaplacianEigenmaps(2), 0),
    "Laplacian, heat": (lambda: kf.LaplacianEigenmaps(2, weights="heat"), 0),
    "KernelPCA": (lambda: kf.KernelPCA(3), 1),
    "PCA": (lambda: kf.PCA(3), 1),
    "PCA, randomized": (lambda: kf.PCA(3, solver="randomized"), 1),
    "whitening": (lambda: kf.PCA(3, whiten=True), 0),
    "whitening, Ledoit-Wolf": (lambda: kf.PCA(whiten=0.5, shrinkage="ledoit-wolf"), 0),
}
# So much smaller, squares are no float32 numbers; so much larger, vectors are almost as long as they may be.
POWERS = (-100, -70, -20, 20, 54)
ROUNDING = 1e-3


def points(n: int = 160, d: int = 5) -> np.ndarray:
    """A bent sheet with noise, in sixty-fourths: the same numbers after a shift by 2^17."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 3, n), rng.uniform(0, 1, n)
    sheet = np.stack([np.cos(u), np.sin(u), v], axis=1) @ rng.normal(size=(3, d))
    x = sheet * 3 + 0.05 * rng.standard_normal((n, d))
    return (np.round(x * 64) / 64).astype(np.float32)


def gap(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, up to signs of columns, beside the largest number."""
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    signs = np.where((got * wanted).sum(axis=0) < 0, -1, 1)
    return float(np.abs(got * signs - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_a_shift_changes_no_embedding(name: str) -> None:
    make, _ = EMBEDDINGS[name]
    x = points()
    model = make()
    wanted, placed = model.fit_transform(x), model.transform(x[::7] + np.float32(0.25))
    for shift in (2.0**10, -(2.0**17)):
        moved = make()
        assert gap(moved.fit_transform(x + np.float32(shift)), wanted) < ROUNDING
        again = moved.transform(x[::7] + np.float32(shift + 0.25))
        assert gap(again, placed) < ROUNDING


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_a_power_of_two_scales_an_embedding(name: str) -> None:
    make, degree = EMBEDDINGS[name]
    x = points()
    model = make()
    wanted, placed = model.fit_transform(x), model.transform(x[::7] + np.float32(0.25))
    for power in POWERS:
        scaled = make()
        got = scaled.fit_transform(np.ldexp(x, power))
        assert gap(np.ldexp(got.astype(np.float64), -degree * power), wanted) < 1e-5, power
        again = scaled.transform(np.ldexp(x[::7] + np.float32(0.25), power))
        assert gap(np.ldexp(again.astype(np.float64), -degree * power), placed) < 1e-5, power


@pytest.mark.parametrize("name", [name for name in EMBEDDINGS if "landmarks" not in name])
def test_the_order_of_rows_does_not_matter(name: str) -> None:
    make, _ = EMBEDDINGS[name]
    x = points()
    order = np.random.default_rng(1).permutation(len(x))
    wanted = make().fit_transform(x)
    assert gap(make().fit_transform(x[order]), wanted[order]) < ROUNDING


@pytest.mark.parametrize(
    "name", ["Isomap", "Isomap, landmarks", "Laplacian", "KernelPCA", "PCA", "whitening"]
)
@pytest.mark.parametrize("far", [0, 1e2, 1e4])
@pytest.mark.parametrize("count", [1, 9])
def test_a_fitted_point_is_placed_where_it_was_embedded(name: str, far: float, count: int) -> None:
    make, _ = EMBEDDINGS[name]
    x = points()
    if far:
        x = np.concatenate([x, x[:count] + np.float32(far)])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the neighbour graph falls into")
        model = make()
        embedded = model.fit_transform(x)
    spread = np.ptp(embedded[: len(points())], axis=0)
    moved = np.abs(model.transform(x) - embedded).max(axis=0)
    assert (moved <= 0.05 * spread + 1e-6 * np.abs(embedded).max(axis=0)).all(), (moved, spread)


@pytest.mark.parametrize("n", [200, 1600])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_kernels_of_differences_do_not_know_the_origin(kernel: str, n: int) -> None:
    x = points(n, 4)
    wanted = kf.KernelPCA(2, kernel=kernel, gamma=0.25).fit(x)
    moved = kf.KernelPCA(2, kernel=kernel, gamma=0.25).fit(x + np.float32(2**17))
    assert gap(moved.embedding_, wanted.embedding_) < ROUNDING
    np.testing.assert_allclose(moved.eigenvalues_, wanted.eigenvalues_, rtol=1e-4)
    again = moved.transform(x[:50] + np.float32(2**17))
    assert gap(again, wanted.transform(x[:50])) < ROUNDING


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize(
    ("size", "offset"), [(1, 1e6), (1e-15, 1), (1e15, 0), (1e-3, 1e3), (1, 1e7)]
)
def test_principal_components_beside_float64(size: float, offset: float, whiten: bool) -> None:
    rng = np.random.default_rng(3)
    x = (
        rng.standard_normal((900, 6)) @ np.diag([5, 3, 2, 1, 0.5, 0.3]) * size * 8 + offset * size
    ).astype(np.float32)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
    wanted = centred @ vectors[:, ::-1][:, :4]
    if whiten:
        wanted /= np.sqrt(values[::-1][:4])
    assert gap(kf.PCA(4, whiten=whiten).fit(x).transform(x), wanted) < 1e-4


def quantizers() -> dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
    """Name to a function of vectors: codes of all, and a codebook."""

    def kmeans(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = kf.KMeans(7, restarts=2, verbose=False).fit(x)
        return model.assign(x), model.centroids

    def oversampled(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = kf.KMeans(7, init="k-means||", verbose=False).fit(x)
        return model.assign(x), model.centroids

    def batches(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = kf.KMeans(7, batch=60, verbose=False).fit(x)
        return model.assign(x), model.centroids

    def vector(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = kf.VectorQuantizer(9, verbose=False).fit(x)
        return model.encode(x), model.codebook

    def product(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = kf.ProductQuantizer(3, bits=4, verbose=False).fit(x)
        return model.encode(x), model.codebooks

    def optimized(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model = kf.OPQ(3, bits=4, iterations=5, verbose=False).fit(x)
        return model.quantizer.encode(model.transform(x)), model.quantizer.codebooks

    def local(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells = np.arange(len(x)) % 3
        model = kf.LocallyOptimizedPQ(3, bits=4, shared=False, verbose=False).fit(x, cells, 3)
        return model.encode(x, cells), model.codebooks

    return {
        "k-means": kmeans, "k-means||": oversampled, "mini-batches": batches, "VQ": vector, "PQ": product,
        "OPQ": optimized, "LOPQ": local,
    }  # fmt: skip


@pytest.mark.parametrize("name", quantizers())
def test_a_power_of_two_scales_a_codebook(name: str) -> None:
    learn = quantizers()[name]
    x = points(400, 7)
    codes, book = learn(x)
    assert len(np.unique(codes)) > 4
    for power in POWERS:
        got, scaled = learn(np.ldexp(x, power))
        np.testing.assert_array_equal(got, codes, err_msg=f"{power}")
        np.testing.assert_allclose(np.ldexp(scaled, -power), book, rtol=1e-5, atol=1e-6)


def brute(x: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    return ((x.astype(np.float64)[:, None] - centroids.astype(np.float64)) ** 2).sum(axis=2)


@pytest.mark.parametrize("d", [1, 3, 16, 70])
@pytest.mark.parametrize("k", [1, 5, 300])
def test_the_nearest_centroid_of_any_numbers(d: int, k: int, level: str) -> None:
    rng = np.random.default_rng(d * k)
    cases = {
        "one scale": lambda n, power: np.ldexp(rng.standard_normal((n, d)), power),
        "all scales": lambda n, power: np.ldexp(
            rng.standard_normal((n, d)), rng.integers(-140, 50, (n, 1))
        ),
        "whole numbers": lambda n, power: np.ldexp(rng.integers(0, 9, (n, d)).astype(float), power),
    }
    for name, case in cases.items():
        for power in (-146, -100, -72, -66, -63, -60, -30, 0, 50):
            centroids = case(k, power).astype(np.float32)
            x = case(90, power).astype(np.float32)
            x[:10] = centroids[rng.integers(0, k, 10)]
            x[10:15] = 0
            labels, distances = assign(x, centroids)
            exact = brute(x, centroids)
            least = exact.min(axis=1)
            message = f"{name} at 2^{power}"
            chosen = exact[np.arange(len(x)), labels]
            assert (chosen <= least * (1 + (d + 20) * 2.0**-22)).all(), message
            np.testing.assert_allclose(
                distances, least, rtol=(d + 20) * 2.0**-22, atol=1e-44, err_msg=message
            )
            if name == "whole numbers" and power > -60:  # sums that are exact: ties to the smaller
                np.testing.assert_array_equal(labels, exact.argmin(axis=1), err_msg=message)


TOO_LONG: dict[str, Callable[[np.ndarray], Any]] = {
    "index": lambda x: kf.FlatIndex(8).add(x),
    "k-means": lambda x: kf.KMeans(3, verbose=False).fit(x),
    "assign": lambda x: assign(x, x[:2]),
    "PQ": lambda x: kf.ProductQuantizer(2, bits=4, verbose=False).fit(x),
    "OPQ": lambda x: kf.OPQ(2, bits=4, verbose=False).fit(x),
    "LOPQ": lambda x: kf.LocallyOptimizedPQ(2, bits=4, verbose=False).fit(x, np.zeros(len(x), int), 1),
    "LearnedWhitening": lambda x: kf.LearnedWhitening().fit(x, np.arange(40).reshape(-1, 2)),
    "LocalPCA": lambda x: kf.LocalPCA().fit(x),
    **{name: (lambda x, make=make: make().fit(x)) for name, (make, _) in EMBEDDINGS.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LONG)
@pytest.mark.parametrize("size", [1e19, 1e30, 3e37])
def test_longer_vectors_are_refused_by_name(name: str, size: float) -> None:
    x = points(160, 8)
    x[31] *= np.float32(size)
    with pytest.raises(ValueError, match=r"^(x|X|residuals): .* length up to 4e\+18.* in row 31$"):
        TOO_LONG[name](x)


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("kind", ["Flat", "IVF4,Flat", "IVF4,PQ4x4", "SQ8", "HNSW8", "LSH64"])
def test_queries_are_measured_at_every_gate(kind: str, metric: str) -> None:
    x = points(300, 8)
    try:
        index = kf.index_factory(kind, 8, metric=metric, verbose=False)
    except ValueError:
        pytest.skip("not offered")
    if hasattr(index, "train"):
        index.train(x)
    index.add(x)
    for count in (1, 9, 40):
        queries = np.repeat(x[:1], count, axis=0)
        queries[-1] *= np.float32(1e34)
        if metric == "cosine":  # which divides by the length
            np.testing.assert_array_equal(
                index.search(queries, 3).ids[-1], index.search(x[:1], 3).ids[0]
            )
            continue
        with pytest.raises(ValueError, match=r"^queries: .* length up to 4e\+18"):
            index.search(queries, 3)
        longest = l2_normalize(queries) * np.float32(3.9e18)
        assert not np.isnan(index.search(longest, 3)[0]).any()


def test_answers_beyond_float32_are_refused() -> None:
    x = points(160, 5)
    small = np.ldexp(x, -120)
    whitening = kf.PCA(3, whiten=True).fit(small)
    assert np.isfinite(whitening.transform(small)).all()
    with pytest.raises(ValueError, match="^x: .*answer float32 can hold.* row 1"):
        whitening.transform(np.concatenate([small[:1], x[:1] * np.float32(1e15)]))
    with pytest.raises(ValueError, match="^X: .*inverse spread float32 can hold"):
        kf.PCA(3, whiten=True).fit(np.ldexp(x, -140))
    with pytest.raises(ValueError, match="^pairs: .*inverse float32 can hold"):
        kf.LearnedWhitening().fit(np.ldexp(x, -140), np.arange(160).reshape(-1, 2))
    with pytest.raises(ValueError, match="^X: .*answer float32 can hold"):
        kf.KernelPCA(2, kernel="poly").fit(x * np.float32(1e15))
    with pytest.raises(ValueError, match="^X: .*kernel is finite"):
        kf.KernelPCA(2, kernel="poly", degree=40).fit(x * np.float32(1e15))
