"""kinfold locate."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import check_error, cv2, photo


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Things a kilometre apart, their photos ten metres; one position is wrong, one row is of no photo."""
    lines = ["path,lat,lon,tags,user"]
    for thing in range(3):
        for view in range(3):
            latitude = 51.5 + 0.01 * thing + 1e-4 * view
            lines.append(f"thing{thing}_{view}.png,{latitude},-0.12,Thing {thing};trip,user {view}")
    lines[6] = "thing1_2.png,48,2,Nonsense,user 2"
    lines.append("nobody.png,1,2,,")
    path = tmp_path / "places.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def query(tmp_path: Path) -> Path:
    """The second thing, turned as in no photo."""
    cv2.imwrite(str(tmp_path / "query.png"), photo(1, 40))
    return tmp_path / "query.png"


def test_a_place_and_tags_are_printed_and_written(kinfold, city, query, places, tmp_path) -> None:
    page, target = tmp_path / "page.html", tmp_path / "found.json"
    done = kinfold("locate", city, query, "--places", places, "--html", page, "--json", target)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"{places}: 1 row names no photo of the gallery\n"
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"51\.510\d+, -0\.1200\d+ within \d+ m: 2 photos agree", lines[0])
    assert lines[1:3] == ["suggested tags: Thing 1", "frequent tags: Thing 1, trip"]
    assert lines[3].split() == ["photo", "inliers", "position", "away", "file"]
    rows = {line.split()[0]: line.split()[2:4] for line in lines[4:7]}
    assert set(rows) == {"thing1_0.png", "thing1_1.png", "thing1_2.png"}
    assert rows["thing1_2.png"] == ["ELSEWHERE", "419"]
    assert lines[7] == f"page: {page}"
    value = json.loads(target.read_text())
    assert value["located"] and value["agreeing_users"] == 2 and value["rows_without_photo"] == 1
    assert value["latitude"] == pytest.approx(51.51005, abs=1e-4) and value["reason"] is None
    assert value["suggested_tags"][0]["tag"] == "Thing 1" and value["table"] == str(places)
    states = {row["path"]: row["state"] for row in value["photos"]}
    assert states == {
        "thing1_0.png": "agrees",
        "thing1_1.png": "agrees",
        "thing1_2.png": "elsewhere",
    }
    html = page.read_text()
    assert "estimated location" in html and "thing1_2.png" in html and "Thing 1" in html
    # Nothing but the photos themselves is asked for.
    asked = re.findall(r'(?:href|src)="([^"#]+)', html)
    assert asked and all(one.startswith("data:") for one in asked)


def test_too_little_evidence_is_told(kinfold, city, query, places, tmp_path) -> None:
    options = ["locate", city, query, "--places", places, "--least", 3, "--quiet"]
    done = kinfold(*options, "--html", tmp_path / "page.html")
    assert (done.returncode, done.stderr) == (1, "")
    reason = "3 photos show the same thing, and 3 have a position, but too few agree"
    assert done.stdout.startswith(f"not enough evidence: {reason}\n")
    assert "Not enough evidence: 3 photos" in (tmp_path / "page.html").read_text()
    done = kinfold(*options, "--json")
    value = json.loads(done.stdout)
    assert done.returncode == 1 and not value["located"] and value["reason"] == reason
    # Farther apart they agree after all.
    assert kinfold(*options, "--reach", 1e6).returncode == 0
    assert kinfold("locate", city, query).stdout.startswith("not enough evidence: 3 photos show")


def test_bad_input(kinfold, city, query, places, tmp_path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("path,lat,lon\na.png,95,0\n")
    check_error(
        kinfold("locate", city, query, "--places", bad), "bad.csv: line 2: latitude", "'95'"
    )
    check_error(kinfold("locate", city, query, "--places", tmp_path / "no.csv"), "no.csv")
    check_error(kinfold("locate", city, bad), "bad.csv")
    for option in (
        ["--reach", "0"],
        ["--reach", "far"],
        ["--least", "0"],
        ["--least-inliers", "-1"],
    ):
        done = kinfold("locate", city, query, *option)
        assert done.returncode == 2 and option[0] in done.stderr
