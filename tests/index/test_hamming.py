"""Search of binary codes against a count of differing bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf


def differing(index: kf.HammingIndex, queries: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Bits that differ, (q, n)."""
    left, right = index.signs.encode(queries), index.signs.encode(base)
    return np.bitwise_count(left[:, None] ^ right[None]).sum(axis=2).astype(int)


def built(bits: int, n: int, rng: np.random.Generator, **choices) -> tuple:
    base = rng.standard_normal((n, 12)).astype(np.float32)
    queries = rng.standard_normal((40, 12)).astype(np.float32)
    index = kf.HammingIndex(12, kf.SignQuantizer(bits, seed=1), **choices)
    index.train(base if n else queries)
    index.add(base)
    return index, base, queries


@pytest.mark.parametrize("bits", [5, 64, 100, 256, 1024])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 2000])
def test_the_nearest_codes(bits: int, n: int, level: str, rng: np.random.Generator) -> None:
    index, base, queries = built(bits, n, rng)
    truth = differing(index, queries, base)
    for k in (1, 10, 3000 if n == 9 else 100):
        distances, ids = index.search(queries, k)
        for i, row in enumerate(truth):
            order = np.lexsort((np.arange(n), row))[:k]
            assert ids[i, : len(order)].tolist() == order.tolist()
            assert distances[i, : len(order)].tolist() == row[order].tolist()
            assert (ids[i, n:] == -1).all() and np.isinf(distances[i, n:]).all()


@pytest.mark.parametrize("rows", [300, 40_000])
def test_ids_in_any_order_threads_and_batches(
    rows: int, threads: int, rng: np.random.Generator
) -> None:
    # Few bits: nearly all are ties. Ids fall and the rows lie in several segments.
    index = kf.HammingIndex(4, kf.SignQuantizer(6)).train(rng.standard_normal((9, 4)))
    base = rng.standard_normal((rows, 4)).astype(np.float32)
    ids = rng.permutation(rows) * 3
    for part in np.array_split(np.arange(rows), [rows // 2, rows - 50]):
        index.add(base[part], ids=ids[part])
    queries = base[:70]
    truth = differing(index, queries, base)
    distances, found = index.search(queries, 20)
    for i, row in enumerate(truth):
        order = np.lexsort((ids, row))[:20]
        assert found[i].tolist() == ids[order].tolist()
    one = index.search(queries[3], 20)
    np.testing.assert_array_equal(one.ids, found[3])
    np.testing.assert_array_equal(one.distances, distances[3])


def test_filter_and_removed_rows(rng: np.random.Generator) -> None:
    index, base, queries = built(32, 500, rng)
    index.remove(np.arange(0, 500, 3))
    admitted = np.arange(0, 500, 2)
    left = [i for i in admitted if i % 3]
    truth = differing(index, queries, base)
    _, found = index.search(queries, 10, filter=admitted)
    for i, row in enumerate(truth):
        assert found[i].tolist() == sorted(left, key=lambda j: (row[j], j))[:10]


@pytest.mark.parametrize("radius", [0, 20.5, 64])
def test_all_within_a_radius(radius: float, rng: np.random.Generator) -> None:
    index, base, queries = built(64, 300, rng)
    truth = differing(index, queries, base)
    starts, distances, ids = index.range_search(queries, radius)
    for i, row in enumerate(truth):
        inside = sorted((d, j) for j, d in enumerate(row.tolist()) if d <= radius)
        part = slice(starts[i], starts[i + 1])
        assert list(zip(distances[part].tolist(), ids[part].tolist())) == inside


def test_similarities_are_what_the_bits_tell_of_the_angle(rng: np.random.Generator) -> None:
    index, base, queries = built(2048, 400, rng, metric="cosine")
    similarities, ids = index.search(queries, 500)
    assert (np.diff(similarities[:, :400], axis=1) <= 0).all()
    assert (ids[:, 400:] == -1).all() and (similarities[:, 400:] == -np.inf).all()
    unit = base / np.linalg.norm(base, axis=1, keepdims=True)
    truth = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ unit.T
    own = np.take_along_axis(truth, ids[:, :400], axis=1)
    assert np.abs(similarities[:, :400] - own).mean() < 0.03
    starts, within, found = index.range_search(queries, 0.3)
    assert (within >= 0.3).all()
    for i in range(len(queries)):
        count = int((similarities[i, :400] >= 0.3).sum())
        assert found[starts[i] : starts[i + 1]].tolist() == ids[i, :count].tolist()


@pytest.mark.parametrize("refine", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_the_second_look_ranks_by_vectors(
    refine: str, metric: str, rng: np.random.Generator
) -> None:
    index, _, queries = built(256, 500, rng, refine=refine, metric=metric)
    distances, ids = index.search(queries, 10, refine_factor=50)
    stored = index.reconstruct(np.arange(500)).astype(np.float64)
    if metric == "l2":
        truth = ((queries[:, None] - stored[None]) ** 2).sum(axis=2)
    else:
        truth = -(queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ stored.T
    expected = np.sort(truth, axis=1)[:, :10]
    np.testing.assert_allclose(
        distances if metric == "l2" else -distances, expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        np.take_along_axis(truth, ids, axis=1), expected, rtol=1e-4, atol=1e-5
    )
    assert index.stats()["per_query"]["scored"] == 500


def test_files(tmp_path: Path, rng: np.random.Generator) -> None:
    index, _, queries = built(100, 200, rng, refine="uint8")
    index.save(tmp_path / "codes.kin")
    for mmap in (False, True):
        again = kf.load(tmp_path / "codes.kin", mmap=mmap)
        for a, b in zip(again.search(queries, 7), index.search(queries, 7)):
            np.testing.assert_array_equal(a, b)
        again.add(queries)
        assert len(again) == 240


def test_refusals(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="metric: sign codes tell angles"):
        kf.index_factory("LSH64", 4, metric="ip")
    with pytest.raises(ValueError, match="^refine: "):
        kf.HammingIndex(4, kf.SignQuantizer(8), refine="int4")
    index = kf.index_factory("LSH64", 4)
    with pytest.raises(kf.NotTrainedError):
        index.search(np.zeros((1, 4)))
    index.train(rng.standard_normal((5, 4)))
    with pytest.raises(ValueError, match="^queries: expected vectors of dimension 4"):
        index.search(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="^radius: "):
        index.range_search(np.zeros((1, 4)), -1)
