"""LOPQ: each cell's own axes, against plain oracles, and where they pay."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.quantize.local import LocallyOptimizedPQ
from kinfold.quantize.optimized import OPQ
from kinfold.quantize.product import ProductQuantizer


def multimodal(
    rng: np.random.Generator, n: int, d: int, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals whose directions of large variance differ from cell to cell."""
    axes = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(cells)]
    of = rng.integers(cells, size=n)
    spread = np.geomspace(3, 0.05, d)
    noise = rng.standard_normal((n, d)) * spread
    x = np.stack([noise[i] @ axes[c].T for i, c in enumerate(of)]).astype(np.float32)
    return x, of


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x, cells = multimodal(rng, 16000, 12, 5)
    return x[:12000], cells[:12000], x[12000:], cells[12000:]


def test_local_beats_shared_beats_global_beats_plain(data: tuple[np.ndarray, ...]) -> None:
    x, cells, test, test_cells = data
    own = LocallyOptimizedPQ(3, shared=False, verbose=False).fit(x, cells, 5)
    shared = LocallyOptimizedPQ(3, shared=True, verbose=False).fit(x, cells, 5)
    opq = OPQ(3, method="parametric", verbose=False).fit(x)
    plain = ProductQuantizer(3, verbose=False).fit(x)
    lost = [
        own.distortion(test, test_cells),
        shared.distortion(test, test_cells),
        opq.quantizer.distortion(opq.transform(test)),
        plain.distortion(test),
    ]
    assert own.fallbacks == 0 and own.codebooks.shape[0] == 6 and shared.codebooks.shape[0] == 1
    assert lost[1] < 0.8 * min(lost[2:])
    assert lost[0] < 1.05 * lost[1]


def formed(rng: np.random.Generator, n: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Residuals that take 250 forms, other ones in each cell."""
    forms = np.random.default_rng(9).standard_normal((cells, 250, 8))
    of = rng.integers(cells, size=n)
    x = forms[of, rng.integers(250, size=n)]
    return (x + 0.02 * rng.standard_normal((n, 8))).astype(np.float32), of


def formless(rng: np.random.Generator, n: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((n, 8)).astype(np.float32), rng.integers(cells, size=n)


@pytest.mark.parametrize("n, draw, gains", [(12_000, formed, True), (3000, formless, False)])
def test_own_codebooks_are_taken_where_they_gain(
    n: int, draw: object, gains: bool, rng: np.random.Generator
) -> None:
    (x, cells), (test, of) = draw(rng, n, 4), draw(rng, 4000, 4)  # type: ignore[operator]
    lost = {}
    for shared in (True, False, None):
        lopq = LocallyOptimizedPQ(1, shared=shared, verbose=False).fit(x, cells, 4)
        lost[shared] = lopq.distortion(test, of)
    assert len(lopq.codebooks) == (5 if gains else 1)
    if gains:
        assert lost[None] <= 1.001 * lost[False] < 0.9 * lost[True]
    else:  # too few vectors in a cell
        assert lost[None] == lost[True] < lost[False]


def grid(rng: np.random.Generator, n: int) -> np.ndarray:
    """Blobs whose four pairs of dimensions take one of 200 forms each: other axes take these apart."""
    forms = np.random.default_rng(3).uniform(-4, 4, (4, 200, 2))
    parts = [forms[j, rng.integers(200, size=n)] for j in range(4)]
    return (np.concatenate(parts, axis=1) + 0.02 * rng.standard_normal((n, 8))).astype(np.float32)


def test_a_cell_takes_the_axes_of_the_vectors_where_these_lose_less(
    rng: np.random.Generator,
) -> None:
    x, test = grid(rng, 14_000), grid(rng, 4000)
    centroids = np.array([[-2.0, *[0] * 7], [2.0, *[0] * 7]], np.float32)
    of, where = (x[:, 0] > 0).astype(int), (test[:, 0] > 0).astype(int)
    lost = {}
    for given in (None, centroids):
        lopq = LocallyOptimizedPQ(4, verbose=False)
        lopq.fit(x - centroids[of], of, 2, centroids=given)
        residuals = test - centroids[where]
        lost[given is None] = lopq.distortion(residuals, where)
    opq = OPQ(4, verbose=False).fit(x)
    whole = opq.quantizer.distortion(opq.transform(test))
    assert lost[False] < 1.02 * whole < 0.1 * lost[True]
    # One set serves all cells: nobody is in group 0.
    assert len(lopq.codebooks) == 1
    np.testing.assert_array_equal(lopq.means[1:], -centroids)
    np.testing.assert_allclose(lopq.local(residuals, where), test @ lopq.rotations[1].T, atol=1e-4)


def test_local_axes_stay_where_they_lose_less(data: tuple[np.ndarray, ...]) -> None:
    x, cells, *_ = data
    centroids = np.random.default_rng(0).standard_normal((5, 12))
    alone = LocallyOptimizedPQ(3, verbose=False).fit(x, cells, 5)
    beside = LocallyOptimizedPQ(3, verbose=False).fit(x, cells, 5, centroids=centroids)
    for name, array in alone.arrays().items():
        np.testing.assert_array_equal(array, beside.arrays()[name])


def test_centroids_are_one_for_each_cell(data: tuple[np.ndarray, ...]) -> None:
    x, cells, *_ = data
    for wrong in (np.zeros((4, 12)), np.zeros((5, 11)), np.zeros(12)):
        with pytest.raises(ValueError, match="centroids: expected"):
            LocallyOptimizedPQ(3, verbose=False).fit(x, cells, 5, centroids=wrong)


def test_equal_codes_decode_to_equal_bits(rng: np.random.Generator) -> None:
    x, cells = multimodal(rng, 2000, 24, 3)
    lopq = LocallyOptimizedPQ(3, bits=4, verbose=False).fit(x, cells, 3)
    codes = lopq.encode(x[:200], cells[:200])
    together = lopq.decode(codes, cells[:200])
    for i in range(0, 200, 7):
        alone = slice(i, i + 1)
        np.testing.assert_array_equal(lopq.encode(x[alone], cells[alone]), codes[alone])
        np.testing.assert_array_equal(lopq.decode(codes[alone], cells[alone]), together[alone])


def test_one_cell_is_parametric_opq(rng: np.random.Generator) -> None:
    x, _ = multimodal(rng, 3000, 8, 1)
    lopq = LocallyOptimizedPQ(2, shared=True, verbose=False).fit(x, np.zeros(3000, np.int64), 1)
    opq = OPQ(2, method="parametric", verbose=False).fit(x)
    np.testing.assert_allclose(np.abs(lopq.rotations[1]), np.abs(opq.rotation), atol=2e-3)
    lost = lopq.distortion(x, np.zeros(3000, np.int64))
    assert lost == pytest.approx(opq.quantizer.distortion(opq.transform(x)), rel=0.03)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("bits, m, d", [(8, 3, 12), (4, 5, 13), (4, 4, 8)])
def test_codes_against_plain_loops(
    level: str, shared: bool, bits: int, m: int, d: int, rng: np.random.Generator
) -> None:
    x, cells = multimodal(rng, 1500, d, 4)
    lopq = LocallyOptimizedPQ(m, bits=bits, shared=shared, iterations=3, verbose=False)
    lopq.fit(x, cells, 6)
    size = lopq.codebooks.shape[3]
    codes = lopq.encode(x[:60], cells[:60])
    decoded = lopq.decode(codes, cells[:60])
    words = ProductQuantizer(m, bits=bits).adopt(lopq.codebooks[0], d).words(codes)
    for i in range(60):
        g = lopq.group[cells[i]]
        local = lopq.rotations[g].astype(np.float64) @ (x[i].astype(np.float64) - lopq.means[g])
        padded = np.zeros(m * size)
        padded[:d] = local
        books = lopq.codebooks[g if len(lopq.codebooks) > 1 else 0].astype(np.float64)
        rebuilt = np.zeros(m * size)
        for j in range(m):
            gaps = ((padded[j * size : (j + 1) * size] - books[j]) ** 2).sum(axis=1)
            assert gaps[words[i, j]] <= gaps.min() * (1 + 1e-4) + 1e-6
            rebuilt[j * size : (j + 1) * size] = books[j, words[i, j]]
        expected = lopq.rotations[g].T.astype(np.float64) @ rebuilt[:d] + lopq.means[g]
        np.testing.assert_allclose(decoded[i], expected, rtol=1e-4, atol=1e-4)


def test_local_axes_keep_distances(data: tuple[np.ndarray, ...]) -> None:
    x, cells, *_ = data
    lopq = LocallyOptimizedPQ(3, verbose=False, iterations=1).fit(x, cells, 5)
    mine = x[cells == 2][:30]
    local = lopq.local(mine, np.full(30, 2))
    gaps = ((mine[:, None] - mine[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(
        ((local[:, None] - local[None]) ** 2).sum(axis=2), gaps, rtol=1e-3, atol=1e-3
    )
    every = lopq.rotations @ lopq.rotations.transpose(0, 2, 1)
    np.testing.assert_allclose(every, np.broadcast_to(np.eye(12), every.shape), atol=1e-5)


def test_cells_with_few_vectors_share_the_axes_of_all(rng: np.random.Generator) -> None:
    x, cells = multimodal(rng, 1000, 8, 3)
    cells[cells == 2] = 1
    cells[:5] = 2
    lopq = LocallyOptimizedPQ(2, bits=4, shared=True, verbose=False).fit(x, cells, 5)
    assert lopq.group.tolist() == [1, 2, 0, 0, 0] and lopq.fallbacks == 3
    # A cell that training never met is answered all the same.
    strange = lopq.decode(lopq.encode(x[:3], [4, 4, 4]), [4, 4, 4])
    assert strange.shape == (3, 8) and np.isfinite(strange).all()


def test_order_of_rows_does_not_matter_but_for_rounding(data: tuple[np.ndarray, ...]) -> None:
    x, cells, test, test_cells = data
    a = LocallyOptimizedPQ(3, shared=True, iterations=5, verbose=False).fit(x, cells, 5)
    order = np.random.default_rng(0).permutation(len(x))
    b = LocallyOptimizedPQ(3, shared=True, iterations=5, verbose=False).fit(
        x[order], cells[order], 5
    )
    assert a.distortion(test, test_cells) == pytest.approx(b.distortion(test, test_cells), rel=0.05)


def test_degenerate_residuals() -> None:
    for x in (np.zeros((300, 4)), np.full((300, 4), 7.0), np.eye(4)[np.arange(300) % 4] * 1e-12):
        lopq = LocallyOptimizedPQ(2, verbose=False, iterations=2).fit(x, np.arange(300) % 2, 2)
        decoded = lopq.decode(lopq.encode(x, np.arange(300) % 2), np.arange(300) % 2)
        np.testing.assert_allclose(decoded, x, atol=1e-5)


def test_state(data: tuple[np.ndarray, ...]) -> None:
    x, cells, test, test_cells = data
    lopq = LocallyOptimizedPQ(3, iterations=2, verbose=False).fit(x, cells, 5)
    params, arrays = lopq.params(), lopq.arrays()
    again = LocallyOptimizedPQ.from_state(params, arrays)
    np.testing.assert_array_equal(again.encode(test, test_cells), lopq.encode(test, test_cells))
    for group in ([0, 1, 2, 3, 6], [0, 1, 2, 3, -1]):
        with pytest.raises(kf.FileFormatError, match="group"):
            LocallyOptimizedPQ.from_state(params, arrays | {"group": np.array(group, np.int32)})
    with pytest.raises(kf.FileFormatError, match="codebooks"):
        LocallyOptimizedPQ.from_state(
            params, arrays | {"codebooks": np.repeat(lopq.codebooks, 2, axis=0)}
        )


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda x, c: LocallyOptimizedPQ(2).fit(x[:100], c[:100], 5),
            "residuals: expected at least 256",
        ),
        (lambda x, c: LocallyOptimizedPQ(2).fit(x, c, 3), "cells: expected cells from 0 to 2"),
        (lambda x, c: LocallyOptimizedPQ(2).fit(x, c[:-1], 5), "cells: expected"),
        (lambda x, c: LocallyOptimizedPQ(2).fit(x, c.astype(float), 5), "cells: expected"),
        (lambda x, c: LocallyOptimizedPQ(13).fit(x, c, 5), "residuals: expected"),
        (lambda x, c: LocallyOptimizedPQ(2, least=0), "least: expected"),
    ],
)
def test_bad_input(call: object, words: str, data: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ValueError, match=words):
        call(data[0], data[1])  # type: ignore[operator]


def test_untrained() -> None:
    with pytest.raises(kf.NotTrainedError):
        LocallyOptimizedPQ(2).encode(np.zeros((1, 4)), [0])
