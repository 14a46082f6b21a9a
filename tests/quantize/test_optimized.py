"""OPQ: orthonormal, falling error, better than no rotation, no worse than faiss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.quantize.optimized import OPQ
from kinfold.quantize.product import ProductQuantizer


def correlated(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    mixing = np.linalg.qr(rng.standard_normal((d, d)))[0] * np.geomspace(3, 0.05, d)
    return (rng.standard_normal((n, d)) @ mixing.T).astype(np.float32)


@pytest.mark.parametrize("method", ["parametric", "non-parametric"])
@pytest.mark.parametrize("d, dim, m", [(16, None, 4), (16, 8, 4), (13, 10, 4), (9, 9, 3)])
def test_rows_are_orthonormal(
    method: str, d: int, dim: int | None, m: int, rng: np.random.Generator
) -> None:
    x = correlated(rng, 800, d)
    opq = OPQ(m, dim, method=method, iterations=5, verbose=False).fit(x)
    keep = dim or d
    assert opq.rotation.shape == (keep, d)
    np.testing.assert_allclose(opq.rotation @ opq.rotation.T, np.eye(keep), atol=1e-5)
    y = opq.transform(x)
    assert y.shape == (800, keep) and opq.quantizer.dim == keep
    if keep == d:
        np.testing.assert_allclose(opq.inverse_transform(y), x, atol=1e-4)
        gaps = ((x[:20, None] - x[None, :20]) ** 2).sum(axis=2)
        np.testing.assert_allclose(
            ((y[:20, None] - y[None, :20]) ** 2).sum(axis=2), gaps, rtol=1e-4, atol=1e-4
        )


def grouped(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Each four dimensions together take one of 200 forms: what product codes of four dimensions see, and no axes."""
    forms = np.random.default_rng(5).gamma(0.5, 1.0, (d // 4, 200, 4))
    drawn = np.concatenate([f[rng.integers(len(f), size=n)] for f in forms], axis=1)
    return (drawn + 0.05 * rng.standard_normal((n, d))).astype(np.float32)


def isotropic(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.standard_normal((n, d)).astype(np.float32)


def held_out(opq: OPQ | None, learn: np.ndarray, test: np.ndarray, m: int) -> float:
    """What a product quantizer of fixed training loses on vectors that neither it nor the rotation has seen."""
    if opq is not None:
        opq.fit(learn)
        learn, test = opq.transform(learn), opq.transform(test)
    return ProductQuantizer(m, verbose=False).fit(learn).distortion(test)


@pytest.mark.parametrize("draw, better", [(correlated, "parametric"), (grouped, "identity")])
def test_the_better_start_is_taken(draw: object, better: str, rng: np.random.Generator) -> None:
    learn, test = np.split(draw(rng, 9000, 16), [6000])  # type: ignore[operator]
    lost = {
        start: held_out(OPQ(4, start=start, iterations=15, verbose=False), learn, test, 4)
        for start in ("identity", "parametric", "best")
    }
    worse = {"identity": "parametric", "parametric": "identity"}[better]
    assert lost[better] < 0.8 * lost[worse]
    assert lost["best"] < 1.02 * lost[better]


@pytest.mark.parametrize("draw", [correlated, grouped, isotropic])
@pytest.mark.parametrize("n", [1000, 10_000])
def test_never_worse_than_no_rotation(draw: object, n: int, rng: np.random.Generator) -> None:
    learn, test = np.split(draw(rng, n + 4000, 16), [n])  # type: ignore[operator]
    opq = OPQ(4, iterations=15, verbose=False)
    # k-means from other starts differs by some tenths of a per cent.
    assert held_out(opq, learn, test, 4) < 1.01 * held_out(None, learn, test, 4)


def test_a_given_start_is_where_it_begins(rng: np.random.Generator) -> None:
    x = grouped(rng, 3000, 16)
    order = rng.permutation(16)
    turn = np.eye(16)[order]
    still = OPQ(4, bits=4, iterations=0, verbose=False).fit(x, start=turn)
    np.testing.assert_array_equal(still.rotation, turn)
    # To begin at a rotation is to begin at the identity of rotated vectors; a permutation rounds nothing.
    there = OPQ(4, bits=4, iterations=3, verbose=False).fit(x, start=turn)
    moved = OPQ(4, bits=4, iterations=3, start="identity", verbose=False).fit(x[:, order])
    np.testing.assert_allclose(there.rotation, moved.rotation @ turn, atol=1e-6)
    assert there.history == pytest.approx(moved.history, rel=1e-6)


@pytest.mark.slow
def test_sift_keeps_its_groups(shared: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    sift = cv2.SIFT_create(nfeatures=1300, contrastThreshold=0.02)
    files = sorted((shared / "data" / "photos" / "jpg").glob("*.jpg"))[:400:20]
    photos = [
        sift.detectAndCompute(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), None)[1]
        for file in files
    ]
    learn, test = np.concatenate(photos[4:])[:12_000], np.concatenate(photos[:4])
    lost = {
        start: held_out(OPQ(8, start=start, iterations=20, verbose=False), learn, test, 8)
        for start in ("parametric", "best")
    }
    plain = held_out(None, learn, test, 8)
    assert lost["best"] < 0.97 * plain < plain < 0.9 * lost["parametric"]


def test_neither_half_step_raises_the_error(rng: np.random.Generator) -> None:
    opq = OPQ(4, iterations=12, verbose=False).fit(correlated(rng, 2000, 16))
    history = np.array(opq.history)
    assert len(history) == 24
    assert (np.diff(history) <= 1e-5 * history[:-1]).all()
    assert opq.quantizer.distortion(opq.transform(correlated(rng, 10, 16))) >= 0


def test_rotation_pays_for_correlated_data(rng: np.random.Generator) -> None:
    x = correlated(rng, 6000, 16)

    def lost(rotate: OPQ | None) -> float:
        y = x if rotate is None else rotate.fit(x).transform(x)
        return ProductQuantizer(4, verbose=False).fit(y).distortion(y)

    parametric = lost(OPQ(4, method="parametric", verbose=False))
    free = lost(OPQ(4, iterations=20, verbose=False))
    assert parametric < 0.9 * lost(None)
    assert free < 1.01 * parametric
    random = kf.Rotation.random(16, seed=1).transform(x)
    assert parametric < ProductQuantizer(4, verbose=False).fit(random).distortion(random)


def test_no_worse_than_faiss(rng: np.random.Generator) -> None:
    faiss = pytest.importorskip("faiss")
    centres = rng.standard_normal((30, 16)) * 2
    x = centres[rng.integers(30, size=8000)].astype(np.float32) + correlated(rng, 8000, 16)
    theirs = faiss.OPQMatrix(16, 4)
    theirs.niter = 20
    theirs.train(x)
    y = theirs.apply(x)
    ours = OPQ(4, iterations=20, verbose=False).fit(x)
    z = ours.transform(x)
    expected = ProductQuantizer(4, verbose=False).fit(y).distortion(y)
    assert ProductQuantizer(4, verbose=False).fit(z).distortion(z) < 1.02 * expected


def test_state_and_one_vector(rng: np.random.Generator) -> None:
    x = correlated(rng, 400, 8)
    opq = OPQ(2, 6, iterations=2, verbose=False).fit(x)
    again = OPQ.from_state(opq.params(), opq.arrays())
    np.testing.assert_array_equal(again.transform(x), opq.transform(x))
    assert again.transform(x[0]).shape == (6,) and again.history == opq.history


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda x: OPQ(4, 3), "dim: expected a whole number at least 4"),
        (lambda x: OPQ(4, method="pca"), "method: expected one of"),
        (lambda x: OPQ(4, 20).fit(x), "dim: expected from m = 4 to the dimension 8"),
        (lambda x: OPQ(4).fit(x[:100]), "x: expected at least 256 vectors"),
        (lambda x: OPQ(4, start="random"), "start: expected one of"),
        (lambda x: OPQ(4, 6, start="identity").fit(x), "start: .* keep all dimensions"),
        (lambda x: OPQ(4, method="parametric", start="identity").fit(x), "start: .* alternations"),
        (lambda x: OPQ(4, method="parametric").fit(x, start=np.eye(8)), "start: expected none"),
        (
            lambda x: OPQ(4).fit(x, start=np.eye(6)),
            r"start: expected a rotation \(8, 8\), got \(6, 6\)",
        ),
        (lambda x: OPQ(4).fit(x, start=2 * np.eye(8)), "start: expected orthonormal rows"),
    ],
)
def test_bad_input(call: object, words: str, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=words):
        call(correlated(rng, 300, 8))  # type: ignore[operator]


def test_untrained() -> None:
    with pytest.raises(kf.NotTrainedError):
        OPQ(2).transform(np.zeros((1, 4)))
