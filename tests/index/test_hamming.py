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


# --- codes that are given -----------------------------------------------------------------------------------


def packed(n: int, bits: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)
    return np.packbits(drawn, axis=1, bitorder="little")


def bits_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.unpackbits(a[:, None] ^ b[None], axis=2).sum(axis=2)


@pytest.mark.parametrize("bits", [1, 8, 13, 64, 100, 256])
def test_binary_vectors(bits: int, tmp_path: Path) -> None:
    codes, queries = packed(300, bits, 1), packed(20, bits, 2)
    index = kf.index_factory("BFlat", bits)
    assert index.is_trained
    index.add(codes[:200])
    index.add(codes[200:])
    index.remove([5])
    index.save(tmp_path / "a.kin")
    far = bits_apart(queries, codes).astype(np.float32)
    far[:, 5] = np.inf
    order = np.lexsort((np.broadcast_to(np.arange(300), far.shape), far), axis=1)[:, :7]
    for one in (index, kf.load(tmp_path / "a.kin"), kf.load(tmp_path / "a.kin", mmap=True)):
        found = one.search(queries, 7)
        np.testing.assert_array_equal(found.ids, order)
        np.testing.assert_array_equal(found.distances, np.take_along_axis(far, order, axis=1))
        np.testing.assert_array_equal(one.search(queries[3], 7).ids, order[3])
        within = one.range_search(queries, bits // 3)
        assert len(within.ids) == (far <= bits // 3).sum()
    unpacked = np.unpackbits(codes, axis=1, count=bits, bitorder="little")
    np.testing.assert_array_equal(index.reconstruct([7, 250]), unpacked[[7, 250]])
    np.testing.assert_array_equal(
        index.search(unpacked[:9].astype(bool), 1).ids, index.search(codes[:9], 1).ids
    )
    index.update([7], queries[:1])
    assert index.search(queries[0], 1).distances[0] == 0


def test_codes_of_vectors_may_be_given(rng: np.random.Generator) -> None:
    """An index of sign codes takes codes made beforehand: the same rows, the same answers."""
    x, queries = rng.standard_normal((400, 24)), rng.standard_normal((30, 24))
    for metric in ("l2", "cosine"):
        index = kf.HammingIndex(24, kf.SignQuantizer(100, seed=1), metric=metric).train(x)
        other = kf.HammingIndex(24, index.signs, metric=metric)
        other.train(x)
        index.add(x)
        other.add(index.signs.encode(x))
        expected = index.search(queries, 9)
        for asked in (queries, index.signs.encode(queries)):
            got = other.search(asked, 9)
            np.testing.assert_array_equal(got.ids, expected.ids)
            np.testing.assert_array_equal(got.distances, expected.distances)


def test_codes_that_are_refused(rng: np.random.Generator) -> None:
    binary = kf.HammingIndex(20, None)
    for bad in (rng.standard_normal((3, 20)), packed(3, 32, 0), packed(3, 24, 0), np.zeros((3, 3))):
        with pytest.raises(ValueError, match="x: expected"):
            binary.add(bad)
        with pytest.raises(ValueError, match="queries: expected"):
            binary.search(bad)
    with pytest.raises(ValueError, match="refine: expected None"):
        kf.HammingIndex(20, None, refine="float32")
    x = rng.standard_normal((50, 24))
    fine = kf.HammingIndex(24, kf.SignQuantizer(64), refine="float32").train(x)
    with pytest.raises(ValueError, match="second look"):
        fine.add(packed(3, 64, 0))
    # As many bytes as dimensions: they are vectors.
    same = kf.HammingIndex(8, kf.SignQuantizer(64)).train(rng.standard_normal((50, 8)))
    same.add(np.arange(16, dtype=np.uint8).reshape(2, 8))
    assert same.search(np.arange(8, 16, dtype=np.float32), 1).ids[0] == 1


@pytest.mark.parametrize("d, bits", [(32, 32), (64, 64), (64, 128), (48, 256)])
def test_orthogonal_directions_tell_more(d: int, bits: int) -> None:
    """At equal bits they find at least what faiss's rotated directions find, and more than independent ones."""
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(0)
    x, queries = (rng.standard_normal((n, d)).astype(np.float32) for n in (6000, 150))
    flat = kf.FlatIndex(d)
    flat.add(x)
    truth = flat.search(queries, 10).ids

    def recall(ids: np.ndarray) -> float:
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(ids, truth)]))

    theirs = faiss.IndexLSH(d, bits, True, False)
    theirs.add(x)
    found = {}
    for projection in ("orthogonal", "gaussian"):
        signs = kf.SignQuantizer(bits, projection=projection)
        index = kf.HammingIndex(d, signs).train(x)
        index.add(x)
        found[projection] = recall(index.search(queries, 100).ids)
    assert kf.SignQuantizer(bits).projection == "orthogonal"
    assert found["orthogonal"] > found["gaussian"] - 0.02
    assert found["orthogonal"] > recall(theirs.search(queries, 100)[1]) - 0.03
