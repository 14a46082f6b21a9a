"""The commands and programs of the README and the guides do what the pages say, read from the pages themselves."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks of code in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def run_commands(page: Path, folder: Path) -> None:
    """Every `kinfold …` line of the page's shell blocks."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [line.split(" #")[0] for line in lines if line.startswith("kinfold ")]
    assert commands
    environment = {**os.environ, "COLUMNS": "100"}
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def run_programs(
    page: Path, names: dict[str, Any], smaller: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The page's Python blocks one after the other in one namespace, which is given back; with smaller sizes."""
    for code in blocks(page, "python"):
        for large, small in (smaller or {}).items():
            code = code.replace(large, small)
        exec(compile(code, str(page), "exec"), names)
    return names


@pytest.fixture
def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((20, 32)) * 3

    def draw(n: int) -> np.ndarray:
        x = centres[rng.integers(20, size=n)] + rng.standard_normal((n, 32))
        return x.astype(np.float32)

    return {"base": draw(3000), "queries": draw(40)}


@pytest.fixture
def streets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos/, a query, and its ground truth, as the pages take for granted."""
    pytest.importorskip("cv2")
    from kinfold.datasets.synthetic import render_collection

    monkeypatch.chdir(tmp_path)
    render_collection("drawn", scenes=2, distractors=2, views=4, size=(400, 300), verbose=False)
    (tmp_path / "photos").mkdir()
    for photo in sorted((tmp_path / "drawn" / "jpg").iterdir()):
        if not photo.name.startswith("query"):
            photo.rename(tmp_path / "photos" / photo.name)
    (tmp_path / "drawn" / "jpg" / "query000_00.jpg").rename(tmp_path / "query.jpg")
    return tmp_path


@pytest.mark.slow
def test_your_photos_in_five_minutes(streets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = GUIDES / "photos.md"
    run_commands(page, streets)
    for name in ("answer.html", "answer.json", "groups.html"):
        assert (streets / name).stat().st_size > 0
    run_programs(page, {})
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 5 and "place000" in shown[0]


@pytest.mark.slow
def test_from_faiss(arrays: dict[str, Any]) -> None:
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)  # beside other tests its threads would wait for one another
    names = run_programs(GUIDES / "from_faiss.md", arrays)
    theirs = names["theirs"].search(names["queries"], 1)[1]
    assert names["ids"].shape == (40, 10) and np.mean(names["ids"][:, :1] == theirs) > 0.5


def test_from_sklearn(arrays: dict[str, Any]) -> None:
    pytest.importorskip("sklearn")
    arrays["base"] = np.random.default_rng(1).standard_normal((400, 32)).astype(np.float32)
    arrays["y"] = (arrays["base"][:, 0] > 0).astype(int)
    names = run_programs(GUIDES / "from_sklearn.md", arrays)
    true = np.linalg.norm(names["queries"][:, None] - names["base"][None], axis=2)
    np.testing.assert_allclose(names["distances"], np.sort(true, axis=1)[:, :5], rtol=1e-5)
    assert names["flat"].shape == (400, 2)


def test_a_hundred_million_vectors(
    arrays: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("base.npy", arrays.pop("base"))
    page = GUIDES / "hundred_million.md"
    small = [
        code.replace("PIECE = 500_000", "PIECE = 700").replace("PQ16", "PQ8")
        for code in blocks(page, "python")
    ]
    names = {**arrays, "CELLS": 16}
    for code in small:
        exec(compile(code, str(page), "exec"), names)
    assert len(names["index"]) == 3000 == len(names["shards"])
    whole = names["index"].search(names["queries"], 10, nprobe=16)
    np.testing.assert_array_equal(whole.ids, names["found"].ids)
    np.testing.assert_array_equal(whole.distances, names["found"].distances)
    assert np.mean(names["ids"][:, 0] == names["truth"][:, 0]) > 0.8


def test_programs_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    base = rng.standard_normal((3000, 128)).astype(np.float32)
    queries = base[:20] + 0.1 * rng.standard_normal((20, 128)).astype(np.float32)
    names: dict[str, Any] = {
        "base": base, "queries": queries, "sample": base, "points": rng.random((50, 3)),
        "y": np.arange(3000) % 3, "descriptors": base,
        "features_of_one": base[:50], "features_of_another": base[40:90], "query_features": base[:30],
    }  # fmt: skip
    names["truth"] = np.argsort(((queries[:, None] - base[None]) ** 2).sum(axis=2), axis=1)[:, :10]
    page = ROOT / "README.md"
    for code in [code for code in blocks(page, "python") if "kf.Gallery" not in code]:
        for large, small in (
            ("IVF4096,PQ16", "IVF16,PQ16"),
            ("KMeans(1024)", "KMeans(16)"),
            ("65536, branch=256", "64, branch=8"),
        ):
            code = code.replace(large, small)
        code = code.replace('"IVF1024,SQ8", n_neighbors', '"IVF16,SQ8", n_neighbors').replace(
            "landmarks=1000", "landmarks=100"
        )
        exec(compile(code, str(page), "exec"), names)
    assert names["scores"].shape == (20, 100)


def test_a_gallery_in_the_readme(streets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [code] = [code for code in blocks(ROOT / "README.md", "python") if "kf.Gallery" in code]
    exec(compile(code.replace('"my.kin"', '"my.kin", visual_words=64'), "README.md", "exec"), {})
    first, *found = capsys.readouterr().out.splitlines()
    assert first == f"{len(found)} photos show the same thing." and found
    assert all("place000" in line and line.endswith("True") for line in found)
    assert (streets / "a.html").stat().st_size > 10_000


@pytest.mark.slow
def test_commands_of_the_readme(streets: Path) -> None:
    np.save("vectors.npy", np.random.default_rng(3).standard_normal((600, 128)).astype(np.float32))
    (streets / "drawn" / "ground_truth.json").rename(streets / "gnd.json")
    for query in (streets / "drawn" / "jpg").iterdir():
        query.rename(streets / "photos" / query.name)
    (streets / "photos" / "query000_00.jpg").write_bytes((streets / "query.jpg").read_bytes())
    run_commands(ROOT / "README.md", streets)


@pytest.mark.slow
def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    cells = json.loads((GUIDES / "start.ipynb").read_text())["cells"]
    programs = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] and cell["execution_count"] for cell in programs)
    names: dict[str, Any] = {}
    for cell in programs:
        exec(compile("".join(cell["source"]), "start.ipynb", "exec"), names)
    assert names["hits"][0].inliers >= 12 and names["recall"] > 0.95
    same = np.arange(600) % 2 == 0  # points of the moons take turns
    assert np.median(names["scores"][same]) > np.quantile(names["scores"][~same], 0.9)
    plt.close("all")
