"""kinfold eval."""

from __future__ import annotations

import json

import pytest

from .conftest import check_error


@pytest.fixture
def truth(tmp_path):
    names = [f"thing{t}_{v}" for t in range(3) for v in range(3)]
    gnd = [{"ok": [3 * t + 1, 3 * t + 2], "junk": [3 * t], "bbx": None} for t in range(3)]
    path = tmp_path / "gnd.json"
    path.write_text(
        json.dumps({"imlist": names, "qimlist": [f"thing{t}_0" for t in range(3)], "gnd": gnd})
    )
    return path


def test_table_and_json(kinfold, city, truth) -> None:
    done = kinfold("eval", city, "--ground-truth", truth)
    assert done.returncode == 0, done.stderr
    assert (
        "thing2_0" in done.stdout
        and "mAP 1.0000  (engine asmk+tembedding+colour, re-ranking spatial,diffusion, protocol oxford)"
        in done.stdout
    )
    done = kinfold(
        "eval",
        city,
        "--ground-truth",
        truth,
        "--protocol",
        "lecture",
        "--rerank",
        "spatial",
        "--json",
    )
    figures = json.loads(done.stdout)
    assert (
        figures["map"] == 1.0
        and figures["protocol"] == "lecture"
        and len(figures["per_query"]) == 3
    )


def test_bad_input(kinfold, city, truth, photos, tmp_path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    check_error(kinfold("eval", city, "--ground-truth", tmp_path / "none.json"), "none.json")
    check_error(
        kinfold("eval", city, "--ground-truth", tmp_path / "bad.json"), "bad.json", "imlist"
    )
    check_error(kinfold("eval", photos, "--ground-truth", truth), "not a gallery")
    check_error(
        kinfold("eval", city, "--ground-truth", truth, "--queries", tmp_path / "none"),
        "does not exist",
    )
    check_error(
        kinfold("eval", city, "--ground-truth", truth, "--queries", tmp_path),
        "no photo for the query",
    )
    check_error(
        kinfold("eval", city, "--ground-truth", truth, "--protocol", "revisited-hard"), "hard"
    )
