"""kinfold demo."""

from __future__ import annotations

import json

from .conftest import check_error


def test_small_demo(kinfold, tmp_path) -> None:
    out = tmp_path / "demo"
    done = kinfold("demo", "-o", out, "--small", "--json", tmp_path / "f.json")
    assert done.returncode == 0, done.stderr
    assert "+ spatial, diffusion" in done.stdout and str(out / "report.html") in done.stdout
    figures = json.loads((tmp_path / "f.json").read_text())
    assert set(figures["evaluations"]) == {
        "search",
        "+ spatial",
        "+ diffusion",
        "+ spatial, diffusion",
    }
    assert figures["evaluations"]["+ spatial"]["map"] > 0.4
    page = (out / "report.html").read_text()
    assert 'src="http' not in page and "url(http" not in page
    again = kinfold("demo", "-o", out, "--small", "--quiet")
    assert again.returncode == 0 and again.stderr == ""


def test_bad_input(kinfold, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.jpg").write_text("x")
    check_error(kinfold("demo", "-o", tmp_path / "file"), "is a file")
    check_error(kinfold("demo", "-o", tmp_path / "full"), "is not empty")
    check_error(
        kinfold("demo", "-o", tmp_path / "d", "--json", tmp_path / "no" / "x"), "does not exist"
    )
