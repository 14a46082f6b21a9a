"""A gallery follows its folder, whatever happens to either."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kinfold.base.errors import GalleryError

from ..conftest import SCENES, VIEWS, view, write_photo

from kinfold import Gallery  # isort: skip

N = SCENES * VIEWS


def counts(changes) -> tuple[int, ...]:
    return changes.added, changes.changed, changes.moved, changes.removed, changes.unchanged


def paths(gallery: Gallery) -> list[str]:
    return sorted(photo.path for photo in gallery._reader.table.described())


def check_whole(gallery: Gallery, folder: Path) -> None:
    """Each photo once in table, index and graph, and nothing else on disk."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.jpg"))
    assert paths(gallery) == files
    described = gallery._reader.table.described()
    assert sorted(gallery.parts.ids.tolist()) == [photo.id for photo in described]
    assert len(gallery.parts.graph) == len(files)
    manifest = gallery._reader.store.read()
    parts = {*manifest.parts.values(), *manifest.added}
    assert {f.name for f in (gallery.path / "parts").iterdir()} == parts
    assert {f.name for f in (gallery.path / "segments").iterdir()} == {p.segment for p in described}
    gallery.info(verify=True)


@pytest.fixture
def gallery(photos, tmp_path):
    with Gallery.create(tmp_path / "g.kin", codewords=8) as made:
        assert counts(made.update(photos, verbose=False)) == (N, 0, 0, 0, 0)
        yield made


def test_unchanged_runs_write_nothing(gallery, photos) -> None:
    before = {
        p: p.stat().st_mtime_ns for p in gallery.path.rglob("*") if p.is_file() and p.name != "LOCK"
    }
    changes = gallery.update(photos, verbose=False)
    assert counts(changes) == (0, 0, 0, 0, N) and not changes.relearnt
    assert before == {
        p: p.stat().st_mtime_ns for p in gallery.path.rglob("*") if p.is_file() and p.name != "LOCK"
    }


def test_added_changed_moved_and_removed(gallery, photos) -> None:
    ids = {photo.path: photo.id for photo in gallery._reader.table.described()}
    write_photo(photos / "new.jpg", view(7, 0))
    write_photo(photos / "scene0" / "view1.jpg", view(8, 0))
    (photos / "scene1" / "view0.jpg").rename(photos / "scene2" / "moved.jpg")
    (photos / "scene4" / "view3.jpg").unlink()
    changes = gallery.update(photos, verbose=False)
    assert counts(changes) == (1, 1, 1, 1, N - 3) and not changes.relearnt
    check_whole(gallery, photos)
    now = {photo.path: photo.id for photo in gallery._reader.table.described()}
    assert now["scene2/moved.jpg"] == ids["scene1/view0.jpg"]
    assert now["scene0/view1.jpg"] not in ids.values()
    assert all(now[path] == ids[path] for path in set(ids) & set(now) - {"scene0/view1.jpg"})
    assert gallery.search(view(8, 0), top=1)[0].path == "scene0/view1.jpg"
    assert gallery.search(view(7, 0), top=1)[0].path == "new.jpg"
    assert counts(gallery.update(photos, verbose=False)) == (0, 0, 0, 0, N)


def test_two_photos_change_places(gallery, photos) -> None:
    a, b, c = photos / "scene0" / "view0.jpg", photos / "scene1" / "view0.jpg", photos / "c"
    a.rename(c), b.rename(a), c.rename(b)
    gallery.update(photos, verbose=False)
    check_whole(gallery, photos)
    assert gallery.search(view(0, 0), top=1)[0].path == "scene1/view0.jpg"


def test_touched_and_duplicated_photos(gallery, photos) -> None:
    os.utime(photos / "scene0" / "view0.jpg", (1, 1))
    shutil.copy2(photos / "scene0" / "view1.jpg", photos / "copy.jpg")
    changes = gallery.update(photos, verbose=False)
    assert counts(changes) == (1, 0, 0, 0, N)
    check_whole(gallery, photos)


def test_a_renamed_folder_is_moved_not_read_again(gallery, photos) -> None:
    (photos / "scene3").rename(photos / "renamed")
    changes = gallery.update(photos, verbose=False)
    assert counts(changes) == (0, 0, VIEWS, 0, N - VIEWS)
    assert "local features" not in changes.seconds
    check_whole(gallery, photos)


def test_growth_learns_anew(gallery, photos) -> None:
    for number in range(N // 2 - 1):
        write_photo(photos / "more" / f"{number}.jpg", view(20 + number, 0))
    assert not gallery.update(photos, verbose=False).relearnt
    write_photo(photos / "more" / "last.jpg", view(60, 0))
    assert gallery.update(photos, verbose=False).relearnt
    check_whole(gallery, photos)


def test_unreadable_photos_are_listed_and_read_when_they_change(gallery, photos) -> None:
    good = (photos / "scene0" / "view0.jpg").read_bytes()
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "cut.jpg").write_bytes(good[: len(good) // 3])
    (photos / "text.png").write_text("no picture")
    (photos / "bomb.bmp").write_bytes(
        b"BM"
        + b"\0" * 16
        + (40).to_bytes(4, "little")
        + (60000).to_bytes(4, "little") * 2
        + b"\1\0\x18\0"
        + b"\0" * 24
    )
    (photos / "loop").symlink_to(photos)
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    (photos / "folder.jpg").mkdir()
    os.mkfifo(photos / "pipe.jpg")
    changes = gallery.update(photos, verbose=False)
    reasons = dict(changes.failed)
    assert set(reasons) >= {"empty.jpg", "cut.jpg", "text.png", "bomb.bmp"}
    assert all(reasons.values())
    assert changes.added == 0
    assert "decode" not in gallery.update(photos, verbose=False).seconds  # not tried again
    assert len(gallery) == N
    (photos / "empty.jpg").write_bytes(good)
    changes = gallery.update(photos, verbose=False)
    assert (
        changes.changed == 1 and "empty.jpg" not in dict(changes.failed) and len(gallery) == N + 1
    )
    (photos / "cut.jpg").unlink()
    assert "cut.jpg" not in dict(gallery.update(photos, verbose=False).failed)


def test_odd_names_and_pictures(gallery, photos) -> None:
    names = ['a b\'s "c".jpg', "ünï/日本.jpg", "-o.jpg", "<b>&amp;.jpg", "new\nline.jpg"]
    for place, name in enumerate(names):
        write_photo(photos / "x.jpg", view(30 + place, 0))
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / "x.jpg").rename(photos / name)
    write_photo(photos / "blank.jpg", np.full((50, 50, 3), 200, np.uint8))
    write_photo(photos / "dot.jpg", np.zeros((1, 1, 3), np.uint8))
    gallery.update(photos, verbose=False)
    check_whole(gallery, photos)
    for place, name in enumerate(names):
        assert gallery.search(view(30 + place, 0), top=1)[0].path == name


def test_only_listed_photos(photos, tmp_path) -> None:
    with Gallery.create(tmp_path / "g.kin", codewords=4) as gallery:
        changes = gallery.update(
            photos, files=["scene0/view0.jpg", "./scene1/view1.jpg", "none.jpg"], verbose=False
        )
        assert paths(gallery) == ["scene0/view0.jpg", "scene1/view1.jpg"]
        assert dict(changes.failed) == {"none.jpg": "is listed, but is no photo in the folder"}


def test_a_gallery_inside_its_folder_does_not_index_itself(photos) -> None:
    with Gallery.create(photos / "g.kin", codewords=4) as gallery:
        write_photo(photos / "g.kin" / "parts" / "x.jpg", view(0, 0))
        assert gallery.update(photos, verbose=False).added == N


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_tiny_collections(photos, tmp_path, kept) -> None:
    files = [f"scene{i}/view0.jpg" for i in range(kept)]
    with Gallery.create(tmp_path / "g.kin") as gallery:
        gallery.update(photos, files=files, verbose=False)
        hits = gallery.search(view(0, 0))
    assert len(hits) == kept and hits[0].path == "scene0/view0.jpg"


def test_wrong_folders(gallery, photos, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        gallery.update(tmp_path / "none")
    with pytest.raises(NotADirectoryError):
        gallery.update(photos / "scene0" / "view0.jpg")
    write_photo(tmp_path / "other" / "a.jpg", view(50, 0))
    with pytest.raises(GalleryError, match="has none of them"):
        gallery.update(tmp_path / "other", verbose=False)
    moved = tmp_path / "moved"
    photos.rename(moved)
    assert counts(gallery.update(moved, verbose=False)) == (0, 0, 0, 0, N)
    assert len(gallery) == N


def test_folders_without_photos(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with Gallery.create(tmp_path / "g.kin") as gallery:
        with pytest.raises(GalleryError, match="no photo that can be read"):
            gallery.update(tmp_path / "empty", verbose=False)
        (tmp_path / "empty" / "bad.jpg").write_bytes(b"x")
        with pytest.raises(GalleryError, match=r"bad\.jpg"):
            gallery.update(tmp_path / "empty", verbose=False)
        write_photo(tmp_path / "empty" / "blank.jpg", np.zeros((40, 40, 3), np.uint8))
        with pytest.raises(GalleryError, match="local feature"):
            gallery.update(tmp_path / "empty", verbose=False)
        write_photo(tmp_path / "empty" / "good.jpg", view(0, 0))
        gallery.update(tmp_path / "empty", verbose=False)
        assert len(gallery) == 2


def test_a_second_writer_is_refused(gallery, photos) -> None:
    code = (
        "import sys, time; from pathlib import Path; from kinfold.gallery.lock import writer_lock\n"
        "with writer_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(gallery.path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(GalleryError, match=f"process {child.pid} on "):
            gallery.update(photos, verbose=False)
        assert gallery.search(view(0, 0), top=1)  # readers take no lock
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    gallery.update(photos, verbose=False)  # the lock died with its holder


def test_a_reader_beside_a_writer(gallery, photos) -> None:
    with Gallery.open(gallery.path) as reader:
        assert len(reader.search(view(1, 0), top=50)) == N
        (photos / "scene1" / "view0.jpg").unlink()
        write_photo(photos / "new.jpg", view(9, 0))
        gallery.update(photos, verbose=False)
        # The reader knows its old state, less what is gone.
        hits = reader.search(view(1, 0), top=50)
        assert len(hits) == N - 1 and all(hit.path != "scene1/view0.jpg" for hit in hits)


# --- kill -9 ---------------------------------------------------------------------------------------

KILL = """
import os, sys
import kinfold.gallery.write.keep, kinfold.gallery.store, kinfold.io.atomic
from kinfold import Gallery
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.store import Store
kinfold.gallery.write.keep.SEGMENT = 6
path, photos, point, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
seen = 0
def hit():
    global seen
    seen += 1
    if seen == count:
        os.kill(os.getpid(), 9)
def before(owner, name):
    old = getattr(owner, name)
    setattr(owner, name, lambda *a, **k: (hit(), old(*a, **k))[1])
before(*{"segment": (Store, "add"), "insert": (PhotoTable, "insert"), "manifest": (Store, "write"),
         "sweep": (Store, "sweep"), "rename": (os, "replace"), "delete": (PhotoTable, "delete")}[point])
with (Gallery.open(path) if os.path.exists(path + "/MANIFEST.json") else Gallery.create(path, codewords=8)) as gallery:
    gallery.update(photos, verbose=False)
print("done")
"""


@pytest.mark.parametrize(
    ("point", "count"),
    [("segment", 3), ("insert", 2), ("manifest", 2), ("sweep", 1), ("rename", 4), *(
        pytest.param(point, count, marks=pytest.mark.slow) for point, count in [
            ("segment", 1), ("insert", 13), ("manifest", 1), ("manifest", 3), ("rename", 1), ("rename", 8),
        ]
    )],
)  # fmt: skip
def test_killed_runs_are_resumed(photos, tmp_path, point, count) -> None:
    path = tmp_path / "g.kin"
    killed = subprocess.run(
        [sys.executable, "-c", KILL, path, photos, point, str(count)],
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    with (
        Gallery.open(path)
        if (path / "MANIFEST.json").exists()
        else Gallery.create(path, codewords=8)
    ) as gallery:
        had = len(gallery)
        changes = gallery.update(photos, verbose=False)
        assert had + changes.added == N
        check_whole(gallery, photos)
        assert not list(gallery.path.rglob("*.tmp")) and not list(gallery.path.rglob("new-*"))


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("delete", 1),
        ("manifest", 1),
        *(
            pytest.param(*at, marks=pytest.mark.slow)
            for at in [("segment", 2), ("insert", 1), ("sweep", 1)]
        ),
    ],
)
def test_a_killed_update_leaves_a_gallery_that_answers(gallery, photos, point, count) -> None:
    write_photo(photos / "new.jpg", view(9, 0))
    (photos / "scene4" / "view3.jpg").unlink()
    killed = subprocess.run(
        [sys.executable, "-c", KILL, gallery.path, photos, point, str(count)],
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    with Gallery.open(gallery.path) as reader:
        assert reader.search(view(0, 0), top=1)[0].path == "scene0/view0.jpg"
        assert len(reader.search(view(0, 0), top=50)) >= N - 1
    gallery.update(photos, verbose=False)
    check_whole(gallery, photos)


def test_kills_at_any_moment(photos, tmp_path) -> None:
    path = tmp_path / "g.kin"
    finished = False
    for attempt in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", KILL, path, photos, "sweep", "99"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.3 + 0.15 * attempt)
        child.kill()
        out, _ = child.communicate()
        finished = finished or "done" in out
    with (
        Gallery.open(path)
        if (path / "MANIFEST.json").exists()
        else Gallery.create(path, codewords=8)
    ) as gallery:
        gallery.update(photos, verbose=False)
        check_whole(gallery, photos)


def test_a_photo_that_lacks_its_end_is_taken_and_noted(photos, tmp_path) -> None:
    cut, ruined = photos / "scene0" / "view1.jpg", photos / "scene1" / "view1.jpg"
    cut.write_bytes(cut.read_bytes()[: -cut.stat().st_size // 10])
    ruined.write_bytes(ruined.read_bytes()[: ruined.stat().st_size // 4])
    with Gallery.create(tmp_path / "g.kin", codewords=8) as made:
        changes = made.update(photos, verbose=False)
        assert counts(changes)[0] == N - 1
        assert [path for path, _ in changes.failed] == ["scene1/view1.jpg"]
        (note,) = changes.notes
        assert note.startswith("scene0/view1.jpg: truncated: the lower ") and note.endswith(
            "missing"
        )
        assert made.update(photos, verbose=False).notes == []


def test_many_photos_tell_what_they_will_cost(photos, tmp_path, monkeypatch, capsys) -> None:
    """By what the first took, once, and where somebody listens; few photos have a bar alone."""
    from kinfold.gallery.write import keep

    monkeypatch.setattr(keep, "SEGMENT", 3)
    for many, verbose, lines in ((N + 1, True, 0), (N, False, 0), (N, True, 1)):
        monkeypatch.setattr(keep, "_MANY", many)
        folder = tmp_path / f"{many}{verbose}.kin"
        with Gallery.create(folder, codewords=8) as made:
            made.update(photos, verbose=verbose)
        told = [line for line in capsys.readouterr().err.splitlines() if "to describe" in line]
        assert len(told) == lines
    assert told[0].startswith(f"{N} photos at ") and "MB of features" in told[0]
