"""Locally-adaptive codes: one level and two, against the formulae in numpy and against exact search."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.base.errors import FileFormatError
from kinfold.index.codecs.lvq import LocallyAdaptiveCodes

LEVELS = [(4, 0), (8, 0), (4, 8), (8, 8)]


def vectors(n: int, d: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.2, 3, (n, 1))
    return (rng.standard_normal((n, d)) * size * np.exp(np.linspace(-1, 1, d)) + 3).astype("f4")


@pytest.mark.parametrize(("bits", "second"), LEVELS)
def test_codes_are_those_of_the_paper(bits: int, second: int) -> None:
    """Equations 2 to 4 of Aguerrebere et al.: numbers within half a step of the last level."""
    x = vectors(300, 31, 1)
    codec = LocallyAdaptiveCodes(31, bits=bits, second=second).fit(x, None, None)
    np.testing.assert_allclose(codec.mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    decoded = codec.decode(codec.encode(x, None, None), None, None)
    away = x.astype(np.float64) - codec.mean
    step = (away.max(axis=1) - away.min(axis=1)) / (2**bits - 1)
    last = step / 255 if second else step
    assert (np.abs(decoded - x) <= 0.501 * last[:, None] + 1e-5).all()
    if not second:
        code = np.rint((away - away.min(axis=1)[:, None]) / step[:, None])
        expected = codec.mean + away.min(axis=1)[:, None] + step[:, None] * code
        # Ties, and what float32 keeps of the scale, apart.
        assert (np.abs(decoded - expected) < 1e-4).mean() > 0.99


@pytest.mark.parametrize("d", [1, 12, 65])
@pytest.mark.parametrize(("bits", "second"), LEVELS)
def test_packed_codes_come_back(bits: int, second: int, d: int) -> None:
    x = vectors(75, d, 1)
    codec = LocallyAdaptiveCodes(d, bits=bits, second=second).fit(x, None, None)
    rows = codec.encode(x, None, None)
    packed = codec.pack(rows)
    for which in (np.arange(75), np.array([74, 2, 2])):
        for name, array in codec.unpack(packed, which).items():
            np.testing.assert_array_equal(array, rows[name][which])
    codec.check(packed, 75)
    for name, array in packed.items():
        with pytest.raises(FileFormatError, match=name):
            codec.check({**packed, name: array[:-1]}, 75)


@pytest.mark.parametrize("spec", ["LVQ4", "LVQ8", "LVQ4x8", "IVF8,LVQ4x8"])
@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_answers_are_exact_among_what_codes_stand_for(spec: str, metric: str) -> None:
    """At every level of the machine, one thread and several, one query and many: to the bit from AVX2 on."""
    x, queries = vectors(3000, 40, 1), vectors(30, 40, 2)
    index = kf.index_factory(spec, 40, metric=metric, verbose=False)
    index.train(x)
    index.add(x)
    exact = kf.FlatIndex(40, metric=metric)
    exact.add(index.reconstruct(index.ids), index.ids)
    before = _core.level()
    try:
        for level in [one for one in _core.levels() if one != "baseline"]:
            _core.set_level(level)
            expected = exact.search(queries, 10)
            for threads in (1, 3):
                found = index.search(queries, 10, nprobe=8, threads=threads)
                np.testing.assert_array_equal(found.distances, expected.distances)
                np.testing.assert_array_equal(found.ids, expected.ids)
                one = index.search(queries[0], 10, nprobe=8, threads=threads)
                np.testing.assert_array_equal(one.ids, expected.ids[0])
    finally:
        _core.set_level(before)


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_few_rows_are_looked_at_twice(metric: str) -> None:
    x, queries = vectors(5000, 64, 1), vectors(20, 64, 2)
    index = kf.index_factory("LVQ4x8", 64, metric=metric)
    index.train(x)
    index.add(x)
    index.search(queries, 10)
    assert index.stats()["per_query"]["scored"] < 1000


@pytest.mark.parametrize("scale", [1e-25, 1e-8, 1e8, 1e17])
@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_magnitudes(metric: str, scale: float) -> None:
    """Squares that vanish or overflow, queries of another magnitude: answers stay those of exact search."""
    x = (vectors(400, 16, 1) * np.float32(scale)).astype("f4")
    index = kf.index_factory("LVQ4x8", 16, metric=metric)
    index.train(x)
    index.add(x)
    exact = kf.FlatIndex(16, metric=metric)
    exact.add(index.reconstruct(index.ids), index.ids)
    for queries in (x[:9] * np.float32(1.01), vectors(9, 16, 3)):
        found, expected = index.search(queries, 5), exact.search(queries, 5)
        np.testing.assert_array_equal(found.ids, expected.ids)


def test_equal_numbers_and_the_mean_itself() -> None:
    x = vectors(200, 8, 1)
    index = kf.index_factory("LVQ4", 8)
    index.train(x)
    mean = index.codec.mean
    index.add(np.stack([mean, mean + 1]))
    np.testing.assert_allclose(index.reconstruct([0, 1]), [mean, mean + 1], rtol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("bits", 5), ("bits", 6), ("second", 4)])
def test_other_widths_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected . or 8"):
        LocallyAdaptiveCodes(4, **{name: value})
