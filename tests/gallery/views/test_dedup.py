"""Copies are found and told from other shots; what is to keep is never proposed; scripts move and delete nothing."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.base.errors import GalleryError
from kinfold.cli import main
from kinfold.gallery.verdict import Verdict
from kinfold.gallery.views.moves import moves, moves_script

from ..conftest import texture, view, write_photo

cv2 = pytest.importorskip("cv2")


def edited(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """One photo, edited in several ways."""
    side = len(pixels)
    page = np.full((side + 120, side + 60, 3), 240, np.uint8)
    page[60 : 60 + side, 30 : 30 + side] = pixels
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 10, 1)
    marked = pixels.copy()
    marked[-60:-20] = (200, 30, 30)
    return {
        "crop": pixels[20:220, 60:290],
        "small": cv2.resize(pixels, (180, 180), interpolation=cv2.INTER_AREA),
        "mirror": pixels[:, ::-1],
        "page": page,
        "turned": cv2.warpAffine(pixels, turn, (side, side)),
        "marked": marked,
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``photos`` with copies, other views of the same things, a folder ``old`` to keep; and its gallery."""
    place = tmp_path_factory.mktemp("dedup")
    photos = place / "photos"
    for scene in range(3):
        write_photo(photos / f"{scene}.jpg", texture(scene))
        write_photo(photos / f"{scene}-view.jpg", view(scene, 1))
    for name, pixels in edited(texture(0)).items():
        write_photo(photos / f"0-{name}.jpg", np.ascontiguousarray(pixels))
    (photos / "old").mkdir()
    shutil.copy(photos / "1.jpg", photos / "old" / "it's $(one).jpg")
    write_photo(
        photos / "old" / "small.jpg",
        cv2.resize(texture(2), (150, 150), interpolation=cv2.INTER_AREA),
    )
    with Gallery.create(place / "g.kin", visual_words=128, max_features=500) as gallery:
        gallery.update(photos, verbose=False)
    return place


def found_in(place: Path, **options: object):
    with Gallery.open(place / "g.kin") as gallery:
        return gallery.duplicates(verbose=False, **options)


def test_every_edit_is_found_and_no_other_view(made) -> None:
    found = found_in(made)
    sets = [{held.keep.path, *(copy.photo.path for copy in held.copies)} for held in found.sets]
    names = {f"0-{name}.jpg" for name in edited(texture(0))}
    assert {"0.jpg"} | names in sets
    assert {"1.jpg", "old/it's $(one).jpg"} in sets
    assert {"2.jpg", "old/small.jpg"} in sets and len(sets) == 3
    assert not found.unseen
    shots = {frozenset((a.path, b.path)) for a, b, _ in found.shots}
    assert frozenset(("0.jpg", "0-view.jpg")) in shots


def test_what_was_done_is_named_and_the_original_is_kept(made) -> None:
    [held] = [held for held in found_in(made).sets if held.keep.path.startswith("0")]
    assert held.keep.path == "0.jpg"
    edits = {copy.photo.path: copy.edits for copy in held.copies}
    assert {copy.verdict for copy in held.copies} == {Verdict.EDITED_COPY}
    assert edits["0-crop.jpg"] == ("crop",)
    assert edits["0-small.jpg"] == ("resize",)
    assert edits["0-mirror.jpg"] == ("mirror",)
    assert edits["0-page.jpg"] == ("screenshot",)
    assert edits["0-turned.jpg"][0] == "rotation"
    assert edits["0-marked.jpg"] == ("overlay",)


def test_a_folder_to_keep_is_never_proposed(made) -> None:
    found = found_in(made, keep=["old"])
    kept = {held.keep.path for held in found.sets}
    assert {"old/it's $(one).jpg", "old/small.jpg"} <= kept
    spare = {photo.path for photo in found.spare}
    assert {"1.jpg", "2.jpg"} <= spare and not any(path.startswith("old") for path in spare)
    for bad in ("nowhere", made, made / "photos"):
        with pytest.raises(GalleryError, match="^keep: "):
            found_in(made, keep=[bad])


def test_the_script_moves_and_deletes_nothing(made, tmp_path) -> None:
    place = Path(shutil.copytree(made, tmp_path / "place"))
    with Gallery.open(place / "g.kin", repair=True) as gallery:
        gallery.update(place / "photos", verbose=False)
    found = found_in(place, keep=["old"])
    before = {p.name: p.read_bytes() for p in (place / "photos").rglob("*.jpg")}
    target = tmp_path / "to here; touch x"
    # A copy whose original is gone, and one whose place is taken, stay.
    (place / "photos" / "old" / "small.jpg").rename(tmp_path / "small.jpg")
    taken = target / "0-crop.jpg"
    write_photo(taken, texture(7))
    held = taken.read_bytes()
    script = tmp_path / "moves.sh"
    script.write_text(moves_script(found, target))
    done = subprocess.run(["sh", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "what stays is gone" in done.stderr and "one of that name" in done.stderr
    assert taken.read_bytes() == held and not (tmp_path / "x").exists()
    for source, goal in moves(found, target):
        stayed = source.name in ("2.jpg", "0-crop.jpg")
        assert source.exists() == stayed
        if not stayed:
            assert goal.read_bytes() == before[source.name]
    # Once more changes nothing.
    again = subprocess.run(["sh", script], capture_output=True, text=True, cwd=tmp_path)
    assert again.returncode == 0 and "gone already" in again.stderr


def test_the_command(made, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {name: tmp_path / f"d.{name}" for name in ("json", "csv", "html", "script")}
    arguments = [f for name, path in files.items() for f in (f"--{name}", str(path))]
    assert main(["dedup", str(made / "g.kin"), "--keep", "old", "--quiet", *arguments]) == 0
    told = json.loads(files["json"].read_text())
    assert len(told["sets"]) == 3 and told["spare_bytes"] > 0
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert sum(row["what"] == "copy" for row in rows) == 8
    assert {row["verdict"] for row in rows if row["what"] == "copy"} == {"same file", "edited copy"}
    page = files["html"].read_text()
    assert (
        "screenshot" in page
        and "in a folder to keep" in page
        and "http" not in page.split("<body")[1][:200]
    )
    assert "same file" in capsys.readouterr().out


def test_a_missing_file_is_told(made, tmp_path) -> None:
    place = Path(shutil.copytree(made, tmp_path / "place"))
    with Gallery.open(place / "g.kin", repair=True) as gallery:
        gallery.update(place / "photos", verbose=False)
        (place / "photos" / "0.jpg").unlink()
        found = gallery.duplicates(verbose=False)
    assert found.unseen == ("0.jpg",)
    assert not any(held.keep.path == "0.jpg" for held in found.sets)
