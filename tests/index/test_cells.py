"""Indexes of lists against brute force over what they store, whatever the parts, sizes, levels and batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.index.cells import CellIndex

SPECS = [
    "PQ4", "PQ8x4fs", "SQ8", "SQfp16", "IVF8,Flat", "IVF8,SQ8", "IVF8,PQ4", "IVF8,PQ8x4fs", "IMI2x2,PQ4",
    "IMI2x2,PQ8x4", "OPQ4,IVF8,PQ4", "RR,SQ8", "PCA6,IVF8,Flat", "IVF8,PQ4,RFlat", "IVF8,PQ4,RSQ8", "PQ4,RSQfp16",
    "IVF4,LOPQ4", "IVF4,LOPQ8x4", "IMI2x2,LOPQ4", "IMI2x1,LOPQ8x4",
]  # fmt: skip
EVERYTHING = 1 << 20


def clustered(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    centres = np.random.default_rng(9).standard_normal((12, d)) * 2
    return (centres[rng.integers(12, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


def built(
    spec: str, rng: np.random.Generator, *, d: int = 16, n: int = 700, metric: str = "l2"
) -> tuple[CellIndex, np.ndarray, np.ndarray]:
    index = kf.index_factory(spec, d, metric=metric, verbose=False)
    index.train(clustered(rng, 600, d))
    base = clustered(rng, n, d)
    index.add(base)
    return index, base, clustered(rng, 30, d)


def brute(index: CellIndex, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids, and the true distances (similarities negated) to what is stored, (q, n)."""
    ids = np.sort(index.ids)
    stored = index.reconstruct(ids).astype(np.float64)
    q = queries.astype(np.float64)
    if index.metric == "cosine":
        q /= np.linalg.norm(q, axis=1, keepdims=True)
    if index.metric == "l2":
        return ids, ((q[:, None] - stored[None]) ** 2).sum(axis=2)
    return ids, -(q @ stored.T)


def agrees(index: CellIndex, queries: np.ndarray, k: int, *, tolerance: float = 1e-4) -> None:
    """The k nearest of all: distances to the tolerance, and ids that really have them."""
    ids, truth = brute(index, queries)
    distances, found = index.search(queries, k, nprobe=EVERYTHING, refine_factor=1000)
    values = distances if index.metric == "l2" else -distances
    expected = np.sort(truth, axis=1)[:, :k]
    have = expected.shape[1]
    scale = np.abs(expected).max(initial=1e-30)
    np.testing.assert_allclose(values[:, :have], expected, rtol=tolerance, atol=tolerance * scale)
    own = np.take_along_axis(truth, np.searchsorted(ids, found[:, :have]), axis=1)
    np.testing.assert_allclose(values[:, :have], own, rtol=tolerance, atol=tolerance * scale)
    assert (found[:, have:] == -1).all() and np.isinf(values[:, have:]).all()
    assert all(len(set(row[:have].tolist())) == have for row in found)
    assert (np.diff(values[:, :have], axis=1) >= 0).all()


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("spec", SPECS)
def test_all_cells_are_brute_force_over_what_is_stored(
    spec: str, metric: str, rng: np.random.Generator
) -> None:
    if "LOPQ" in spec and metric != "l2":
        with pytest.raises(ValueError, match="LOPQ is for the metric"):
            kf.index_factory(spec, 16, metric=metric)
        return
    # A projection changes inner products and lengths: the codes are compared in its space.
    if spec.startswith("PCA"):
        if metric != "l2":
            return
        index, _, queries = built(spec, rng)
        ids, distances = index.ids, index.search(queries, 5, nprobe=8).distances
        inner = index.transform.transform(index.reconstruct(np.sort(ids))).astype(np.float64)
        truth = ((index.transform.transform(queries)[:, None] - inner[None]) ** 2).sum(axis=2)
        np.testing.assert_allclose(distances, np.sort(truth, axis=1)[:, :5], rtol=1e-3, atol=1e-3)
        return
    index, _, queries = built(spec, rng, metric=metric)
    agrees(index, queries, 10)
    agrees(index, queries[:1], 3)


@pytest.mark.parametrize(
    "spec", ["PQ4", "PQ5x4fs", "IVF8,PQ4", "IVF8,SQ8", "IVF8,Flat", "IMI2x2,PQ3", "SQfp16"]
)
@pytest.mark.parametrize("d", [8, 14, 70])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 300])
def test_odd_sizes(spec: str, d: int, n: int, rng: np.random.Generator) -> None:
    index, _, queries = built(spec, rng, d=d, n=n)
    assert len(index) == n
    for k in (1, 10, 400):
        if n:
            agrees(index, queries[:9], k)
            agrees(index, queries[:1], k)
    distances, found = index.search(queries[0], 7)
    assert distances.shape == found.shape == (7,)
    assert index.search(queries[:0], 3).ids.shape == (0, 3)


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_bits_in_every_way(spec: str, rng: np.random.Generator) -> None:
    index, _, _ = built(spec, rng, n=900)
    queries = clustered(rng, 220, 16)
    settings = {"nprobe": 5, "refine_factor": 3}
    expected = index.search(queries, 8, **settings)

    def same(got: kf.Neighbours, part: slice = slice(None)) -> None:
        np.testing.assert_array_equal(got.ids, expected.ids[part])
        np.testing.assert_array_equal(got.distances, expected.distances[part])

    singles = [index.search(query, 8, **settings) for query in queries[:40]]
    np.testing.assert_array_equal(np.stack([s.ids for s in singles]), expected.ids[:40])
    np.testing.assert_array_equal(np.stack([s.distances for s in singles]), expected.distances[:40])
    for size in (2, 40):
        same(index.search(queries[:size], 8, **settings), slice(size))
    for threads in (1, 2, 3):
        same(index.search(queries, 8, threads=threads, **settings))
    before = _core.level()
    try:
        for level in _core.levels():
            _core.set_level(level)
            got = index.search(queries, 8, **settings)
            np.testing.assert_allclose(got.distances, expected.distances, rtol=1e-4, atol=1e-4)
            if level != "baseline":  # whose sums are in another order: all above it agree
                expected = got if before == "baseline" and level == _core.levels()[1] else expected
                same(got)
                same(index.search(queries[:3], 8, **settings), slice(3))
    finally:
        _core.set_level(before)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("spec", SPECS)
def test_saved_segmented_compacted(
    spec: str, mmap: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    index, base, queries = built(spec, rng)
    expected = index.search(queries, 9, nprobe=4)
    index.save(tmp_path / "a.kin")
    again = kf.load(tmp_path / "a.kin", mmap=mmap)
    pieces = CellIndex.from_state(index.params(), index.arrays())
    for other in (again, pieces, pieces.compact()):
        got = other.search(queries, 9, nprobe=4)
        np.testing.assert_array_equal(got.ids, expected.ids)
        np.testing.assert_array_equal(got.distances, expected.distances)
    assert again.params() == index.params() and len(again) == len(base)


@pytest.mark.parametrize("spec", ["IVF4,LOPQ4", "IMI2x1,LOPQ4x4", "OPQ4,IVF4,PQ4", "PCA9,IVF4,PQ3"])
def test_equal_rows_are_reconstructed_to_equal_bits(spec: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((600, 16)).astype(np.float32)
    index = kf.index_factory(spec, 16, verbose=False).train(x)
    index.add(np.concatenate([x[:37], x[:37]]), np.arange(74))
    every = index.reconstruct(np.arange(74))
    np.testing.assert_array_equal(every[:37], every[37:])
    np.testing.assert_array_equal(index.reconstruct([5]), every[5:6])


@pytest.mark.parametrize("spec", ["SQ8", "IVF8,PQ4", "IMI2x2,PQ4", "IVF8,Flat,RSQ8", "IVF4,LOPQ4"])
def test_added_in_pieces_as_at_once(spec: str, tmp_path: Path, rng: np.random.Generator) -> None:
    index, base, queries = built(spec, rng)
    index.save(tmp_path / "whole.kin")

    def emptied() -> CellIndex:
        other = kf.load(tmp_path / "whole.kin")
        assert other.remove(other.ids) == len(base) and len(other) == 0
        assert other.search(queries, 3).ids.max() == -1
        return other

    ids = np.arange(len(base))
    pieces = emptied()
    for start in range(0, len(base), 60):
        pieces.add(base[start : start + 60], ids=ids[start : start + 60])
    assert pieces.stats()["segments"] > 1
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", base.dtype, base.shape)
    mapped[:] = base
    from_map = emptied()
    from_map.add(np.load(tmp_path / "x.npy", mmap_mode="r"), ids=ids)

    def stream() -> Iterator[np.ndarray]:
        yield base[:100]
        yield base[100:100]
        yield base[100:]

    streamed = emptied()
    given = streamed.add(stream())
    np.testing.assert_array_equal(given, np.arange(len(base)) + len(base))
    expected = index.search(queries, 6, nprobe=3)
    for other, shift in ((pieces, 0), (pieces.compact(), 0), (from_map, 0), (streamed, len(base))):
        got = other.search(queries, 6, nprobe=3)
        np.testing.assert_array_equal(got.ids - np.where(got.ids < 0, 0, shift), expected.ids)
        np.testing.assert_array_equal(got.distances, expected.distances)


@pytest.mark.parametrize("spec", ["SQ8", "PQ4", "IVF8,PQ4,RFlat", "IMI2x2,PQ4"])
def test_removed_updated_merged(spec: str, rng: np.random.Generator) -> None:
    index, base, queries = built(spec, rng)
    other = CellIndex.from_state(index.params(), index.arrays())
    assert index.remove(np.arange(0, 700, 2)) == 350 and index.remove([0, 5000]) == 0
    assert len(index) == 350 and not (index.search(queries, 50).ids % 2 == 0).any()
    agrees(index, queries, 12)
    # More than a quarter removed: the lists are compact again.
    assert sum(len(s) for s in index._held.parts) == 350
    index.update([1, 3], base[[0, 2]])
    np.testing.assert_allclose(
        index.reconstruct([1, 3]), other.reconstruct([0, 2]), rtol=1e-5, atol=1e-5
    )
    agrees(index, queries, 12)
    other.remove(index.ids)
    index.merge(other)
    assert sorted(index.ids.tolist()) == list(range(700))
    agrees(index, queries, 12)
    with pytest.raises(ValueError, match="is in both indexes"):
        index.merge(CellIndex.from_state(index.params(), index.arrays()))
    stranger = kf.index_factory(spec, 16, verbose=False, seed=1).train(clustered(rng, 600, 16))
    with pytest.raises(ValueError, match="trained alike"):
        index.merge(stranger)


@pytest.mark.parametrize("spec", ["PQ4", "IVF8,SQ8", "IVF8,PQ8x4", "IMI2x2,PQ4", "IVF4,LOPQ4"])
def test_filters(spec: str, rng: np.random.Generator) -> None:
    index, _, queries = built(spec, rng)
    ids, truth = brute(index, queries)
    admitted = ids[::7]
    mask = np.isin(index.ids, admitted)
    for size in (30, 1):
        by_ids = index.search(queries[:size], 5, nprobe=EVERYTHING, filter=admitted)
        by_mask = index.search(queries[:size], 5, nprobe=EVERYTHING, filter=mask)
        np.testing.assert_array_equal(by_ids.ids, by_mask.ids)
        expected = np.sort(truth[:size, ::7], axis=1)[:, :5]
        np.testing.assert_allclose(by_ids.distances, expected, rtol=1e-4, atol=1e-3)
    assert (index.search(queries, 3, filter=[]).ids == -1).all()


def test_exhaust_visits_more_cells(rng: np.random.Generator) -> None:
    index, _, queries = built("IVF8,SQ8", rng, n=40)
    assert (index.search(queries, 39, nprobe=1).ids == -1).any()
    full = index.search(queries, 39, nprobe=1, exhaust=True)
    assert (full.ids >= 0).all()
    np.testing.assert_array_equal(full.ids, index.search(queries, 39, nprobe=8).ids)
    over = index.search(queries, 50, nprobe=1, exhaust=True).ids
    assert (over[:, :40] >= 0).all() and (over[:, 40:] == -1).all()


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("spec", ["PQ4", "SQ8", "IVF8,PQ4", "IVF8,Flat", "IMI2x2,PQ4"])
def test_range_search(spec: str, metric: str, rng: np.random.Generator) -> None:
    index, _, queries = built(spec, rng, metric=metric)
    ids, truth = brute(index, queries)
    radius = float(np.quantile(truth, 0.03))
    starts, distances, found = index.range_search(
        queries, radius if metric == "l2" else -radius, nprobe=EVERYTHING
    )
    for q in range(len(queries)):
        part = slice(starts[q], starts[q + 1])
        clear = np.abs(truth[q] - radius) > 1e-3
        expected = set(ids[(truth[q] < radius) & clear].tolist())
        border = set(ids[~clear].tolist())
        assert expected <= set(found[part].tolist()) <= expected | border
        values = distances[part] if metric == "l2" else -distances[part]
        assert (np.diff(values) >= 0).all()


def test_more_cells_find_more(rng: np.random.Generator) -> None:
    index, base, queries = built("IVF8,Flat", rng, n=3000)
    flat = kf.FlatIndex(16)
    flat.add(base)
    truth = flat.search(queries, 10).ids
    shares = []
    for nprobe in (1, 2, 4, 8):
        found = index.search(queries, 10, nprobe=nprobe).ids
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(truth, found)]))
    assert shares == sorted(shares) and shares[0] > 0.3 and shares[-1] == 1
    np.testing.assert_array_equal(index.search(queries, 10, nprobe=8).ids, truth)


def test_budget_of_a_multi_index(rng: np.random.Generator) -> None:
    index, _, queries = built("IMI2x2,PQ4", rng)
    few = index.search(queries, 400, budget=50).ids
    assert ((few >= 0).sum(axis=1) >= 50).all()
    np.testing.assert_array_equal(
        index.search(queries, 20, budget=700).ids, index.search(queries, 20, nprobe=16).ids
    )
    cells, sums = index._held.scan.probe(queries, 16)
    assert (np.sort(cells, axis=1) == np.arange(16)).all() and (np.diff(sums, axis=1) >= 0).all()


@pytest.mark.parametrize("spec", ["PQ4", "PQ8x4", "SQ8", "IVF8,PQ4", "IVF8,Flat", "IMI2x2,PQ4"])
@pytest.mark.parametrize("size", [1e-15, 1e-6, 1e6, 1e15])
def test_norms_of_all_sizes(spec: str, size: float, rng: np.random.Generator) -> None:
    index = kf.index_factory(spec, 16, verbose=False)
    index.train(clustered(rng, 600, 16) * np.float32(size))
    index.add(clustered(rng, 200, 16) * np.float32(size))
    queries = clustered(rng, 20, 16) * np.float32(size)
    distances, found = index.search(queries, 5, nprobe=EVERYTHING)
    stored = index.reconstruct(np.arange(200)).astype(np.float64)
    truth = ((queries[:, None].astype(np.float64) - stored[None]) ** 2).sum(axis=2)
    expected = np.sort(truth, axis=1)[:, :5]
    np.testing.assert_allclose(distances, expected, rtol=1e-3, atol=float(np.float32(1e-30)))
    assert (found >= 0).all()


@pytest.mark.parametrize("spec", ["PQ4", "IVF2,PQ4", "IVF2,SQ8", "IMI2x1,PQ2", "IVF2,LOPQ4"])
def test_all_vectors_equal_and_duplicates(spec: str) -> None:
    same = np.full((300, 8), 2.5, np.float32)
    index = kf.index_factory(spec, 8, verbose=False).train(same)
    index.add(same, ids=np.arange(300)[::-1] + (1 << 40))
    distances, found = index.search(same[:20], 4, nprobe=4)
    np.testing.assert_allclose(distances, 0, atol=1e-9)
    np.testing.assert_array_equal(found, np.tile(np.arange(4) + (1 << 40), (20, 1)))


@pytest.mark.parametrize("spec", ["PQ4,RFlat", "IVF4,PQ4,RFlat", "IVF8,PQ8x4fs,RSQfp16"])
def test_copies_do_not_crowd_out_what_lies_behind(spec: str, rng: np.random.Generator) -> None:
    # A shortlist of 50 among 3,000 rows of one code at about the distance of the tenth nearest.
    x = rng.standard_normal((2000, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    base = np.concatenate([np.zeros((3000, 16), np.float32), x])
    index = kf.index_factory(spec, 16, verbose=False)
    index.train(x)
    index.add(base)
    queries = x[:70] * np.float32(0.4) + rng.standard_normal((70, 16)).astype(
        np.float32
    ) * np.float32(0.2)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    truth = np.argsort(((queries[:, None] - base[None]) ** 2).sum(axis=2), axis=1, kind="stable")[
        :, :10
    ]
    found = index.search(queries, 10, nprobe=EVERYTHING, refine_factor=5)[1]
    alone = np.stack([index.search(q, 10, nprobe=EVERYTHING, refine_factor=5)[1] for q in queries])
    np.testing.assert_array_equal(found, alone)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(truth, found)]) > 0.9


def test_statistics(rng: np.random.Generator) -> None:
    index, base, queries = built("IVF8,PQ4,RSQ8", rng)
    index.search(queries, 5, nprobe=3)
    stats = index.stats()
    assert stats["n"] == 700 and stats["cells"] == 8 and stats["occupied_cells"] <= 8
    assert stats["bytes_per_vector"] == 4 + 2 + 16 + 8
    assert stats["per_query"]["cells"] <= 3 and 0 < stats["per_query"]["scored"] <= 700
    lengths = np.bincount(index.coarse.assign(base), minlength=8)
    assert stats["imbalance"] == pytest.approx(8 * (lengths**2).sum() / 700**2)
    even = kf.index_factory("IVF2,SQ8", 1, verbose=False).train([[0.0], [1.0]])
    even.add([[0.0], [0.1], [1.0], [0.9]])
    assert even.stats()["imbalance"] == 1


# faiss takes half a minute to learn 8-bit codebooks of few dimensions without AVX-512.
@pytest.mark.parametrize(
    "spec",
    [
        *(pytest.param(s, marks=pytest.mark.slow) for s in ("IVF16,PQ8", "PQ8")),
        "IVF16,PQ16x4",
        "PQ16x4",
    ],
)
def test_recall_is_that_of_faiss(spec: str, rng: np.random.Generator) -> None:
    faiss = pytest.importorskip("faiss")
    train, base, queries = (clustered(rng, n, 32) for n in (4000, 4000, 200))
    flat = kf.FlatIndex(32)
    flat.add(base)
    truth = flat.search(queries, 1).ids[:, 0]
    theirs = faiss.index_factory(32, spec)
    theirs.train(train)
    theirs.add(base)
    ours = kf.index_factory(spec, 32, verbose=False).train(train)
    ours.add(base)
    if "IVF" in spec:
        theirs.nprobe = 4
    found = ours.search(queries, 10, nprobe=4).ids
    expected = theirs.search(queries, 10)[1]

    def recall(ids: np.ndarray) -> float:
        return float((ids == truth[:, None]).any(axis=1).mean())

    # Codebooks of 16 words depend on where k-means starts.
    assert recall(found) > recall(expected) - (0.1 if "x4" in spec else 0.05)


BAD = [
    (lambda i, x: i.add(x[:, :3]), "x: expected vectors of dimension 16"),
    (lambda i, x: i.add(np.full((2, 16), np.inf)), "x: expected finite"),
    (lambda i, x: i.add(x[:2], ids=[900, 900]), "ids: expected each id once"),
    (lambda i, x: i.add(x[:2], ids=[5, 900]), "ids: 5 is in the index already"),
    (lambda i, x: i.add(x[:2], ids=[900]), "ids: expected 2 ids"),
    (lambda i, x: i.add(iter([x]), ids=[1]), "ids: expected none with an iterator"),
    (lambda i, x: i.update([9999], x[:1]), "ids: 9999 is not in the index"),
    (lambda i, x: i.reconstruct([9999]), "ids: 9999 is not in the index"),
    (lambda i, x: i.search(x, 0), "k: expected"),
    (lambda i, x: i.search(x, 5, nprobe=0), "nprobe: expected"),
    (lambda i, x: i.search(x, 5, refine_factor=0.5), "refine_factor: expected"),
    (lambda i, x: i.search(x, 5, filter=[True, False]), "filter: expected a mask"),
    (lambda i, x: i.search(np.full((1, 16), np.nan)), "queries: expected finite"),
    (lambda i, x: i.range_search(x, -1), "radius: expected"),
    (lambda i, x: i.train(x), "train: the index holds vectors"),
    (lambda i, x: i.merge(i), "other: expected another CellIndex"),
]


@pytest.mark.parametrize("call, words", BAD, ids=[words for _, words in BAD])
def test_bad_input(call: object, words: str, rng: np.random.Generator) -> None:
    index, base, _ = built("IVF8,PQ4", rng)
    before = index.search(base[:5], 5)
    with pytest.raises(ValueError, match=words):
        call(index, base)  # type: ignore[operator]
    np.testing.assert_array_equal(index.search(base[:5], 5).ids, before.ids)
    assert len(index) == 700


@pytest.mark.parametrize(
    "call",
    [
        lambda i, x: i.add(x), lambda i, x: i.search(x), lambda i, x: i.remove([1]), lambda i, x: i.ids,
        lambda i, x: i.reconstruct([0]), lambda i, x: i.arrays(), lambda i, x: i.stats(),
    ],
)  # fmt: skip
def test_untrained(call: object, rng: np.random.Generator) -> None:
    index = kf.index_factory("IVF8,PQ4", 16)
    with pytest.raises(kf.NotTrainedError):
        call(index, clustered(rng, 3, 16))  # type: ignore[operator]
    assert len(index) == 0


def test_too_few_training_vectors(rng: np.random.Generator) -> None:
    for spec in ("IVF8,PQ4", "IVF300,SQ8", "OPQ4,PQ4", "IVF8,LOPQ4", "PQ4"):
        with pytest.raises(ValueError, match="expected at least"):
            kf.index_factory(spec, 16, verbose=False).train(clustered(rng, 255, 16)[:200])
