"""kinfold bench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinfold.io.npy import write_npy
from kinfold.io.vecs import write_vecs

from .conftest import check_error


def clustered(n: int, seed: int) -> np.ndarray:
    centres = np.random.default_rng(0).standard_normal((12, 8)) * 3
    random = np.random.default_rng(seed)
    return (centres[random.integers(12, size=n)] + random.standard_normal((n, 8))).astype("f4")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors in three formats, queries and truth. Not to be changed."""
    folder = tmp_path_factory.mktemp("bench")
    base, queries = clustered(1500, 1), clustered(40, 2)
    write_npy(folder / "base.npy", base)
    write_vecs(folder / "base.fvecs", base)
    write_vecs(folder / "base.bvecs", (base * 8 + 120).clip(0, 255).astype(np.uint8))
    write_vecs(folder / "queries.fvecs", queries)
    truth = ((queries[:, None] - base[None]) ** 2).sum(axis=2).argsort(axis=1)[:, :20]
    write_vecs(folder / "truth.ivecs", truth.astype(np.int32))
    return folder


SPECS = ("Flat", "IVF16,Flat", "IVF16,PQ2")


def test_table_page_picture_and_json(kinfold, files, tmp_path) -> None:
    page, picture, figures = (tmp_path / name for name in ("out.html", "out.png", "out.json"))
    done = kinfold(
        "bench", files / "base.npy", "--queries", files / "queries.fvecs", "--truth", files / "truth.ivecs",
        "--specs", *SPECS, "--recall", 0.95, "--html", page, "--json", figures, "--rounds", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for word in (*SPECS, "recall 10@10", "bytes/vector", "Take ", f"page: {page}"):
        assert word in done.stdout
    for spec in SPECS:
        assert f"trying {spec}" in done.stderr
    result = json.loads(figures.read_text())
    assert [part["spec"] for part in result["indexes"]] == list(SPECS)
    assert (result["n"], result["dim"], result["queries"]) == (1500, 8, 40)
    flat, lists, codes = result["indexes"]
    assert flat["recall"] == 1.0 and flat["options"] == {} and lists["recall"] >= 0.95
    assert not codes["reached"] and codes["bytes_per_vector"] < lists["bytes_per_vector"]
    assert result["recommended"] in ("Flat", "IVF16,Flat")
    text = page.read_text()
    for word in (*SPECS, "recall not reached", "recommended", "kf.index_factory(", "<svg"):
        assert word in text
    pytest.importorskip("matplotlib")
    done = kinfold(
        "bench", files / "base.fvecs", "--specs", "Flat", "--png", picture, "--quiet", "--json",
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert json.loads(done.stdout)["queries"] == 150


def test_defaults_hold_out_queries(kinfold, files) -> None:
    done = kinfold("bench", files / "base.bvecs", "-k", 3, "--measure", "1@k", "--rounds", 1)
    assert done.returncode == 0, done.stderr
    assert "computing the true neighbours of 150 queries among 1350 vectors" in done.stderr
    assert "recall 1@3" in done.stdout and ",SQ8" in done.stdout and ",PQ" in done.stdout


def test_memory_bounds_the_recommendation(kinfold, files) -> None:
    common = ("bench", files / "base.npy", "--specs", "Flat", "SQ8", "--recall", 0.5)
    done = kinfold(*common, "--memory", 30, "--json", "--quiet")
    assert done.returncode == 0 and json.loads(done.stdout)["recommended"] == "SQ8"
    done = kinfold(*common, "--memory", "1kb")
    assert done.returncode == 1
    assert "No index of these reaches recall 10@10 0.5 within the memory" in done.stdout
    assert "has it with" in done.stdout


def test_hdf5_brings_queries_truth_and_metric(kinfold, tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    base, queries = clustered(300, 1), clustered(20, 2)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, base)]
    truth = np.argsort(-(unit[0] @ unit[1].T), axis=1)[:, :15]
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file.attrs["distance"] = "angular"
        file["train"], file["test"], file["neighbors"] = base, queries, truth
        file["distances"] = np.zeros(truth.shape, np.float32)
    done = kinfold("bench", tmp_path / "set.hdf5", "--specs", "Flat", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["metric"] == "cosine" and result["indexes"][0]["recall"] > 0.99
    assert "computing" not in done.stderr
    # A truth that is too short, or of another metric, is computed.
    for extra in (("-k", 16), ("--metric", "l2")):
        done = kinfold("bench", tmp_path / "set.hdf5", "--specs", "Flat", *extra)
        assert "computing the true neighbours of 20 queries" in done.stderr


def test_a_spec_that_cannot_be_trained_is_skipped(kinfold, files) -> None:
    done = kinfold("bench", files / "base.npy", "--specs", "IVF4096,Flat", "Flat")
    assert done.returncode == 0
    assert "skipped IVF4096,Flat: x: expected at least k = 4096" in done.stderr
    done = kinfold("bench", files / "base.npy", "--specs", "IVF4096,Flat", "--quiet")
    check_error(done, "no index could be built; IVF4096,Flat: ")


def test_bad_input(kinfold, files, tmp_path) -> None:
    base, queries, truth = (files / n for n in ("base.npy", "queries.fvecs", "truth.ivecs"))
    write_npy(tmp_path / "wide.npy", np.zeros((5, 9)))
    write_npy(tmp_path / "nan.npy", np.full((5, 8), np.nan))
    write_npy(tmp_path / "one.npy", np.zeros((1, 8)))
    write_npy(tmp_path / "far.npy", np.full((40, 10), 1500))
    (tmp_path / "x.csv").write_text("1,2")
    for words, arguments in {
        "none.npy: there is no such file": (tmp_path / "none.npy",),
        "none.hdf5: no such file": (tmp_path / "none.hdf5",),
        "x.csv: expected a name ending in": (tmp_path / "x.csv",),
        "nan.npy: expected finite": (tmp_path / "nan.npy",),
        "expected at least two vectors": (tmp_path / "one.npy",),
        "expected vectors of dimension 8, got shape (5, 9)": (base, "--queries", tmp_path / "wide.npy"),
        "--truth: needs --queries": (base, "--truth", truth),
        "expected whole numbers (40, 30 or more)": (
            base, "--queries", queries, "--truth", truth, "-k", 30,
        ),
        "expected rows of the vectors, 0 to 1499": (
            base, "--queries", queries, "--truth", tmp_path / "far.npy",
        ),
        "--specs: IVFx: spec: expected a description": (base, "--specs", "Flat", "IVFx"),
        "-k: expected at most the 1350 vectors": (base, "-k", 2000),
        "expected a number above 0": (base, "--recall", 1.5),
        "expected 64 (bytes a vector)": (base, "--memory", "lots"),
        "does not exist": (base, "--html", tmp_path / "no" / "x.html"),
    }.items():  # fmt: skip
        check_error(kinfold("bench", *arguments), words)
