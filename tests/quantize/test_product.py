"""Product quantization: identities of codes, tables and distances; training; odd shapes."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.quantize.product import ProductQuantizer


def trained(
    rng: np.random.Generator, d: int, m: int, bits: int, n: int = 600, **options: int
) -> tuple[ProductQuantizer, np.ndarray]:
    x = rng.standard_normal((n, d)).astype(np.float32)
    options = {"iterations": 4, **options}
    return ProductQuantizer(m, bits=bits, verbose=False, **options).fit(x), x


SHAPES = [
    (8, 1, 8),
    (8, 8, 8),
    (13, 4, 8),
    (13, 5, 4),
    (16, 4, 4),
    (7, 7, 4),
    (9, 3, 8),
    (10, 4, 8),
]


@pytest.mark.parametrize("d, m, bits", SHAPES)
def test_codes_are_the_nearest_codewords(
    level: str, d: int, m: int, bits: int, rng: np.random.Generator
) -> None:
    quantizer, x = trained(rng, d, m, bits)
    size = -(-d // m)
    assert quantizer.codebooks.shape == (m, 2**bits, size)
    assert quantizer.code_size == (m if bits == 8 else -(-m // 2))
    codes = quantizer.encode(x)
    assert codes.shape == (len(x), quantizer.code_size) and codes.dtype == np.uint8
    padded = np.zeros((len(x), m * size))
    padded[:, :d] = x
    pieces = padded.reshape(len(x), m, 1, size)
    truth = ((pieces - quantizer.codebooks[None].astype(np.float64)) ** 2).sum(axis=3)
    words = quantizer.words(codes)
    chosen = np.take_along_axis(truth, words[:, :, None].astype(int), axis=2)[:, :, 0]
    assert (chosen <= truth.min(axis=2) * (1 + 1e-5) + 1e-6).all()
    assert not quantizer.codebooks.reshape(m, -1, size)[-1, :, d - (m - 1) * size :].any()


@pytest.mark.parametrize("d, m, bits", SHAPES)
@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_asymmetric_distances_are_those_to_decoded_vectors(
    d: int, m: int, bits: int, metric: str, rng: np.random.Generator
) -> None:
    quantizer, x = trained(rng, d, m, bits)
    queries = rng.standard_normal((5, d)).astype(np.float32)
    codes = quantizer.encode(x[:50])
    decoded = quantizer.decode(codes).astype(np.float64)
    got = quantizer.distances(queries, codes, metric=metric)
    gaps = ((queries[:, None] - decoded[None]) ** 2).sum(axis=2)
    expected = gaps if metric == "l2" else queries @ decoded.T
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    again = quantizer.encode(quantizer.decode(codes))
    np.testing.assert_allclose(quantizer.decode(again), decoded, rtol=1e-6, atol=1e-6)


def test_symmetric_distances_quantize_the_query_too(rng: np.random.Generator) -> None:
    quantizer, x = trained(rng, 12, 3, 4)
    codes = quantizer.encode(x[:40])
    got = quantizer.distances(x[:5], codes, symmetric=True)
    seen = quantizer.decode(quantizer.encode(x[:5])).astype(np.float64)
    expected = ((seen[:, None] - quantizer.decode(codes)[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    # The triangle inequality bounds the error of the asymmetric distance (Jegou et al. 2011, section III-B).
    true = np.sqrt(((x[:5, None].astype(np.float64) - x[None, :40]) ** 2).sum(axis=2))
    asymmetric = np.sqrt(quantizer.distances(x[:5], codes).astype(np.float64))
    lost = np.sqrt(((x[:40].astype(np.float64) - quantizer.decode(codes)) ** 2).sum(axis=1))
    assert (np.abs(asymmetric - true) <= lost + 1e-4).all()


def test_one_subquantizer_is_a_vector_quantizer(rng: np.random.Generator) -> None:
    quantizer, x = trained(rng, 6, 1, 8)
    from kinfold.quantize.kmeans import assign

    labels, distances = assign(x, quantizer.codebooks[0])
    np.testing.assert_array_equal(quantizer.encode(x)[:, 0], labels)
    assert quantizer.distortion(x) == pytest.approx(distances.mean(), rel=1e-5)


def test_distortion_is_the_sum_over_subspaces(rng: np.random.Generator) -> None:
    quantizer, x = trained(rng, 12, 4, 8)
    lost = (x - quantizer.decode(quantizer.encode(x))).reshape(len(x), 4, 3).astype(np.float64)
    assert quantizer.distortion(x) == pytest.approx(
        (lost**2).sum(axis=2).mean(axis=0).sum(), rel=1e-6
    )


def test_scalar_quantizers_of_a_gaussian_lose_what_theory_says(rng: np.random.Generator) -> None:
    # Panter & Dite 1951: pi sqrt(3) / (2 k^2) for k levels of N(0, 1).
    x = rng.standard_normal((256 * 200, 1)).astype(np.float32)
    # The best density of levels is that of the data to the power 1/3: a Gaussian, sqrt(3) times as wide.
    start = np.sqrt(3) * np.quantile(x, (np.arange(256) + 0.5) / 256).reshape(1, 256, 1)
    quantizer = ProductQuantizer(1, iterations=60, sample=200, verbose=False).fit(x, start=start)
    theory = np.pi * np.sqrt(3) / (2 * 256**2)
    assert 0.6 * theory < quantizer.distortion(x) < 1.4 * theory


def test_as_good_as_faiss(rng: np.random.Generator) -> None:
    faiss = pytest.importorskip("faiss")
    centres = rng.standard_normal((50, 32))
    x = (centres[rng.integers(50, size=10000)] + 0.4 * rng.standard_normal((10000, 32))).astype(
        np.float32
    )
    for m, bits in ((8, 8), (16, 4)):
        ours = ProductQuantizer(m, bits=bits, verbose=False).fit(x)
        theirs = faiss.ProductQuantizer(32, m, bits)
        theirs.train(x)
        lost = ((x - theirs.decode(theirs.compute_codes(x))) ** 2).sum(axis=1).mean()
        assert ours.distortion(x) < 1.02 * lost


def test_training_goes_on_from_codebooks(rng: np.random.Generator) -> None:
    quantizer, x = trained(rng, 8, 2, 4, iterations=1)
    before = quantizer.distortion(x)
    further = ProductQuantizer(2, bits=4, iterations=20, verbose=False).fit(
        x, start=quantizer.codebooks
    )
    assert further.distortion(x) <= before
    adopted = ProductQuantizer(2, bits=4).adopt(further.codebooks, 8)
    np.testing.assert_array_equal(adopted.encode(x), further.encode(x))


def test_same_seed_same_codebooks(threads: int, rng: np.random.Generator) -> None:
    a, x = trained(rng, 8, 4, 8)
    b = ProductQuantizer(4, iterations=4, verbose=False).fit(x)
    np.testing.assert_array_equal(a.codebooks, b.codebooks)


@pytest.mark.parametrize("bits", [4, 8])
def test_degenerate_data(bits: int) -> None:
    same = np.full((2**bits, 6), 3.5, np.float32)
    quantizer = ProductQuantizer(3, bits=bits, iterations=3, verbose=False).fit(same)
    np.testing.assert_array_equal(quantizer.decode(quantizer.encode(same)), same)
    exactly = np.arange(2**bits * 2, dtype=np.float32).reshape(-1, 2)
    few = ProductQuantizer(1, bits=bits, verbose=False).fit(exactly)
    assert few.distortion(exactly) < 1e-6
    for size in (1e-15, 1e15):
        scaled = (exactly * size).astype(np.float32)
        sized = ProductQuantizer(2, bits=bits, verbose=False).fit(scaled)
        assert np.isfinite(sized.decode(sized.encode(scaled))).all()


def test_nothing_to_encode(rng: np.random.Generator) -> None:
    quantizer, _ = trained(rng, 8, 2, 8)
    assert quantizer.encode(np.empty((0, 8))).shape == (0, 2)
    assert quantizer.decode(np.empty((0, 2), np.uint8)).shape == (0, 8)
    assert quantizer.distances(np.empty((0, 8)), np.zeros((3, 2), np.uint8)).shape == (0, 3)


def test_state(rng: np.random.Generator) -> None:
    quantizer, x = trained(rng, 13, 4, 8)
    again = ProductQuantizer.from_state(quantizer.params(), quantizer.arrays())
    np.testing.assert_array_equal(again.encode(x), quantizer.encode(x))
    with pytest.raises(kf.FileFormatError, match="dim"):
        ProductQuantizer.from_state({**quantizer.params(), "dim": 1}, quantizer.arrays())


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda q, x: ProductQuantizer(0), "m: expected a whole number"),
        (lambda q, x: ProductQuantizer(4, bits=6), "bits: expected 4 or 8"),
        (lambda q, x: ProductQuantizer(9).fit(x), "m: expected at most the dimension 8"),
        (lambda q, x: ProductQuantizer(2).fit(x[:255]), r"x: expected at least 2\*\*bits = 256"),
        (lambda q, x: ProductQuantizer(2).fit(x, start=np.zeros((2, 256, 3))), "start: expected"),
        (
            lambda q, x: ProductQuantizer(2).fit(np.full((300, 4), 3e18)),
            "x: expected vectors of a length up to",
        ),
        (lambda q, x: q.encode(x[:, :7]), "x: expected vectors of dimension 8"),
        (lambda q, x: q.encode(np.full((1, 8), np.nan)), "x: expected finite"),
        (lambda q, x: q.decode(np.zeros((1, 3), np.uint8)), r"codes: expected uint8 \(n, 2\)"),
        (lambda q, x: q.decode(np.zeros((1, 2), np.int64)), "codes: expected uint8"),
        (lambda q, x: q.tables(x, "cosine"), "metric: expected one of"),
        (lambda q, x: q.distortion(x[:0]), "x: expected at least one vector"),
        (lambda q, x: q.adopt(np.zeros((2, 256, 5)), 8), "codebooks: expected"),
    ],
)
def test_bad_input(call: object, words: str, rng: np.random.Generator) -> None:
    quantizer, x = trained(rng, 8, 2, 8)
    with pytest.raises(ValueError, match=words):
        call(quantizer, x)  # type: ignore[operator]


def test_untrained() -> None:
    with pytest.raises(kf.NotTrainedError, match="call fit first"):
        ProductQuantizer(2).encode(np.zeros((1, 4)))
