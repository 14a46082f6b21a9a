"""Vectors come from files into an index and go back into files, with their ids where the format has ids."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.cli import main
from kinfold.io.vecs import read_vecs, write_vecs

pytest.importorskip("pyarrow")

from kinfold.io.parquet import LAYOUTS, ParquetVectors, write_parquet


@pytest.fixture
def folder(tmp_path: Path, rng, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    x = rng.standard_normal((300, 16)).astype(np.float32)
    np.save("x.npy", x)
    write_vecs("x.fvecs", x)
    ids = np.arange(300)[::-1] * 7
    write_parquet("x.parquet", [(x[:200], ids[:200]), (x[200:], ids[200:])])
    return tmp_path


def x_and_ids() -> tuple[np.ndarray, np.ndarray]:
    return np.load("x.npy"), np.arange(300)[::-1] * 7


@pytest.mark.parametrize("spec", ["Flat", "IVF4,Flat", "PQ4"])
def test_an_index_of_a_parquet_file_is_that_of_its_arrays(spec: str, folder: Path) -> None:
    x, ids = x_and_ids()
    assert main(["import", "x.parquet", "-o", "i.kin", "--index", spec, "--quiet"]) == 0
    made = kf.index_factory(spec, 16, verbose=False).fit(x)
    made.add(x, ids)
    true, found = made.search(x[:9], 5), kf.load("i.kin").search(x[:9], 5)
    np.testing.assert_array_equal(found.ids, true.ids)
    np.testing.assert_array_equal(found.distances, true.distances)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back(layout: str, folder: Path) -> None:
    x, ids = x_and_ids()
    assert main(["import", "x.parquet", "-o", "i.kin", "--quiet"]) == 0
    assert main(["export", "i.kin", "-o", "y.parquet", "--layout", layout]) == 0
    rows = ParquetVectors("y.parquet").read()
    np.testing.assert_array_equal(rows.ids, np.sort(ids))
    np.testing.assert_array_equal(rows.vectors, x[::-1])


@pytest.mark.parametrize("name", ["x.npy", "x.fvecs"])
def test_files_without_ids(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, _ = x_and_ids()
    assert main(["import", name, "-o", "i.kin", "--metric", "ip", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"index": "i.kin", "vectors": 300, "dim": 16, "kind": "Flat"}
    index = kf.load("i.kin")
    assert index.metric == "ip" and index.ids.tolist() == list(range(300))
    assert (
        main(["export", "i.kin", "-o", "y.npy"]) == main(["export", "i.kin", "-o", "y.fvecs"]) == 0
    )
    np.testing.assert_array_equal(np.load("y.npy"), x)
    np.testing.assert_array_equal(read_vecs("y.fvecs"), x)
    assert capsys.readouterr().err == ""


def test_what_is_lost_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["import", "x.parquet", "-o", "i.kin", "--index", "PQ4", "--sample", "280", "--quiet"])
        == 0
    )
    capsys.readouterr()
    assert main(["export", "i.kin", "-o", "y.npy"]) == 0
    told = capsys.readouterr().err
    assert "the vectors that they stand for" in told and ".npy has no ids" in told
    np.testing.assert_array_equal(
        np.load("y.npy"), kf.load("i.kin").reconstruct(np.arange(300) * 7)
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "x.npy", "-o", "i.kin", "--column", "v"], "--column: expected a .parquet file"),
        (["import", "x.parquet", "-o", "i.kin", "--column", "v"], "has no column v"),
        (["import", "none.parquet", "-o", "i.kin"], "there is no such file"),
        (["import", "x.npy", "-o", "i.kin", "--index", "nonsense"], "spec: expected a description"),
        (["export", "none.kin", "-o", "y.npy"], "none.kin"),
        (["export", "x.npy", "-o", "y.csv"], "--out: expected a name ending in"),
    ],
)  # fmt: skip
def test_errors_are_one_line(arguments, words, folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert words in line


def test_an_empty_index_and_another_kind_are_refused(folder, capsys) -> None:
    kf.FlatIndex(4).save("e.kin")
    kf.save(kf.PCA(2).fit(np.load("x.npy")), "p.kin")
    for name, words in (
        ("e.kin", "an empty index"),
        ("p.kin", "expected an index of vectors, got PCA"),
    ):
        assert main(["export", name, "-o", "y.npy"]) == 2
        assert words in capsys.readouterr().err
