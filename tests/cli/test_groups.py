"""kinfold groups."""

from __future__ import annotations

import json

from .conftest import check_error


def test_groups_are_printed_and_written(kinfold, city, tmp_path) -> None:
    page = tmp_path / "groups.html"
    done = kinfold("groups", city, "--html", page, "--json", tmp_path / "groups.json")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["representative", "photos", "pairs", "near-duplicates"]
    assert len(lines) == 5 and lines[-1] == f"page: {page}"
    groups = json.loads((tmp_path / "groups.json").read_text())["groups"]
    for group in groups:
        assert len({name[:6] for name in group["photos"]}) == 1 and len(group["photos"]) == 3
        assert group["representative"] == group["photos"][0] and len(group["links"]) == 2
    text = page.read_text()
    assert text.count('<section class="example ') == 3 and "http://" not in text.replace(
        "http://www.w3.org", ""
    )


def test_no_groups_and_bad_input(kinfold, city, photos, tmp_path) -> None:
    done = kinfold("groups", city, "--least-inliers", 99999, "--html", tmp_path / "none.html")
    assert done.returncode == 1 and "no two photos show the same thing" in done.stdout
    assert "No two photos show the same thing." in (tmp_path / "none.html").read_text()
    check_error(kinfold("groups", tmp_path / "none.kin"), "no such gallery")
    check_error(kinfold("groups", city, "--html", tmp_path / "no" / "f.html"), "does not exist")
