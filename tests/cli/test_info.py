"""kinfold info."""

from __future__ import annotations

import json
import shutil

from .conftest import check_error


def test_gallery_and_file(kinfold, city) -> None:
    done = kinfold("info", city, "--verify", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (
        facts["photos"] == facts["indexed"] == 9
        and facts["verified"]
        and facts["settings"]["codewords"] == 8
    )
    told = kinfold("info", city, "--verify").stdout
    assert "photos: 9" in told and "shares: none" in told and "verified: yes" in told
    assert "None" not in told and "True" not in told
    part = next((city / "parts").glob("index-*"))
    assert "kind: index.Flat" in kinfold("info", part).stdout
    assert json.loads(kinfold("info", part, "--verify", "--json").stdout)["arrays"]["ids"][
        "shape"
    ] == [9]


def test_bad_input(kinfold, city, tmp_path) -> None:
    gallery = shutil.copytree(city, tmp_path / "g.kin")
    check_error(kinfold("info", tmp_path / "none"), "no such gallery")
    check_error(kinfold("info", tmp_path), "not a gallery")
    for file in sorted((gallery / "parts").iterdir()) + sorted((gallery / "segments").iterdir()):
        good = file.read_bytes()
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 16
        file.write_bytes(bytes(bad))
        check_error(kinfold("info", gallery, "--verify"), file.name)
        check_error(kinfold("info", file, "--verify"), file.name)
        file.write_bytes(good)
    (tmp_path / "x.kin").write_bytes(b"foreign")
    check_error(kinfold("info", tmp_path / "x.kin"), "x.kin")
