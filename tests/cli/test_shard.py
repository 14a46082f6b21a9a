"""``kinfold shard``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.cli import main


def test_shards_of_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    index = kf.index_factory("IVF4,SQ8", 8, verbose=False).fit(x)
    index.add(x)
    index.save(tmp_path / "city.kin")
    command = ["shard", str(tmp_path / "city.kin"), "--output", str(tmp_path / "city")]
    assert main([*command, "--shards", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(file["file"]).stat().st_size for file in told["files"]] == [
        file["bytes"] for file in told["files"]
    ]
    with kf.ShardedIndex.open(told["folder"], workers="here") as shards:
        assert shards.stats()["shards"] == 3
        np.testing.assert_array_equal(shards.search(x[:9], 5).ids, index.search(x[:9], 5).ids)
    assert main(command) == 2
    assert "expected an empty folder" in capsys.readouterr().err
    command[-1] = str(tmp_path / "two")
    assert main(command) == 0
    assert capsys.readouterr().out.count(".kin: ") == 2


def test_what_cannot_be_divided_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kf.KDTree(np.zeros((3, 2))).save(tmp_path / "tree.kin")
    for name, words in (("tree.kin", "are not divided"), ("none.kin", "no such file")):
        command = ["shard", str(tmp_path / name), "--output", str(tmp_path / "city")]
        assert main(command) == 2
        assert words in capsys.readouterr().err
