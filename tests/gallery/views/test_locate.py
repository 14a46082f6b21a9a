"""Where photos of rendered scenes were taken, as their files or a table say; and when there is no answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.base.errors import FileFormatError
from kinfold.cli.run import run
from kinfold.gallery.store import MATCHES
from kinfold.landmarks.sphere import RADIUS

from ..conftest import SCENES, VIEWS, small_gallery, small_photos, texture, view, write_photo

image = pytest.importorskip("PIL.Image")

# Scenes a kilometre apart on the date line; each photo some metres off.
HOMES = [(-17.0 + 0.01 * scene, 180.0) for scene in range(SCENES)]


def place_of(scene: int, number: int) -> tuple[float, float]:
    """Ten metres of another direction for each photo, some on either side of the date line."""
    turn = 2 * np.pi * number / VIEWS
    latitude = HOMES[scene][0] + 1e-4 * np.cos(turn)
    longitude = 180 + 1e-4 * np.sin(turn)
    return latitude, longitude - 360 if longitude > 180 else longitude


def rows() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for scene in range(SCENES):
        for number in range(VIEWS):
            latitude, longitude = place_of(scene, number)
            found.append({
                "path": f"scene{scene}/view{number}.jpg", "latitude": latitude, "longitude": longitude,
                "tags": [f"Scene {scene}", "trip"], "user": f"user {number}", "title": f"{scene} {number}",
            })  # fmt: skip
    return found


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes a table of what is known, changed by row number."""

    def write(changes: dict[int, dict[str, object]] | None = None) -> Path:
        made = rows()
        for at, change in (changes or {}).items():
            made[at] = {**made[at], **change}
        path = tmp_path / "told.json"
        path.write_text(json.dumps(made))
        return path

    return write


@pytest.fixture
def query(tmp_path: Path) -> Path:
    """A view of scene 1 that is not in the gallery."""
    write_photo(tmp_path / "query.jpg", view(1, 9))
    return tmp_path / "query.jpg"


def test_a_new_photo_is_located(
    gallery_path: Path, query: Path, table: Callable[..., Path]
) -> None:
    with Gallery.open(gallery_path) as gallery:
        found = gallery.locate(query, places=table())
        assert found.location is not None and found.reason == ""
        assert found.location.latitude == pytest.approx(HOMES[1][0], abs=5e-5)
        assert abs(abs(found.location.longitude) - 180) < 5e-5
        assert [w.state for w in found.witnesses] == ["agrees"] * VIEWS
        assert {w.photo.path for w in found.witnesses} == {
            f"scene1/view{n}.jpg" for n in range(VIEWS)
        }
        assert [tag.text for tag in found.suggested] == ["Scene 1"]
        assert [(t.text, t.users) for t in found.frequent] == [("Scene 1", 4), ("trip", 4)]
        # The same whatever was looked at before.
        text = json.dumps(found.to_dict(gallery.root))
        gallery.groups(verbose=False)
        assert json.dumps(gallery.locate(query, places=table()).to_dict(gallery.root)) == text
        (gallery_path / MATCHES).unlink()
        assert json.dumps(gallery.locate(query, places=table()).to_dict(gallery.root)) == text


def test_a_wrong_position_is_told_and_does_not_count(
    gallery_path: Path, query: Path, table: Callable[..., Path]
) -> None:
    wrong = {4 + 2: {"latitude": -16.0, "longitude": 0.0, "tags": ["Nonsense"]}}
    without = {4 + 2: {"latitude": None, "longitude": None}}
    with Gallery.open(gallery_path) as gallery:
        found = gallery.locate(query, places=table(wrong))
        right = gallery.locate(query, places=table(without))
        states = {w.photo.path: w.state for w in found.witnesses}
        assert states.pop("scene1/view2.jpg") == "elsewhere" and set(states.values()) == {"agrees"}
        [away] = [w.distance for w in found.witnesses if w.state == "elsewhere"]
        # Over the pole: 180 - 16 - 16.99 degrees.
        assert away == pytest.approx(RADIUS * np.radians(147.01), abs=100)
        assert found.location is not None and right.location is not None
        assert found.location.latitude == right.location.latitude
        assert "Nonsense" not in [tag.text for tag in found.frequent]
        assert [w.state for w in right.witnesses].count("unavailable") == 1
        # A distance is only too far by what is asked.
        wide = gallery.locate(query, places=table(wrong), reach=2e7)
        assert wide.location is not None and len(wide.location.apart) == 0


def test_too_little_evidence_is_an_answer(
    gallery_path: Path, query: Path, table: Callable[..., Path], tmp_path: Path
) -> None:
    nowhere = {"latitude": None, "longitude": None}
    write_photo(tmp_path / "other.jpg", texture(99))
    write_photo(tmp_path / "grey.jpg", np.full((200, 200, 3), 128, np.uint8))
    apart = {4 + n: {"latitude": 10.0 * n, "longitude": 5.0} for n in range(4)}
    with Gallery.open(gallery_path) as gallery:
        shows = "4 photos show the same thing, and"
        for changes, photo, reason in [
            ({}, "other.jpg", "no photo of the gallery shows the same thing"),
            ({}, "grey.jpg", "no feature was found in the photo"),
            ({4 + n: nowhere for n in range(4)}, "query.jpg", f"{shows} none has a position"),
            ({4 + n: nowhere for n in range(3)}, "query.jpg", f"{shows} only one has a position"),
            (apart, "query.jpg", f"{shows} 4 have a position, but too few agree"),
        ]:  # fmt: skip
            found = gallery.locate(tmp_path / photo, places=table(changes))
            assert found.location is None and found.reason == reason
            value = found.to_dict(gallery.root)
            assert (
                value["located"] is False
                and value["latitude"] is None
                and value["reason"] == reason
            )
        assert {w.state for w in found.witnesses} == {"unsure"}
        # One user is no two.
        same = {4 + n: {"user": "ann"} for n in range(4)}
        assert gallery.locate(query, places=table(same)).location is None
        assert gallery.locate(query, places=table(same), least=1).location is not None
        # Without a table and without EXIF nobody knows anything.
        assert "none has a position" in gallery.locate(query).reason
        with pytest.raises(ValueError, match="^reach: expected"):
            gallery.locate(query, reach=-1)
        with pytest.raises(FileNotFoundError):
            gallery.locate(query, places=tmp_path / "none.csv")


def test_neither_itself_nor_copies_are_witnesses(
    photos: Path, tmp_path: Path, table: Callable[..., Path]
) -> None:
    for number in range(3):
        shutil.copy(photos / "scene1" / "view0.jpg", photos / f"copy{number}.jpg")
    for number in range(2, VIEWS):
        (photos / "scene1" / f"view{number}.jpg").unlink()
    more = json.loads(table().read_text())
    more += [{"path": f"copy{n}.jpg", "latitude": 1, "longitude": 1} for n in range(3)]
    path = tmp_path / "more.json"
    path.write_text(json.dumps(more))
    with Gallery.create(tmp_path / "g.kin", codewords=16) as gallery:
        gallery.update(photos, verbose=False)
        found = gallery.locate(photos / "scene1" / "view0.jpg", places=path)
        assert [w.photo.path for w in found.witnesses] == ["scene1/view1.jpg"]
        # Of copies the first counts, once, for others.
        found = gallery.locate(photos / "scene1" / "view1.jpg", places=path)
        assert len(found.witnesses) == 1 and found.location is None


def test_a_photo_behind_another_is_a_witness(
    gallery_path: Path, query: Path, table: Callable[..., Path]
) -> None:
    from kinfold.gallery.views import locate as views

    with Gallery.open(gallery_path) as gallery:
        whole = gallery.locate(query, places=table())
        graph = gallery.matches(verbose=False)
        ids = sorted((w.inliers, w.photo.id) for w in whole.witnesses)
        # Those that are left out of the first answer come back through the others.
        least = ids[-2][0] + 1
        found = gallery.locate(query, places=table(), least_inliers=least)
        direct = [w for w in found.witnesses if w.through is None]
        assert [w.photo.id for w in direct] == [ids[-1][1]]
        for one in found.witnesses:
            if one.through is not None:
                row = graph.rows_of([graph.places([one.photo.id, one.through])])[0]
                assert one.through == ids[-1][1]
                assert one.inliers == min(graph.inliers[row], ids[-1][0]) >= least
    reached = views._reached(
        {1: 50}, graph_of({(1, 2): 30, (2, 3): 90, (1, 4): 11}), pairs_of(), 12
    )
    assert reached == {1: (50, None), 2: (30, 1)}
    both = views._reached({1: 50, 3: 20}, graph_of({(1, 2): 30, (2, 3): 90}), pairs_of(), 12)
    assert both == {1: (50, None), 3: (20, None), 2: (30, 1)}
    # What was not asked for does not count.
    assert views._reached({1: 50}, graph_of({(1, 2): 30}), pairs_of()[1:], 12) == {1: (50, None)}


def pairs_of() -> np.ndarray:
    return np.array([[1, 2], [1, 4], [2, 3]])


def graph_of(inliers: dict[tuple[int, int], int]):
    from kinfold.local.match_graph import MatchGraph

    ids = [1, 2, 3, 4]
    tried = sorted((a - 1, b - 1) for a, b in inliers)
    counts = [inliers[a + 1, b + 1] for a, b in tried]
    starts = np.concatenate([[0], np.cumsum(counts)])
    return MatchGraph(
        ids,
        np.ones((4, 2)),
        tried=np.array(tried),
        starts=starts,
        points=np.zeros((sum(counts), 4)),
    )


def _exif(latitude: float, longitude: float) -> bytes:
    exif = image.Exif()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[3] = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    gps[2], gps[4] = ((abs(v), 0.0, 0.0) for v in (latitude, longitude))
    exif[0x013B] = "ann" if latitude > 48.00005 else "bob"
    return exif.tobytes()


def test_what_the_files_say_is_kept_with_the_photos(
    photos: Path, tmp_path: Path, query: Path
) -> None:
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>Old Bridge</rdf:li>'
        "</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    for number in range(VIEWS):
        path = photos / "scene1" / f"view{number}.jpg"
        with image.open(path) as file:
            file.load()
            file.save(path, quality=92, exif=_exif(48.0 + 4e-5 * number, -2.0), xmp=xmp.encode())
    with Gallery.create(tmp_path / "g.kin", codewords=16) as gallery:
        gallery.update(photos, verbose=False)
        assert gallery.info()["with_position"] == VIEWS
        (photos / "scene1").rename(tmp_path / "away")
        found = gallery.locate(query)
        assert found.location is not None
        assert (found.location.latitude, found.location.longitude) == pytest.approx(
            (48.00006, -2.0), abs=1e-4
        )
        assert found.location.witnesses == 2
        assert [(t.text, t.users) for t in found.suggested] == [("Old Bridge", 2)]
        # A table beside the photos is found and counted.
        (photos / "places.csv").write_text(
            "path,lat,lon\nscene0/view0.jpg,1,2\nscene1/view0.jpg,3,4\n"
        )
        assert gallery.info()["with_position"] == VIEWS + 1
        (photos / "places.csv").write_text("path,lat,lon\nscene0/view0.jpg,100,2\n")
        with pytest.raises(FileFormatError, match=r"places\.csv: line 2: latitude"):
            gallery.locate(query)
        # What is there is told all the same.
        facts = gallery.info()
        assert facts["with_position"] == VIEWS and "line 2: latitude" in facts["places"]


def test_a_collection_of_three(tmp_path: Path, query: Path) -> None:
    folder = tmp_path / "three"
    for number in range(3):
        write_photo(folder / f"{number}.jpg", view(1, number))
    (folder / "places.csv").write_text("path,lat,lon\n0.jpg,5,6\n1.jpg,5,6.0001\n2.jpg,-5,6\n")
    with Gallery.create(tmp_path / "g.kin", codewords=2, visual_words=16) as gallery:
        gallery.update(folder, verbose=False)
        found = gallery.locate(query)
        assert found.location is not None and sorted(w.state for w in found.witnesses) == [
            "agrees", "agrees", "elsewhere",
        ]  # fmt: skip


def test_a_gallery_without_positions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = small_photos(tmp_path / "photos", 6)
    path = small_gallery(tmp_path / "g.kin", folder)
    assert run(["locate", str(path), str(folder / "0.jpg")]) == 1
    assert capfd.readouterr()[0].startswith("not enough evidence: no photo of the gallery shows")
