"""Vectors in 8 bits: what the bytes stand for, however the data are spread and in whatever order they come."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.index.codecs.scale import ByteScale

D = 24
# Indexes whose answers are those of 8-bit numbers, with options that look at all rows.
BYTES: dict[str, dict[str, Any]] = {
    "SQ8": {}, "IVF8,SQ8": {"nprobe": 8}, "IMI2x2,SQ8": {"nprobe": 16}, "PQ8x4,RSQ8": {"refine_factor": 400},
    "IVF8,Flat,RSQ8": {"nprobe": 8, "refine_factor": 20}, "RR,SQ8": {}, "KDForest4,SQ8": {"checks": 0},
    "LSH6x4,SQ8": {"checks": 0},
}  # fmt: skip


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def gaussian(n: int, seed: int, d: int = D) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def spread(n: int, seed: int, log: float) -> np.ndarray:
    return gaussian(n, seed) * np.exp(gaussian(1, 99) * log)


def recall(index: Any, x: np.ndarray, queries: np.ndarray, metric: str, options: Any) -> float:
    """The share of the true ten nearest that is among the answers."""
    exact = kf.FlatIndex(x.shape[1], metric=metric)
    exact.add(x)
    truth = exact.search(queries, 10).ids
    found = index.search(queries, 10, **options).ids
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth)]))


def filled(spec: str, x: np.ndarray, metric: str = "l2") -> Any:
    index = kf.index_factory(spec, x.shape[1], metric=metric, verbose=False)
    index.train(x)
    index.add(x)
    return index


rest = unit(gaussian(3000, 1))
FIRST = {
    "zeros": np.zeros((4200, D), np.float32),
    "one-hot": np.eye(D, dtype=np.float32)[np.arange(4200) % D],
    "bytes": np.tile(np.array([0, 255], np.float32), (4200, D // 2)),
    "small numbers": gaussian(4200, 5) * 1e-4,
}


@pytest.mark.parametrize("metric", ["l2", "ip", pytest.param("cosine", marks=pytest.mark.slow)])
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("spec", ["SQ8", "IVF8,SQ8", "PQ8x4,RSQ8", "KDForest4,SQ8"])
def test_the_head_of_the_data_decides_nothing(spec: str, first: str, metric: str) -> None:
    """The same rows in another order answer alike: the scale is of all rows."""
    x = np.concatenate([FIRST[first], rest])
    turned = np.ascontiguousarray(x[::-1])
    scale, other = ByteScale.fit(x, metric), ByteScale.fit(turned, metric)
    np.testing.assert_allclose(scale.steps, other.steps, rtol=0.3)
    if (
        first != "bytes" or metric == "cosine"
    ):  # among such, vectors of length one are next to nothing
        queries, least = unit(gaussian(60, 2)), 0.9
        if "RSQ8" in spec:  # what the codes put on the shortlist is not the bytes' doing
            whole = filled(spec.replace("RSQ8", "RFlat"), x, metric)
            least = recall(whole, x, queries, metric, BYTES[spec]) - 0.05
        assert recall(filled(spec, x, metric), x, queries, metric, BYTES[spec]) > least


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("log", [0, 1, 2])
@pytest.mark.parametrize("spec", BYTES)
def test_dimensions_of_unequal_spread(spec: str, log: float, metric: str) -> None:
    x, queries = spread(3000, 1, log), spread(60, 2, log)
    # A rotation mixes the dimensions before they are rounded; product codes tell little of all but the widest.
    if spec == "RR,SQ8" and log:
        return
    assert recall(filled(spec, x, metric), x, queries, metric, BYTES[spec]) > 0.95


@pytest.mark.parametrize("spec", BYTES)
def test_inner_products_find_the_longest(spec: str) -> None:
    lengths = np.random.default_rng(3).lognormal(0, 0.7, (3000, 1)).astype(np.float32)
    x, queries = gaussian(3000, 1) * lengths, gaussian(60, 2)
    assert recall(filled(spec, x, "ip"), x, queries, "ip", BYTES[spec]) > 0.93


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_no_training_row_is_off_by_more_than_half_a_step(metric: str) -> None:
    for x in (
        gaussian(5000, 1),
        spread(5000, 1, 2),
        50 + gaussian(5000, 1),
        rest,
        FIRST["one-hot"],
    ):
        scale = ByteScale.fit(x, metric)
        off = np.abs(scale.decode(scale.encode(x)) - x) / scale.steps
        assert off.max() < 0.51
        assert scale.beyond(x) == 0
    # Zeros and ones are ends of their ranges: both are kept exactly.
    np.testing.assert_array_equal(scale.decode(scale.encode(x)), x)


@pytest.mark.parametrize("spec", ["SQ8", "IVF8,SQ8", "KDForest4,SQ8"])
def test_whole_numbers_up_to_255_stay_what_they_are(spec: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (3000, D)).astype(np.float32)
    index = filled(spec, x)
    np.testing.assert_array_equal(index.reconstruct(np.arange(3000)), x)
    # One row that is not, wherever it stands, is told from bytes.
    x[2999, 3] = 17.5
    assert abs(filled(spec, x).reconstruct([2999])[0, 3] - 17.5) < 0.51


def test_a_few_outliers_do_not_blind_everybody_else() -> None:
    x = gaussian(4000, 1)
    x[7] = 1e6
    queries = gaussian(60, 2)
    assert recall(filled("SQ8", x), x, queries, "l2", {}) > 0.9


def test_constant_dimensions() -> None:
    x = gaussian(1000, 1)
    x[:, 3], x[:, 5] = 7, 0
    index = filled("SQ8", x)
    np.testing.assert_array_equal(index.reconstruct(np.arange(1000))[:, [3, 5]], x[:, [3, 5]])
    same = np.full((50, D), 3.25, np.float32)
    index = filled("SQ8", same)
    np.testing.assert_array_equal(index.reconstruct(np.arange(50)), same)


@pytest.mark.parametrize("spec", ["SQ8", "IVF8,SQ8", "PQ8x4,RSQ8", "KDForest4,SQ8", "LSH64,RSQ8"])
def test_rows_that_the_scale_does_not_hold_are_told(spec: str, caplog: Any) -> None:
    x = gaussian(2000, 1)
    with caplog.at_level(logging.WARNING, logger="kinfold"):
        index = filled(spec, x)
        index.add(gaussian(2000, 2))
        assert not caplog.records
        far = gaussian(300, 3)
        far[:4] *= 100
        index.add(far)
        assert len(caplog.records) == 1 and "4 of 300" in caplog.text
        index.update([3], 100 * x[:1])
        assert len(caplog.records) == 2
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="kinfold"):
        index.add(iter([far, far, x]))
        assert len(caplog.records) == 1 and "8 of 2600" in caplog.text


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("d", [1, 3, 16, 24, 70, 130])
def test_the_filter_loses_nothing(d: int, metric: str) -> None:
    """Many steps, few steps, queries near and far, of all sizes: the best of what is stored, at every level."""
    rng = np.random.default_rng(d)
    x = (rng.standard_normal((700, d)) * np.exp(rng.standard_normal(d) * 2)).astype(np.float32)
    before = _core.level()
    for offset, size in ((0, 1), (100, 1), (0, 1e-6), (0, 1e12), (-3, 1e3)):
        base = ((x + offset) * size).astype(np.float32)
        index = filled("SQ8", base, metric)
        queries = np.concatenate(
            [base[:20] * np.float32(1.01), base[:10] * 100, -base[:10], np.zeros((1, d))]
        ).astype(np.float32)
        stored = index.reconstruct(np.arange(700)).astype(np.float64)
        q = queries.astype(np.float64)
        far = ((q[:, None] - stored) ** 2).sum(2) if metric == "l2" else -(q @ stored.T)
        # Float32 distances of numbers far from the origin are no better than their squares.
        close = 2e-5 * (np.abs(far) + (q**2).sum(1)[:, None] + (stored**2).sum(1).max())
        try:
            for level in _core.levels():
                _core.set_level(level)
                for nq in (1, len(q)):
                    found = index.search(queries[:nq], 5)
                    values = found.distances if metric == "l2" else -found.distances
                    best = np.sort(far[:nq], axis=1)[:, :5]
                    assert (np.abs(values - best) <= close[:nq, :5]).all(), (offset, size, level)
        finally:
            _core.set_level(before)


def test_files_with_one_step_for_all(tmp_path: Path) -> None:
    """What older versions wrote: a scale of one number."""
    x = gaussian(500, 1)
    old = ByteScale(np.zeros(D, np.float32), np.full(D, 0.05, np.float32))
    assert old.arrays()["scale"].shape == (1,)
    again = ByteScale.from_arrays(old.arrays(), D)
    np.testing.assert_array_equal(again.encode(x), old.encode(x))
    several = ByteScale.fit(x, "l2")
    assert several.arrays()["scale"].shape == (D,)
    for bad in (np.zeros(D), np.full(D, np.nan), np.full(D - 1, 1.0), np.full((D, 1), 1.0)):
        with pytest.raises(kf.FileFormatError, match="scale"):
            ByteScale.from_arrays({"centre": old.centre, "scale": bad.astype(np.float32)}, D)
