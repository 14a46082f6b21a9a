"""Shards of every kind of index answer as the index does, bit for bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.index.candidates import CandidateIndex
from kinfold.index.proposers.hash_tables import HashTables
from kinfold.index.proposers.kd_forest import KDForest

_FILE = Path(__file__).parents[1] / "index" / "test_parts.py"
_SPEC = importlib.util.spec_from_file_location("parts_of_indexes", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
parts = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(parts)
D = parts.D


def check_same(one: Any, shards: kf.ShardedIndex, **options: Any) -> None:
    """Few and many queries and neighbours, with and without a filter: the same bits."""
    queries = np.concatenate([parts.vectors(40, 2), one.reconstruct(one.ids[:3])])
    some = one.ids[::3]
    for nq, k in ((1, 1), (5, len(one) + 3), (len(queries), 10)):
        for filter in (None, some):
            mine = one.search(queries[:nq], k, filter=filter, threads=1, **options)
            theirs = shards.search(queries[:nq], k, filter=filter, threads=1, **options)
            np.testing.assert_array_equal(mine.ids, theirs.ids)
            assert mine.distances.tobytes() == theirs.distances.tobytes()
    within = {name: value for name, value in options.items() if name in one.range_options}
    radius = float(np.sort(one.search(queries, 20, **options).distances[:, -1])[20])
    for filter in (None, some):
        lists = one.range_search(queries, radius, filter=filter, threads=1, **within)
        others = shards.range_search(queries, radius, filter=filter, threads=1, **within)
        for mine, theirs in zip(lists, others):
            assert mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes()


def with_copies(index: Any) -> Any:
    """Rows that are equal, in whichever shards: ties."""
    x = parts.vectors(60, 1)
    index.add(np.concatenate([x, x[:20], x[:20]]), ids=np.arange(5000, 5100))
    return index


# Each codec and each partition with some metric in every run; all of them where minutes do not matter.
SOME = parts.COMBINATIONS[::4]


@pytest.mark.parametrize(
    ("coarse", "codec", "metric"),
    [
        pytest.param(*one, marks=() if one in SOME else pytest.mark.slow)
        for one in parts.COMBINATIONS
    ],
)
def test_lists_of_codes(coarse: str, codec: str, metric: str, sharded: Any) -> None:
    one, shards = sharded(with_copies(parts.built(coarse, codec, metric)), n=2)
    check_same(one, shards)
    check_same(one, shards, nprobe=2)
    if coarse == "multi":
        check_same(one, shards, budget=150)
    if codec == "ByteVectors":
        check_same(one, shards, nprobe=1, exhaust=True)


@pytest.mark.parametrize("refine", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("codec", ["pq4", "pq8-residual", "ByteVectors", "ScalarCodes-4"])
@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_second_looks(codec: str, metric: str, refine: str, sharded: Any) -> None:
    turned = parts.Rotation.random(D, D, seed=3)
    index = parts.built("kmeans", codec, metric, refine=refine, transform=turned)
    one, shards = sharded(with_copies(index))
    check_same(one, shards)
    check_same(one, shards, nprobe=3, refine_factor=1.5)


def test_a_shortlist_that_equal_codes_fill_is_widened_by_what_all_shards_hold(
    sharded: Any, rng: np.random.Generator
) -> None:
    """Thousands of rows of one code: which of them stand in the shortlist decides, and ids decide that."""
    index = kf.index_factory("PQ2x4,RFlat", D, verbose=False).fit(parts.vectors(300, 1))
    near = parts.vectors(1, 3) + 1e-3 * rng.standard_normal((3000, D)).astype(np.float32)
    index.add(np.concatenate([near, parts.vectors(200, 4)]))
    one, shards = sharded(index)
    for factor in (1, 10):
        mine = one.search(near[:7], 5, refine_factor=factor)
        theirs = shards.search(near[:7], 5, refine_factor=factor)
        np.testing.assert_array_equal(mine.ids, theirs.ids)
        assert mine.distances.tobytes() == theirs.distances.tobytes()


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("kind", ["flat", "trees", "forest", "tables", "bits", "bits twice"])
def test_other_kinds(kind: str, metric: str, sharded: Any) -> None:
    if metric == "ip" and kind in ("trees", "bits", "bits twice"):
        pytest.skip("knows no inner products")
    signs = kf.SignQuantizer(64)
    index: Any = {
        "flat": lambda: kf.FlatIndex(D, metric=metric),
        "trees": lambda: kf.TreeIndex(D, metric=metric),
        "forest": lambda: CandidateIndex(D, KDForest(3), metric=metric),
        "tables": lambda: CandidateIndex(D, HashTables(5, 4), metric=metric),
        "bits": lambda: kf.HammingIndex(D, signs, metric=metric),
        "bits twice": lambda: kf.HammingIndex(D, signs, metric=metric, refine="uint8"),
    }[kind]()
    index.fit(parts.vectors(300, 1)).add(parts.vectors(500, 1))
    index.remove(np.arange(0, 500, 7))
    one, shards = sharded(with_copies(index))
    check_same(one, shards, **({"checks": 0} if kind in ("forest", "tables") else {}))
    if kind == "flat":
        mask = np.arange(len(one)) % 2 == 0
        np.testing.assert_array_equal(
            shards.search(parts.vectors(4, 2), filter=mask).ids,
            one.search(parts.vectors(4, 2), filter=shards.ids[mask]).ids,
        )


def test_candidates_are_looked_at_in_every_shard(sharded: Any) -> None:
    """Trees over parts of the rows name other rows than one over all: as many from each shard, and so no fewer near."""
    index = CandidateIndex(D, KDForest(4)).fit(parts.vectors(9, 1))
    index.add(parts.vectors(2000, 1))
    one, shards = sharded(index)
    queries = parts.vectors(200, 2)
    truth = one.search(queries, 10, checks=0).ids

    def recall(found: Any) -> float:
        return float(
            np.mean([len(set(a) & set(b)) for a, b in zip(found.ids.tolist(), truth.tolist())])
        )

    assert recall(shards.search(queries, 10, checks=60)) >= recall(
        one.search(queries, 10, checks=60)
    )
    shards.search(queries[:1], 10, checks=60)


@pytest.mark.parametrize(
    "spec",
    ["Flat", "KDTree", "IVF4,PQ4x4", "IMI2x2,PQ4x4", "IVF4,SQ8,RSQ8", "LSH64,RFlat", "KDForest2"],
)
def test_rows_come_and_go_as_in_one(spec: str, sharded: Any, rng: np.random.Generator) -> None:
    index = kf.index_factory(spec, D, verbose=False).fit(parts.vectors(400, 1))
    index.add(parts.vectors(300, 1))
    one, shards = sharded(index)
    options = {"checks": 0} if spec == "KDForest2" else {}
    for step in range(3):
        x = parts.vectors(70, 10 + step)
        given = None if step == 1 else rng.permutation(2000)[:70] + 10_000 * (step + 1)
        assert one.add(x, ids=given).tolist() == shards.add(x, ids=given).tolist()
        gone = rng.permutation(one.ids)[:25]
        assert one.remove([*gone, 77_777]) == shards.remove([*gone, 77_777]) == 25
        changed = rng.permutation(one.ids)[:9]
        for which in (one, shards):
            which.update([*changed, changed[0]], parts.vectors(10, 20 + step))
        assert len(one) == len(shards) and gone[0] not in shards and changed[0] in shards
        if hasattr(one, "compact"):
            one.compact(), shards.compact()
        np.testing.assert_array_equal(np.sort(one.ids), shards.ids)
        np.testing.assert_array_equal(one.reconstruct(changed), shards.reconstruct(changed))
        check_same(one, shards, **options)
    assert shards.remove(shards.ids) == len(one) and len(shards) == 0
    assert (shards.search(x[:2], 3).ids == -1).all()
    assert shards.add(x[:1]).tolist() == one.add(x[:1]).tolist()


def test_what_is_refused_changes_nothing(sharded: Any) -> None:
    index = kf.index_factory("IVF4,SQfp16", D, verbose=False).fit(parts.vectors(100, 1))
    index.add(parts.vectors(50, 1))
    one, shards = sharded(index)
    before = shards.search(parts.vectors(5, 2), 50)
    huge = np.full((2, D), 1e6, np.float32)
    for call, words in [
        (lambda: shards.add(parts.vectors(2, 3), ids=[60, 7]), "id.*7 is in the index already"),
        (lambda: shards.add(parts.vectors(2, 3), ids=[60, 60]), "each id once"),
        (lambda: shards.add(huge), "65504"),
        (lambda: shards.add(np.zeros((2, D + 1))), "dimension"),
        (lambda: shards.update([1, 99], parts.vectors(2, 3)), "99 is not in the index"),
        (lambda: shards.update([1, 2], huge), "65504"),
        (lambda: shards.reconstruct([1, 99]), "99 is not in the index"),
        (lambda: shards.search(np.zeros(D + 1)), "dimension"),
        (lambda: shards.search(np.zeros(D), filter=np.ones(3, bool)), "mask of 50 rows"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(TypeError, match="^checks: expected .* of CellIndex"):
        shards.search(np.zeros(D), checks=3)
    # Later pieces of a large addition that cannot be stored take the earlier ones back.
    large = np.zeros((70_000, D), np.float32)
    large[-1] = 1e6
    with pytest.raises(ValueError, match="65504"):
        shards.add(large)
    after = shards.search(parts.vectors(5, 2), 50)
    assert len(shards) == 50 and before.distances.tobytes() == after.distances.tobytes()
    np.testing.assert_array_equal(before.ids, after.ids)
    assert shards.add(parts.vectors(1, 3)).tolist() == one.add(parts.vectors(1, 3)).tolist()


def test_saved_and_opened_again(sharded: Any, tmp_path: Path) -> None:
    index = kf.index_factory("IVF4,PQ4x4", D, verbose=False).fit(parts.vectors(400, 1))
    index.add(parts.vectors(200, 1))
    one, shards = sharded(index)
    one.add(parts.vectors(30, 5)), shards.add(parts.vectors(30, 5))
    shards.save(tmp_path / "new" / "place")
    shards.add(parts.vectors(9, 6))  # is not in the files
    with kf.ShardedIndex.open(tmp_path / "new" / "place", workers="here", mmap=True) as again:
        check_same(one, again)
        assert again.stats()["shards"] == 3 and again.stats()["n"] == 230 == len(again)
        assert repr(again) == "ShardedIndex(index.Cells, dim=12, 3 shards, n=230)"
        again.save(tmp_path / "new" / "place")
    assert len(list((tmp_path / "new" / "place").iterdir())) == 4
    files = sorted((tmp_path / "new" / "place").glob("*.kin"))
    with kf.ShardedIndex(files, workers="here") as again:
        check_same(one, again)
    with pytest.raises(ValueError, match="id .* is in two of them"):
        kf.ShardedIndex([files[0], files[0]], workers="here")


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        index = kf.index_factory("IVF4,Flat", D, verbose=False).fit(parts.vectors(100, seed))
        index.save(tmp_path / f"{name}.kin")
    with pytest.raises(kf.FileFormatError, match=r"b\.kin: was not made and trained as"):
        kf.ShardedIndex([tmp_path / "a.kin", tmp_path / "b.kin"], workers="here")
    kf.KDTree(parts.vectors(9, 1)).save(tmp_path / "tree.kin")
    with pytest.raises(ValueError, match="expected indexes of vectors"):
        kf.ShardedIndex([tmp_path / "tree.kin"], workers="here")
    with pytest.raises(ValueError, match="at least one"):
        kf.ShardedIndex([])
    with pytest.raises(ValueError, match="workers: expected one of here, process, ray"):
        kf.ShardedIndex([tmp_path / "a.kin"], workers="thread")
