"""What is kept has a bound; pictures of files that are gone or others are refused."""

from __future__ import annotations

import shutil

from kinfold import Gallery
from kinfold.serve.pictures import Kept

from ..gallery.conftest import view, write_photo
from .conftest import QUICK


def test_what_was_used_last_stays_within_the_bound() -> None:
    kept = Kept[str, int](10)
    for number, name in enumerate("abc"):
        kept.put(name, number, 4)
    assert kept.get("a") is None and kept.get("b") == 1 and kept.size == 8
    kept.put("d", 3, 4)
    assert kept.get("c") is None and kept.get("b") == 1
    kept.put("huge", 9, 11)
    assert kept.get("huge") is None and len(kept) == 2
    kept.put("b", 5, 2)
    assert kept.get("b") == 5 and kept.size == 6
    kept.clear()
    assert len(kept) == kept.size == 0


def test_a_file_that_is_gone_or_another_is_not_shown(scenes, tmp_path, start) -> None:
    folder = shutil.copytree(scenes / "scene0", tmp_path / "photos")
    with Gallery.create(tmp_path / "g.kin", **QUICK) as gallery:
        gallery.update(folder, verbose=False)
    (folder / "view0.jpg").unlink()
    (folder / "view1.jpg").unlink()
    (folder / "view1.jpg").symlink_to("/etc/hostname")
    write_photo(folder / "view2.jpg", view(2, 2))
    with start(tmp_path / "g.kin") as asker:
        for id in (1, 2, 3):
            answer = asker.get(f"/api/photos/{id}/thumbnail")
            assert answer.status == 404 and answer.error["code"] == "missing"
            assert asker.post("/api/search", {"id": id}).error["code"] == "missing"
        assert asker.get("/api/photos/4/thumbnail").status == 200
        assert asker.get("/api/photos").json["photos"][0]["missing"]


def test_names_are_sent_so_that_nothing_in_them_is_markup(scenes, tmp_path, start) -> None:
    folder = tmp_path / "photos"
    names = ["<img src=x onerror=alert(1)>.jpg", 'a"b\\c.jpg', "=cmd.jpg", "back\u202egpj.exe.jpg"]
    for number, name in enumerate(names):
        write_photo(folder / f"{number}.jpg", view(number, 0))
        (folder / f"{number}.jpg").rename(folder / name)
    with Gallery.create(tmp_path / "g.kin", **QUICK) as gallery:
        gallery.update(folder, verbose=False)
    with start(tmp_path / "g.kin") as asker:
        answer = asker.get("/api/photos")
        assert answer.body.isascii() and answer.headers["content-type"] == "application/json"
        told = {photo["name"]: photo["id"] for photo in answer.json["photos"]}
        assert told.keys() == set(names)
        ids = list(told.values())
        page = asker.post("/api/export", {"ids": ids, "as": "zip"}).body
        assert b"<img src=x" not in page and b"&lt;img src=x" in page
