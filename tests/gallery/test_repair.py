"""There is a way back: from damage, from an interruption, from an old version; and a way to read without writing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kinfold import Gallery
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery import parts, segments
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.store import Store

from .conftest import SMALL, noise, small_gallery, small_photos, write_photo


def sound(gallery: Gallery, photos: Path) -> None:
    """Every photo of the folder is there once, and found."""
    gallery.info(verify=True)
    files = sorted(path.name for path in photos.glob("*.jpg"))
    described = gallery._reader.table.described()
    assert sorted(photo.path for photo in described) == files
    assert sorted(gallery.parts.ids.tolist()) == [photo.id for photo in described]
    for name in files:
        assert gallery.search(noise(int(Path(name).stem)), top=1)[0].path == name


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def garbage(file: Path) -> None:
    file.write_bytes(b"\x17" * 5000)


@pytest.mark.parametrize("damage", [cut, flip, empty, garbage, Path.unlink])
@pytest.mark.parametrize(
    "part", ["segment", "model", "index", "graph", "table", "segments", "parts"]
)
def test_indexing_mends_what_can_be_made_again(small, part, damage) -> None:
    gallery, photos = small / "g.kin", small / "photos"
    named = json.loads((gallery / "MANIFEST.json").read_text())["parts"]
    if part in ("segments", "parts"):
        shutil.rmtree(gallery / part)
    else:
        segment = next((gallery / "segments").iterdir())
        files = {"segment": segment, "table": gallery / "photos.sqlite"}
        damage(files.get(part) or gallery / "parts" / named[part])
    with Gallery.open(gallery, repair=True) as opened:
        changes = opened.update(photos, verbose=False)
        if not (part == "table" and damage is flip):  # which may have hit what nobody reads
            assert changes.notes, "it was not said"
        sound(opened, photos)
        # All is told once.
        changes = opened.update(photos, verbose=False)
        assert changes.notes == [] and changes.unchanged == 6
    with Gallery.open(gallery) as opened:
        sound(opened, photos)


@pytest.mark.parametrize("damage", [cut, empty, garbage, Path.unlink])
def test_of_many_segments_the_headers_are_looked_at(small, monkeypatch, damage) -> None:
    monkeypatch.setattr(segments, "_READ_WHOLE", 0)
    damage(next((small / "g.kin" / "segments").iterdir()))
    with Gallery.open(small / "g.kin") as gallery:
        assert any("damaged" in n for n in gallery.update(small / "photos", verbose=False).notes)
        sound(gallery, small / "photos")


def test_large_inverted_files_are_mapped_and_verified_when_asked(tmp_path, monkeypatch) -> None:
    photos = small_photos(tmp_path / "photos", 4)
    path = small_gallery(tmp_path / "g.kin", photos, engine="asmk")
    with Gallery.open(path) as gallery:
        before = [hit.to_dict() for hit in gallery.search(noise(2))]
    monkeypatch.setattr(parts, "MAPPED_LEAST", 0)
    with Gallery.open(path) as gallery:
        lists = gallery.parts.fused.lists["asmk"]._held.parts[0].lists
        assert not lists.parts.flags.writeable and not lists.parts.flags.owndata
        assert [hit.to_dict() for hit in gallery.search(noise(2))] == before
        write_photo(photos / "7.jpg", noise(7))
        assert gallery.update(photos, verbose=False).added == 1
        sound(gallery, photos)
    file = json.loads((path / "MANIFEST.json").read_text())["parts"]["asmk"]
    data = bytearray((path / "parts" / file).read_bytes())
    data[-1] ^= 1
    (path / "parts" / file).write_bytes(bytes(data))
    with Gallery.open(path) as gallery:
        with pytest.raises(FileFormatError):
            gallery.info(verify=True)
        assert gallery.update(photos, verify=True, verbose=False).notes
        sound(gallery, photos)


@pytest.mark.parametrize("engine", ["asmk", "bow+colour"])
def test_inverted_files_are_mended_too(tmp_path, engine) -> None:
    photos = small_photos(tmp_path / "photos", 4)
    path = small_gallery(tmp_path / "g.kin", photos, engine=engine)
    for name, file in json.loads((path / "MANIFEST.json").read_text())["parts"].items():
        for damage in (cut, Path.unlink):
            damage(path / "parts" / file)
            with Gallery.open(path) as gallery:
                changes = gallery.update(photos, verbose=False)
                assert any("anew" in note for note in changes.notes), name
                sound(gallery, photos)


def test_a_damaged_segment_of_photos_that_are_not_there(small) -> None:
    """What cannot be described anew leaves; the rest is mended."""
    photos = small / "photos"
    cut(next((small / "g.kin" / "segments").iterdir()))
    (photos / "2.jpg").unlink()
    with Gallery.open(small / "g.kin") as gallery:
        changes = gallery.update(photos, verbose=False)
        assert any("features of 1 photo were damaged" in note for note in changes.notes)
        sound(gallery, photos)


def test_a_damaged_model_from_another_gallery(small, tmp_path) -> None:
    photos = small / "photos"
    with Gallery.create(tmp_path / "own.kin", model=small / "g.kin", **SMALL) as gallery:
        gallery.update(photos, verbose=False)
        assert not gallery.info()["own_model"]
        name = json.loads((tmp_path / "own.kin" / "MANIFEST.json").read_text())["parts"]["model"]
        cut(tmp_path / "own.kin" / "parts" / name)
        changes = gallery.update(photos, verbose=False)
        assert any("came from another gallery" in note for note in changes.notes)
        sound(gallery, photos)


@pytest.mark.parametrize("damage", [cut, garbage, Path.unlink])
def test_weights_are_put_back(tmp_path, damage) -> None:
    """They cannot be made again, but be given again."""
    pytest.importorskip("torch")
    from safetensors.torch import save_file

    from kinfold.features.weights import random_network

    weights, other = tmp_path / "net.safetensors", tmp_path / "other.safetensors"
    for seed, file in enumerate((weights, other)):
        save_file(random_network("squeezenet1_1", seed).state_dict(), file)
    photos = small_photos(tmp_path / "photos", 2)
    path = small_gallery(tmp_path / "g.kin", photos, engine="cnn", weights=weights, network_side=64)
    damage(next((path / "parts").glob("weights-*")))
    write_photo(photos / "2.jpg", noise(2))
    with Gallery.open(path) as gallery:
        for act in (
            lambda: gallery.search(noise(1)),
            lambda: gallery.update(photos, verbose=False),
        ):
            with pytest.raises(FileFormatError, match="--weights FILE.* puts the weights back"):
                act()
        with pytest.raises(ValueError, match="was made with others"):
            gallery.restore_weights([other])
        gallery.restore_weights([weights])
        gallery.update(photos, verbose=False)
        assert gallery.search(noise(2), top=1, rerank=())[0].path == "2.jpg"


def test_ids_of_a_mended_table_are_not_taken_for_others(small) -> None:
    """The ids of lost rows are given again: nothing that knew the old ones may answer for them."""
    with Gallery.open(small / "g.kin") as gallery:
        gallery.update(small / "photos", verbose=False)
    with closing(sqlite3.connect(small / "g.kin" / "photos.sqlite")) as db:
        db.execute("UPDATE photos SET row = 'x' WHERE id > 3")
        db.execute("DELETE FROM sqlite_sequence")
        db.commit()
    shutil.rmtree(small / "photos")
    photos = small_photos(small / "photos", 6, first=10)
    with Gallery.open(small / "g.kin", repair=True) as gallery:
        gallery.update(photos, prune=True, verbose=False)
        sound(gallery, photos)


@pytest.mark.parametrize(
    "damage", ["old format", "other settings", "cut", "nothing", "gone table", "link"]
)
def test_remaking_is_a_way_back_from_everything(small, tmp_path, damage) -> None:
    gallery, photos, manifest = small / "g.kin", small / "photos", small / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    (gallery / "notes.txt").write_text("the owner's")
    if damage == "old format":
        manifest.write_text(json.dumps({**data, "format": 2}))
    elif damage == "other settings":
        manifest.write_text(json.dumps({**data, "settings": {"engine": "vlad"}}))
    elif damage == "cut":
        cut(manifest)
    elif damage == "gone table":
        (gallery / "photos.sqlite").unlink()
    elif damage == "link":
        manifest.rename(tmp_path / "M")
        manifest.symlink_to(tmp_path / "M")
    if damage in ("old format", "other settings"):
        with pytest.raises(FileFormatError, match="--remake"):
            Gallery.open(gallery)
    with Gallery.create(gallery, remake=True, **SMALL) as made:
        assert len(made) == 0
        made.update(photos, verbose=False)
        sound(made, photos)
    assert (gallery / "notes.txt").read_text() == "the owner's"
    if damage == "link":
        assert json.loads((tmp_path / "M").read_text()) == data
    made_of = gallery / "parts" / next(iter(data["parts"].values()))
    with pytest.raises(ValueError, match="lies in the gallery"):
        Gallery.create(gallery, remake=True, model=gallery, **SMALL)
    assert made_of.exists() or damage != "nothing"


def test_remaking_takes_no_folder_that_is_no_gallery(tmp_path) -> None:
    photos = small_photos(tmp_path / "photos", 2)
    with pytest.raises(GalleryError, match="not empty and not a gallery"):
        Gallery.create(photos, remake=True)
    (photos / "MANIFEST.json").write_text("of a web site")
    with pytest.raises(GalleryError, match="is not a gallery"):
        Gallery.create(photos, remake=True)
    assert len(list(photos.glob("*.jp*"))) == 2 and (photos / "MANIFEST.json").exists()


def test_another_version_of_the_features(small, monkeypatch) -> None:
    """The advice leads out of the error: indexing does not mix what cannot be compared."""
    from kinfold.gallery.describe import Describer

    monkeypatch.setattr(Describer, "fingerprint", property(lambda _: "a later one"))
    write_photo(small / "photos" / "9.jpg", noise(9))
    with Gallery.open(small / "g.kin") as gallery:
        for act in (
            lambda: gallery.search(noise(1)),
            lambda: gallery.update(small / "photos", verbose=False),
        ):
            with pytest.raises(GalleryError, match="--remake"):
                act()
    with Gallery.create(small / "g.kin", remake=True, **SMALL) as gallery:
        gallery.update(small / "photos", verbose=False)
        sound(gallery, small / "photos")


# --- nothing is left of what came to nothing -------------------------------------------------------------


def test_a_gallery_without_photos_can_be_discarded(tmp_path) -> None:
    deep = tmp_path / "a" / "b" / "g.kin"
    Gallery.create(deep, **SMALL).discard()
    assert list(tmp_path.iterdir()) == []
    there = tmp_path / "there"
    (there / "parts").mkdir(parents=True)
    (there / ".DS_Store").write_text("theirs")
    Gallery.create(there, **SMALL).discard()
    assert [path.name for path in there.iterdir()] == [".DS_Store"]
    path = small_gallery(tmp_path / "g.kin", small_photos(tmp_path / "photos", 2))
    with Gallery.open(path) as gallery:
        with pytest.raises(GalleryError, match="holds photos"):
            gallery.discard()
        assert gallery.search(noise(1), top=1)[0].path == "1.jpg"


def test_creating_that_fails_leaves_nothing(tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for owner, name in ((PhotoTable, "create"), (Store, "write")):
        monkeypatch.setattr(owner, name, full)
        with pytest.raises(GalleryError, match="No space left"):
            Gallery.create(tmp_path / "a" / "g.kin", **SMALL)
        assert list(tmp_path.iterdir()) == []
        monkeypatch.undo()


# --- Ctrl-C --------------------------------------------------------------------------------------------

POINTS = [
    (PhotoTable, "transaction"), (PhotoTable, "insert"), (PhotoTable, "delete"), (PhotoTable, "all"),
    (PhotoTable, "described"), (PhotoTable, "segments"), (Store, "add"), (Store, "write"), (Store, "sweep"),
    (os, "replace"), (os, "unlink"),
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "name"), POINTS)
def test_an_interruption_anywhere_leaves_a_whole_state(
    small, monkeypatch, owner, name, after
) -> None:
    """Before and after each step of an update; the same object goes on."""
    photos = small / "photos"
    real = getattr(owner, name)
    with Gallery.open(small / "g.kin") as gallery:
        gallery.search(noise(0))
        for number in range(1, 30):
            serial = 10 + number
            write_photo(photos / f"{serial}.jpg", noise(serial))
            if number > 2:
                (photos / f"{serial - 2}.jpg").unlink(missing_ok=True)
            left = number

            def step(*arguments: object, **options: object) -> object:
                nonlocal left
                left -= 1
                if left == 0 and not after:
                    raise KeyboardInterrupt
                result = real(*arguments, **options)
                if left == 0:
                    raise KeyboardInterrupt
                return result

            monkeypatch.setattr(owner, name, step)
            try:
                gallery.update(photos, verbose=False)
            except KeyboardInterrupt as stop:
                monkeypatch.undo()
                kept = getattr(stop, "kept", "")
                assert f"keeps the {len(gallery)} photos" in kept
                gallery.info(verify=True)
                assert gallery.search(noise(0), top=1)[0].path == "0.jpg"
                gallery.update(photos, verbose=False)
                sound(gallery, photos)
            else:
                monkeypatch.undo()
                break
        assert number < 29
        names = {path.name for path in (small / "g.kin").rglob("*") if "new" in path.name}
        assert not names


# --- readers where nothing can be written, and beside a writer --------------------------------------------

SEARCH = """
import sys; from kinfold import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    print(len(gallery), gallery.search(sys.argv[2], top=1)[0].path); gallery.info(verify=True)
"""


@pytest.mark.parametrize("log", ["none", "empty", "full"])
@pytest.mark.parametrize("locked", [True, False])
def test_a_gallery_that_cannot_be_written_to_is_searched(small, as_nobody, log, locked) -> None:
    """Also where the last writer was killed, so that a part of the table lies in a log beside it."""
    gallery = small / "g.kin"
    if log != "none":
        (gallery / "photos.sqlite-wal").write_bytes(b"")
    if log == "full":
        copy = small / "copy"
        with closing(sqlite3.connect(gallery / "photos.sqlite", isolation_level=None)) as db:
            db.execute("UPDATE photos SET path = 'renamed.jpg' WHERE path = '3.jpg'")
            shutil.copytree(gallery, copy)  # as a kill would leave it
        (copy / "photos.sqlite-shm").unlink()
        gallery = copy
    if not locked:
        (gallery / "LOCK").unlink()
    for path in [gallery, *gallery.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(path.name for path in gallery.rglob("*"))
    told = as_nobody(SEARCH, gallery, small / "photos" / "3.jpg")
    assert told == ("6 renamed.jpg\n" if log == "full" else "6 3.jpg\n")
    assert sorted(path.name for path in gallery.rglob("*")) == before
    for path in [gallery, *gallery.rglob("*")]:
        path.chmod(0o755)


def test_a_search_before_the_index_is_made_says_so(small, monkeypatch) -> None:
    from kinfold.gallery.write import build

    def stop(*_: object, **__: object) -> None:
        with (
            Gallery.open(small / "new.kin") as reader,
            pytest.raises(
                GalleryError, match=rf"6 photos are described; .* process {os.getpid()} "
            ),
        ):
            reader.search(noise(1))
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "finish", stop)
    with Gallery.create(small / "new.kin", **SMALL) as gallery:
        with pytest.raises(KeyboardInterrupt) as caught:
            gallery.update(small / "photos", verbose=False)
        assert "keeps the 6 photos described so far" in caught.value.kept
        with pytest.raises(GalleryError, match="6 photos are described, but have no index yet"):
            gallery.search(noise(1))
        with (
            writer_lock(small / "new.kin"),
            pytest.raises(GalleryError, match="is being made by process"),
        ):
            gallery.search(noise(1))
        monkeypatch.undo()
        gallery.update(small / "photos", verbose=False)
        sound(gallery, small / "photos")
