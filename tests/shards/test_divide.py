"""How rows are divided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.shards.divide import divide, shard_of
from kinfold.shards.manifest import read_manifest


@pytest.mark.parametrize("step", [1, 2, 1024, 12345])
def test_ids_spread_evenly_whatever_their_pattern(step: int) -> None:
    """Within four standard deviations of even."""
    n = 100_000
    for shards in (2, 3, 16):
        counts = np.bincount(shard_of(np.arange(n) * step, shards), minlength=shards)
        assert np.abs(counts - n / shards).max() < 4 * np.sqrt(n / shards)
    assert (shard_of([7, 7, 2**62], 1) == 0).all()


def test_shards_hold_what_the_index_holds(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.standard_normal((500, 8)).astype(np.float32)
    index = kf.index_factory("IVF4,PQ4x4", 8, verbose=False).fit(x)
    ids = index.add(x, ids=rng.permutation(5000)[:500])
    gone = np.sort(ids)[-3:]
    index.remove(gone)
    before = index.arrays()
    divide(index, tmp_path / "three", 3)
    for name, array in index.arrays().items():
        np.testing.assert_array_equal(array, before[name])
    parts = [kf.load(file.path) for file in read_manifest(tmp_path / "three")]
    assert sum(map(len, parts)) == 497
    for number, part in enumerate(parts):
        assert (shard_of(part.ids, 3) == number).all()
        np.testing.assert_array_equal(part.reconstruct(part.ids), index.reconstruct(part.ids))
        part.merge(parts[(number + 1) % 3])  # trained alike
    # Ids are not given again.
    with kf.ShardedIndex.open(tmp_path / "three", workers="here") as shards:
        assert shards.add(x[:1]).tolist() == [gone[-1] + 1]


def test_a_shard_may_be_empty(tmp_path: Path) -> None:
    index = kf.index_factory("IVF2,SQ8,RFlat", 4, verbose=False).fit(np.eye(4))
    index.add(np.eye(4)[:2])
    divide(index, tmp_path / "many", 5)
    with kf.ShardedIndex.open(tmp_path / "many", workers="here") as shards:
        found = shards.search(np.eye(4), 3)
        assert found.ids.tolist() == index.search(np.eye(4), 3).ids.tolist()


def test_what_is_not_divided(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="an empty folder"):
        divide(kf.FlatIndex(2), tmp_path / "full", 2)
    with pytest.raises(ValueError, match="^n: expected"):
        divide(kf.FlatIndex(2), tmp_path / "new", 0)
    with pytest.raises(ValueError, match="^index: .*are not divided"):
        divide(kf.RegionalIndex(2), tmp_path / "new", 2)  # type: ignore[arg-type]
