"""Ground truth: what is read, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold import FileFormatError
from kinfold.evaluate.ground_truth import GroundTruth


def classic(**changes: Any) -> dict[str, Any]:
    entry = {"ok": [1, 2], "junk": [3], "bbx": [0.0, 1.0, 20.0, 30.5]}
    entry.update(changes)
    return {"imlist": ["a", "b", "c", "d"], "qimlist": ["b"], "gnd": [entry]}


def test_reads_the_dictionary_of_the_revisited_pickles() -> None:
    entry = {
        "easy": np.array([2, 0]), "hard": np.array([1]), "junk": np.empty(0),
        "bbx": np.array([1.5, 2, 30, 40]),
    }  # fmt: skip
    data = {"imlist": np.array(["a", "b", "c"]), "qimlist": ["q"], "gnd": [entry]}
    truth = GroundTruth.from_dict(data)
    assert truth.imlist == ("a", "b", "c")
    assert truth.select(0, ["easy", "hard"]).tolist() == [0, 1, 2]
    assert truth.select(0, ["junk"]).tolist() == []
    assert truth.gnd[0]["bbx"] == (1.5, 2.0, 30.0, 40.0)
    assert truth.query_positions().tolist() == [-1]
    assert len(truth) == 1


def test_query_in_the_database() -> None:
    assert GroundTruth.from_dict(classic()).query_positions().tolist() == [1]


def test_round_trip_through_json(tmp_path: Path) -> None:
    truth = GroundTruth.from_dict(classic())
    (tmp_path / "gnd.json").write_text(truth.to_json())
    again = GroundTruth.from_json(tmp_path / "gnd.json")
    assert again.to_dict() == truth.to_dict() == classic()


def test_box_and_junk_may_be_absent() -> None:
    data = classic()
    del data["gnd"][0]["bbx"], data["gnd"][0]["junk"]
    truth = GroundTruth.from_dict(data)
    assert truth.gnd[0]["bbx"] is None
    assert truth.select(0, ["junk"]).size == 0


@pytest.mark.parametrize(
    ("name", "images", "queries", "positives"),
    [
        ("photos", 898, 82, None),
        ("oxford5k", 5063, 55, 2840),
        ("paris6k", 6392, 55, None),
        ("holidays", 1491, 500, 991),
    ],
)
def test_real_sets(
    shared: Path, name: str, images: int, queries: int, positives: int | None
) -> None:
    truth = GroundTruth.from_json(shared / "data" / name / "ground_truth.json")
    assert (len(truth.imlist), len(truth)) == (images, queries)
    total = sum(len(truth.select(i, ["ok"])) for i in range(queries))
    assert total == positives if positives is not None else total > queries
    inside = truth.query_positions() >= 0
    assert inside.all() if name != "photos" else not inside.any()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "expected a dictionary"),
        ({"imlist": [], "qimlist": []}, "expected the field 'gnd'"),
        ({**classic(), "gnd": []}, "gnd: expected 1 entries, one a query, got 0"),
        ({**classic(), "gnd": 3}, "gnd: expected 1 entries"),
        ({**classic(), "gnd": [3]}, r"gnd\[0\]: expected a dictionary"),
        ({**classic(), "imlist": "abcd"}, "imlist: expected a list of names"),
        ({**classic(), "imlist": ["a", 2, "c", "d"]}, "imlist: expected names, got 2"),
        ({**classic(), "imlist": ["a", "b", "a", "d"]}, "imlist: expected each name once, got 'a'"),
        (classic(ok=[1, 4]), r"gnd\[0\].ok: expected positions below 4, got 4"),
        (classic(ok=[-1]), r"gnd\[0\].ok: expected ids from 0"),
        (classic(ok=[1, 1]), "each position once"),
        (classic(ok=[3]), "expected 'ok' and 'junk' apart, got 3"),
        (classic(ok=[0.5]), "whole numbers"),
        (classic(bbx=[0, 0, 5]), "expected x0, y0, x1, y1"),
        (classic(bbx=[5, 0, 5, 9]), "x0 < x1"),
        (classic(bbx=[0, 0, float("nan"), 9]), "x0 < x1"),
        ({**classic(), "gnd": [{"easy": [1], "junk": []}]}, "expected the list 'ok', or 'easy'"),
        ({**classic(), "gnd": [{"easy": [1], "hard": [1]}]}, "'easy' and 'hard' apart, got 1"),
    ],
)  # fmt: skip
def test_refuses(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GroundTruth.from_dict(data)


def test_select_names_the_missing_list() -> None:
    with pytest.raises(ValueError, match="expected a list 'easy' for 'b', got ok, junk"):
        GroundTruth.from_dict(classic()).select(0, ["easy"])


@pytest.mark.parametrize("text", ["", "{", "[1]", json.dumps(classic(ok=[9])), "[" * 100_000])
def test_damaged_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "gnd.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"gnd\.json: "):
        GroundTruth.from_json(tmp_path / "gnd.json")


def test_undecodable_file(tmp_path: Path) -> None:
    (tmp_path / "gnd.json").write_bytes(b"\xff\xfe\x00{\x81")
    with pytest.raises(FileFormatError):
        GroundTruth.from_json(tmp_path / "gnd.json")
