"""Groups are found in the background, as the library finds them; places are told."""

from __future__ import annotations

import json
import shutil
import time

from kinfold import Gallery
from kinfold.serve.grouped import near_sets
from kinfold.serve.shapes import Groups, Place

from ..conftest import QUICK


def waited(asker):
    due = time.monotonic() + 60
    while (told := asker.get("/api/groups").json)["state"] == "working" and time.monotonic() < due:
        time.sleep(0.1)
    return told


def test_groups_are_the_librarys(server, city) -> None:
    told = waited(server)
    Groups.model_validate(told)
    assert told["state"] == "ready" and told["done"] == 1.0
    with Gallery.open(city) as gallery:
        expected = gallery.groups(verbose=False)
    assert [group["photos"] for group in told["groups"]] == [
        [p.id for p in g.photos] for g in expected
    ]
    assert len(told["groups"]) == 3


def test_copies_are_told_apart_and_places_are_those_of_the_table(scenes, tmp_path, start) -> None:
    folder = shutil.copytree(scenes / "scene0", tmp_path / "photos")
    shutil.copy(folder / "view0.jpg", folder / "view0 copy.jpg")
    rows = [{"path": "view1.jpg", "latitude": 50.1, "longitude": 8.6}]
    (folder / "places.json").write_text(json.dumps(rows))
    with Gallery.create(tmp_path / "g.kin", **QUICK) as gallery:
        gallery.update(folder, verbose=False)
        ids = {photo.path: photo.id for photo in gallery}
    with start(tmp_path / "g.kin") as asker:
        [group] = waited(asker)["groups"]
        copies = sorted([ids["view0.jpg"], ids["view0 copy.jpg"]])
        assert any(set(copies) <= set(one) for one in group["duplicates"])
        places = asker.get("/api/places").json
        assert places == [{"id": ids["view1.jpg"], "lat": 50.1, "lon": 8.6}]
        Place.model_validate(places[0])
        assert asker.get("/api/info").json["has_places"]
        listed = asker.get("/api/photos").json["photos"]
        assert {photo["id"]: photo["place"] for photo in listed}[ids["view1.jpg"]] == [50.1, 8.6]


def test_sets_of_near_duplicates_are_joined_by_pairs() -> None:
    from types import SimpleNamespace as Made

    pairs = [(1, 2, True), (3, 4, True), (2, 3, True), (5, 6, False), (8, 7, True)]
    made = [Made(first=a, second=b, near_duplicate=near) for a, b, near in pairs]
    assert near_sets(made) == [[1, 2, 3, 4], [7, 8]]
