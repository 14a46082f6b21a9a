"""Scalar codes of 4 and 6 bits."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.base.errors import FileFormatError
from kinfold.index.codecs.narrow import block_bytes, widened
from kinfold.index.codecs.scalar import ScalarCodes


def vectors(n: int, d: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * np.exp(np.linspace(-3, 1, d)) + 2).astype("f4")


@pytest.mark.parametrize("d", [1, 3, 12, 50, 67, 260])
@pytest.mark.parametrize("bits", [4, 6])
def test_packed_codes_come_back(bits: int, d: int) -> None:
    codec = ScalarCodes(d, bits=bits).fit(vectors(300, d, 1), None, None)
    codes = np.random.default_rng(2).integers(2**bits, size=(77, d)).astype(np.uint8)
    rows = codec.taken_over(codes, None, None)
    assert (rows["codes"] == codes << (8 - bits)).all()
    packed = codec.pack(rows)
    assert packed["blocks"].size == 6 * block_bytes(d, bits)
    for which in (np.arange(77), np.array([70, 3, 3])):
        np.testing.assert_array_equal(codec.unpack(packed, which)["codes"], rows["codes"][which])
        again = widened(packed["blocks"], d, bits, which)
        np.testing.assert_array_equal(again, rows["codes"][which])
    codec.check(packed, 77)
    for name, array in packed.items():
        with pytest.raises(FileFormatError, match=name):
            codec.check({**packed, name: array[:-1]}, 77)


@pytest.mark.parametrize("bits", [4, 6])
def test_numbers_lie_within_half_a_step(bits: int) -> None:
    """For inner products nothing is clipped; a tenth of a step for float32's sake."""
    x = vectors(400, 20, 1)
    codec = ScalarCodes(20, metric="ip", bits=bits).fit(x, None, None)
    lost = np.abs(codec.decode(codec.encode(x, None, None), None, None) - x)
    step = (x.max(axis=0) - x.min(axis=0)) / (2**bits - 1)
    assert (lost <= 0.51 * step).all()


def test_clipping_loses_less_than_the_whole_range() -> None:
    x = vectors(4000, 20, 1)
    lost = {}
    for metric in ("l2", "ip"):
        codec = ScalarCodes(20, metric=metric).fit(x, None, None)
        lost[metric] = ((codec.decode(codec.encode(x, None, None), None, None) - x) ** 2).mean(0)
    assert (lost["l2"] <= lost["ip"] * (1 + 1e-6)).all() and lost["l2"].sum() < 0.8 * lost[
        "ip"
    ].sum()


def test_a_dimension_without_spread_and_numbers_beyond() -> None:
    x = vectors(300, 5, 1)
    x[:, 2] = 7
    index = kf.index_factory("SQ4", 5)
    index.train(x)
    index.add(np.concatenate([x, 1e4 * x[:1]]))
    kept = index.reconstruct([0, 300])
    assert kept[0, 2] == 7 and np.isfinite(kept).all()


@pytest.mark.parametrize("spec", ["SQ4", "SQ6", "IVF8,SQ4"])
@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_levels_threads_and_batches_agree(spec: str, metric: str) -> None:
    x, queries = vectors(3000, 33, 1), vectors(40, 33, 2)
    index = kf.index_factory(spec, 33, metric=metric, verbose=False)
    index.train(x)
    index.add(x)
    before = _core.level()
    try:
        answers = []
        for level in [one for one in _core.levels() if one != "baseline"]:
            _core.set_level(level)
            for threads in (1, 3):
                whole = index.search(queries, 10, threads=threads)
                each = [index.search(q, 10, threads=threads) for q in queries]
                answers += [whole, tuple(np.stack(part) for part in zip(*each))]
        for distances, ids in answers[1:]:
            np.testing.assert_array_equal(distances, answers[0][0])
            np.testing.assert_array_equal(ids, answers[0][1])
    finally:
        _core.set_level(before)


@pytest.mark.parametrize("bits", [0, 3, 5, 8])
def test_other_widths_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="bits: expected 4 or 6"):
        ScalarCodes(4, bits=bits)
