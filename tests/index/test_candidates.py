"""Forests and hash tables against brute force over what they store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core

SPECS = [
    "KDForest4", "KDForest4,SQ8", "KDForest1,SQfp16", "KDForest4_median,SQ8", "LSH6x4", "LSH9x2,SQ8",
]  # fmt: skip


def clustered(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    centres = np.random.default_rng(9).standard_normal((12, d)) * 2
    return (centres[rng.integers(12, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


def built(
    spec: str, rng: np.random.Generator, *, d: int = 20, n: int = 900, metric: str = "l2"
) -> tuple[kf.CandidateIndex, np.ndarray]:
    index = kf.index_factory(spec, d, metric=metric, verbose=False)
    index.train(clustered(rng, 500, d))
    index.add(clustered(rng, n, d))
    return index, clustered(rng, 30, d)


def brute(index: kf.CandidateIndex, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids, and the true distances (similarities negated) to what is stored, (q, n)."""
    ids = np.sort(index.ids)
    stored = index.reconstruct(ids).astype(np.float64)
    q = queries.astype(np.float64)
    if index.metric == "cosine":
        q /= np.linalg.norm(q, axis=1, keepdims=True)
    if index.metric == "l2":
        return ids, ((q[:, None] - stored[None]) ** 2).sum(axis=2)
    return ids, -(q @ stored.T)


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("spec", SPECS)
def test_all_rows_looked_at_is_exact(
    spec: str, metric: str, level: str, rng: np.random.Generator
) -> None:
    index, queries = built(spec, rng, metric=metric)
    ids, truth = brute(index, queries)
    for k in (1, 10, 1000):
        distances, found = index.search(queries, k, checks=0)
        values = distances if metric == "l2" else -distances
        expected = np.sort(truth, axis=1)[:, :k]
        have = expected.shape[1]
        np.testing.assert_allclose(values[:, :have], expected, rtol=1e-4, atol=1e-4)
        own = np.take_along_axis(truth, np.searchsorted(ids, found[:, :have]), axis=1)
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-4)
        assert (found[:, have:] == -1).all()
    assert index.stats()["per_query"]["rows"] == len(index)


@pytest.mark.parametrize("spec", SPECS)
def test_a_budget_is_kept_and_buys_recall(spec: str, rng: np.random.Generator) -> None:
    index, queries = built(spec, rng, n=4000)
    _, exact = index.search(queries, 10, checks=0)
    before = -1.0
    for checks in (10, 200, 1000, 4000):
        fresh = kf.CandidateIndex.from_state(index.params(), index.arrays())
        distances, found = fresh.search(queries, 10, checks=checks)
        assert fresh.stats()["per_query"]["rows"] <= checks
        known = found >= 0
        np.testing.assert_array_equal(np.isfinite(distances), known)
        recall = (found[:, :, None] == exact[:, None, :]).any(axis=2).mean()
        assert recall >= before - 0.02
        before = recall
    assert before == 1


@pytest.mark.parametrize("spec", SPECS)
def test_answers_do_not_depend_on_levels_threads_or_batches(
    spec: str, rng: np.random.Generator
) -> None:
    index, queries = built(spec, rng)
    distances, found = index.search(queries, 5, checks=100, threads=1)
    before = _core.level()
    for level in _core.levels():
        _core.set_level(level)
        other = index.search(queries, 5, checks=100, threads=3)
        np.testing.assert_array_equal(other.ids, found)
        if level != "baseline":
            np.testing.assert_array_equal(other.distances, distances)
    _core.set_level(before)
    for i, query in enumerate(queries):
        one = index.search(query, 5, checks=100)
        np.testing.assert_array_equal(one.ids, found[i])
        np.testing.assert_array_equal(one.distances, distances[i])


@pytest.mark.parametrize("spec", SPECS)
def test_grown_is_as_good_as_built_at_once(spec: str, rng: np.random.Generator) -> None:
    index, queries = built(spec, rng)
    grown = kf.CandidateIndex.from_state(
        index.params(), {k: a for k, a in index.arrays().items() if not k.startswith("rows.")}
    )
    x = index.reconstruct(np.arange(900))
    for at in range(0, 900, 90):
        grown.add(x[at : at + 90], ids=np.arange(at, at + 90))
    grown.remove(np.arange(0, 900, 7))
    index.remove(np.arange(0, 900, 7))
    for a, b in zip(grown.search(queries, 12, checks=0), index.search(queries, 12, checks=0)):
        np.testing.assert_array_equal(a, b)
    some = np.arange(1, 900, 4)
    for a, b in zip(
        grown.search(queries, 12, checks=0, filter=some),
        index.search(queries, 12, checks=0, filter=some),
    ):
        np.testing.assert_array_equal(a, b)
    assert not set(index.search(queries, 12, filter=some).ids.ravel()) - set(some) - {-1}


@pytest.mark.parametrize("metric", ["l2", "ip"])
@pytest.mark.parametrize("spec", SPECS)
def test_range_search(spec: str, metric: str, rng: np.random.Generator) -> None:
    index, queries = built(spec, rng, metric=metric)
    ids, truth = brute(index, queries)
    bound = np.quantile(truth, 0.05)
    starts, distances, found = index.range_search(
        queries, bound if metric == "l2" else -bound, checks=0
    )
    values = distances if metric == "l2" else -distances
    for i, row in enumerate(truth):
        part = slice(starts[i], starts[i + 1])
        sure = ids[row < bound - 1e-3 * abs(bound)]
        perhaps = ids[row < bound + 1e-3 * abs(bound)]
        assert set(sure) <= set(found[part]) <= set(perhaps)
        assert (np.diff(values[part]) >= 0).all()


@pytest.mark.parametrize("spec", SPECS)
def test_points_that_are_all_alike(spec: str) -> None:
    index = kf.index_factory(spec, 8, verbose=False)
    index.add(np.full((400, 8), 3.0))
    index.add(np.zeros((1, 8)))
    distances, found = index.search(np.full((2, 8), 3.0), 5, checks=0)
    assert found.tolist() == [[0, 1, 2, 3, 4]] * 2
    np.testing.assert_allclose(distances, 0, atol=1e-3)


def test_far_outliers_do_not_blunt_the_filter(rng: np.random.Generator) -> None:
    base = rng.standard_normal((5000, 32)).astype(np.float32)
    index = kf.index_factory("KDForest4", 32).train(base)
    base[::500] *= 300
    index.add(base)
    _, found = index.search(base[1:50], 1, checks=0)
    assert found.ravel().tolist() == list(range(1, 50))
    assert index.stats()["per_query"]["scored"] < 500


def test_whole_numbers_are_exact_in_eight_bits(rng: np.random.Generator) -> None:
    base = rng.integers(0, 256, (800, 128)).astype(np.float32)
    queries = rng.integers(0, 256, (9, 128)).astype(np.float32)
    index = kf.index_factory("KDForest4,SQ8", 128)
    index.add(base)
    flat = kf.FlatIndex(128)
    flat.add(base)
    for a, b in zip(index.search(queries, 7, checks=0), flat.search(queries, 7)):
        np.testing.assert_array_equal(a, b)


def test_buckets_are_probed_by_their_chance(rng: np.random.Generator) -> None:
    # Rows looked at within the first few probes are likelier neighbours than later ones.
    index, queries = built("LSH10x1", rng, n=3000)
    _, truth = brute(index, queries)
    _, near = index.search(queries, 200, checks=200)
    _, far = index.search(queries, 2000, checks=2000)
    for i, row in enumerate(truth):
        later = set(far[i]) - set(near[i]) - {-1}
        assert row[near[i][near[i] >= 0]].mean() < row[list(later)].mean()


def test_files(tmp_path: Path, rng: np.random.Generator) -> None:
    for spec in SPECS:
        index, queries = built(spec, rng)
        index.save(tmp_path / "index.kin")
        for mmap in (False, True):
            again = kf.load(tmp_path / "index.kin", mmap=mmap)
            for a, b in zip(
                again.search(queries, 7, checks=90), index.search(queries, 7, checks=90)
            ):
                np.testing.assert_array_equal(a, b)
            again.add(queries)
            assert len(again) == 930 and again.search(queries[0], 1, checks=0).ids[0] >= 900


def test_merge(rng: np.random.Generator) -> None:
    one, _ = built("KDForest2", rng)
    other = kf.CandidateIndex.from_state(
        one.params(), {k: a for k, a in one.arrays().items() if not k.startswith("rows.")}
    )
    x = one.reconstruct(np.arange(900))
    other.add(x[:400] + 1, ids=np.arange(1000, 1400))
    one.merge(other)
    assert len(one) == 1300
    assert one.search(x[7] + 1, 1, checks=0).ids[0] == 1007


def test_refusals(rng: np.random.Generator) -> None:
    index, queries = built("KDForest2", rng)
    with pytest.raises(ValueError, match="^checks: "):
        index.search(queries, checks=-1)
    with pytest.raises(ValueError, match="^queries: expected vectors of dimension 20"):
        index.search(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="^ids: 5 is in the index already"):
        index.add(queries[:1], ids=[5])
    with pytest.raises(ValueError, match="^x: expected numbers up to 65504"):
        half, _ = built("KDForest1,SQfp16", rng)
        half.add(np.full((1, 20), 1e5))
    with pytest.raises(kf.NotTrainedError):
        kf.index_factory("KDForest2", 3).search(np.zeros((1, 3)))
    for spec in ("KDForest", "KDForest0", "KDForest2,PQ8", "KDForest2,RFlat", "LSH30x2", "LSH8x"):
        with pytest.raises(ValueError):
            kf.index_factory(spec, 16)
