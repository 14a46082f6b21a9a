"""What the page on other tools says is run, section by section, where the section's packages are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .test_pages import ROOT, blocks, run_commands

PAGE = ROOT / "docs" / "integrations.md"


def run(package: str, names: dict[str, Any]) -> dict[str, Any]:
    """The one program of the page that uses a package."""
    [code] = [code for code in blocks(PAGE, "python") if package in code]
    exec(compile(code, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def x() -> Any:
    return pytest.importorskip("torch").from_numpy(
        np.random.default_rng(1).standard_normal((1000, 32)).astype(np.float32)
    )


def test_every_program_is_run() -> None:
    assert len(blocks(PAGE, "python")) == 4


def test_arrays_of_other_libraries(x: Any) -> None:
    names = run("import torch", {})
    assert np.mean(names["ids"][:, 0] == np.arange(5)) >= 0.8


def test_parquet(x: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    from kinfold.io.parquet import ParquetVectors, write_parquet

    monkeypatch.chdir(tmp_path)
    ids = np.arange(1000)[::-1] * 3
    write_parquet("vectors.parquet", [(x, ids)])
    np.save("vectors.npy", x.numpy())
    run_commands(PAGE, tmp_path)
    for name in ("all.parquet", "pinecone.parquet"):
        np.testing.assert_array_equal(ParquetVectors(name).read().ids, np.sort(ids))
    names = run("kinfold.io.parquet", {"x": x, "ids_of_x": ids})
    assert np.shares_memory(names["again"], x.numpy())
    np.testing.assert_array_equal(ParquetVectors("some.parquet").read().ids, ids)


def test_data_sets(x: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    names = run("from datasets", {"x": x})
    assert names["nearest"]["name"][0] == "photo 3" and Path("rows.kin").is_file()


def test_langchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_core")
    monkeypatch.chdir(tmp_path)
    names = run("langchain_core", {})
    assert len(names["found"]) == 2 and names["found"][0].page_content == "a bridge"
