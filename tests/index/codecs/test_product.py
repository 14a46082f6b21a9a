"""Codes of vectors and of residuals in a multi-index: Multi-ADC and Multi-D-ADC, step by step."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf


def squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None].astype(np.float64) - b) ** 2).sum(axis=2)


@pytest.mark.parametrize("residual", [False, True])
def test_multi_adc_step_by_step(residual: bool, level: str, rng: np.random.Generator) -> None:
    x = (rng.standard_normal((2500, 8)) + 3 * rng.integers(2, size=(2500, 8))).astype(np.float32)
    queries, nprobe, k = x[:30] + np.float32(0.1), 6, 10
    spec = "IMI2x3,PQ4" + "_direct" * (not residual)
    index = kf.index_factory(spec, 8, verbose=False).train(x)
    index.add(x)
    codec, (left, right) = index.codec, index.coarse.centroids
    assert codec.residual == residual and not codec.blocked
    # Codes of the vectors take no two bytes for what the cell adds.
    assert codec.bytes_per_vector == (6 if residual else 4)

    # Cells by the nearest word of each half; what is coded; codes by the nearest codeword of each quarter.
    cells = squares(x[:, :4], left).argmin(axis=1) * 8 + squares(x[:, 4:], right).argmin(axis=1)
    middles = np.concatenate([left[np.arange(64) // 8], right[np.arange(64) % 8]], axis=1)
    coded = x - middles[cells] if residual else x
    books = codec.quantizer.codebooks
    codes = [squares(coded[:, 2 * j : 2 * j + 2], books[j]).argmin(axis=1) for j in range(4)]
    if not residual:
        alone = kf.ProductQuantizer(4, verbose=False).fit(x)
        np.testing.assert_array_equal(books, alone.codebooks)

    found = index.search(queries, k, nprobe=nprobe)
    for q, ids, distances in zip(queries, found.ids, found.distances):
        order = np.argsort((squares(q[None], middles))[0], kind="stable")[:nprobe]
        rows = np.flatnonzero(np.isin(cells, order))
        # One table serves all cells, but for residuals.
        from_cell = q - middles[cells[rows]] if residual else np.tile(q, (len(rows), 1))
        adc = sum(
            ((from_cell[:, 2 * j : 2 * j + 2] - books[j][codes[j][rows]].astype(np.float64)) ** 2).sum(axis=1)
            for j in range(4)
        )  # fmt: skip
        best = np.lexsort((rows, adc))[:k]
        have = len(best)
        np.testing.assert_allclose(distances[:have], adc[best], rtol=1e-4, atol=1e-4)
        known = dict(zip(rows.tolist(), adc))
        np.testing.assert_allclose([known[i] for i in ids[:have]], adc[best], rtol=1e-4, atol=1e-4)
        assert (ids[have:] == -1).all()


def test_a_word_says_whether_residuals_are_coded() -> None:
    for spec, residual in {
        "PQ4": False, "PQ4_direct": False, "IVF8,PQ4": True, "IVF8,PQ4_direct": False, "IVF8,PQ4x4_direct": False,
        "IMI2x3,PQ4": True, "IMI2x3,PQ4x4_direct": False,
    }.items():  # fmt: skip
        assert kf.index_factory(spec, 8).codec.residual == residual
