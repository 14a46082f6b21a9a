"""A gallery that somebody sent: it reads and writes nothing outside of itself, and never waits for ever."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.base.errors import FileFormatError, GalleryError, KinfoldError
from kinfold.gallery.photo import known_file
from kinfold.gallery.photos import PhotoTable

from .conftest import noise, small_photos, write_photo


@pytest.fixture(autouse=True)
def nothing_hangs() -> Iterator[None]:
    """What waits for ever is ended."""

    def ring(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def everything(path: Path, photos: Path, page: Path) -> Iterator[Callable[[], object]]:
    """All that may be done with a gallery."""

    def search() -> None:
        from kinfold.report.answer import write_answer

        with Gallery.open(path) as gallery:
            query = gallery.describe(noise(3))
            answer = gallery.rank(query)
            hits = gallery.hits(query, answer, 5)
            write_answer(page, gallery.answer(query, answer, hits))

    def info() -> None:
        with Gallery.open(path) as gallery:
            gallery.info()
            gallery.info(verify=True)

    def update(**options: bool) -> Callable[[], None]:
        def run() -> None:
            with Gallery.open(path, repair=True) as gallery:
                gallery.update(photos, verbose=False, **options)

        return run

    yield search
    yield info
    yield update()
    yield update(relearn=True, prune=True)
    yield lambda: Gallery.create(path, remake=True, engine="tembedding").close()


def harmless(path: Path, photos: Path, page: Path) -> int:
    """Do everything; how much of it was refused, in words that are for people."""
    refused = 0
    for act in everything(path, photos, page):
        try:
            act()
        except (KinfoldError, OSError) as error:
            assert str(error)
            refused += 1
    return refused


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def entries(gallery: Path) -> list[str]:
    """Everything of which a gallery consists, and what SQLite puts beside."""
    segment = next((gallery / "segments").iterdir())
    parts = json.loads((gallery / "MANIFEST.json").read_text())["parts"]
    return [
        "MANIFEST.json", "LOCK", "photos.sqlite", "photos.sqlite-wal", "photos.sqlite-shm", "photos.sqlite-journal",
        "segments", "parts", f"segments/{segment.name}", *(f"parts/{name}" for name in parts.values()),
    ]  # fmt: skip


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("place", range(14))
@pytest.mark.parametrize("kind", ["link", "same", "pipe", "folder"])
def test_what_is_no_plain_file_is_not_followed(small, tmp_path, place, kind) -> None:
    """Each part in turn is a link to somebody's file or folder, one to a sound copy, a pipe, or a folder."""
    gallery, outside = small / "g.kin", tmp_path / "outside"
    names = entries(gallery)
    assert len(names) == 14
    part = gallery / names[place]
    shutil.copytree(gallery, outside / "copy")
    (outside / "letters").mkdir()
    (outside / "letters" / "1.txt").write_text("dear")
    for file in (gallery / "segments").iterdir():
        shutil.copy(file, outside / "letters" / file.name)
    (outside / "thesis.txt").write_text("thesis " * 100)
    before = contents(outside)
    of_folder = part.is_dir()
    remove(part)
    if kind == "link":
        part.symlink_to(outside / ("letters" if of_folder else "thesis.txt"))
    elif kind == "same" and (outside / "copy" / names[place]).exists():
        part.symlink_to(outside / "copy" / names[place])
    elif kind == "pipe":
        os.mkfifo(part)
    elif not of_folder:
        part.mkdir()
    harmless(gallery, small / "photos", tmp_path / "page.html")
    assert contents(outside) == before


@pytest.mark.parametrize("name", ["LOCK", "photos.sqlite", "photos.sqlite-wal", "MANIFEST.json"])
def test_other_names_of_a_file_are_not_written_to(small, tmp_path, name) -> None:
    """A hard link cannot be told from a file, but for how many names it has."""
    gallery, outside = small / "g.kin", tmp_path / "outside"
    outside.mkdir()
    content = (gallery / name).read_bytes() if (gallery / name).exists() else b"thesis " * 100
    (outside / "file").write_bytes(content)
    (gallery / name).unlink(missing_ok=True)
    (gallery / name).hardlink_to(outside / "file")
    with closing(sqlite3.connect(small / "other.sqlite")) as db:  # a log that would be played back
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (x)")
        db.execute("INSERT INTO t VALUES (1)")
        db.commit()
        if name == "photos.sqlite":
            shutil.copy(small / "other.sqlite-wal", gallery / "photos.sqlite-wal")
    harmless(gallery, small / "photos", tmp_path / "page.html")
    assert (outside / "file").read_bytes() == content


def test_a_journal_that_names_a_file_to_be_deleted(small, tmp_path) -> None:
    """SQLite plays a journal back, and deletes the file that it names as the one above it."""
    gallery, precious = small / "g.kin", tmp_path / "thesis.txt"
    precious.write_text("thesis")
    name = os.fsencode(precious)
    magic = bytes.fromhex("d9d505f920a163d7")
    head = magic + struct.pack(">IIIII", 0, 0, 1, 512, 4096)
    tail = struct.pack(">I", 1) + name + struct.pack(">II", len(name), sum(name)) + magic
    (gallery / "photos.sqlite-journal").write_bytes(head.ljust(512, b"\0") + tail)
    assert (
        harmless(gallery, small / "photos", tmp_path / "page.html") == 4
    )  # making it anew removes it
    assert precious.read_text() == "thesis"


# --- the table -------------------------------------------------------------------------------------

ENDLESS = (
    "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c) > 0"
)
SCHEMAS = {
    "a view": f"ALTER TABLE photos RENAME TO real; CREATE VIEW photos AS SELECT * FROM real WHERE {ENDLESS}",
    "a view beside": "CREATE VIEW other AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON photos BEGIN DELETE FROM photos; END",
    "a generated column": "ALTER TABLE photos ADD COLUMN more AS (hex(zeroblob(100000000)))",
    "a column": "ALTER TABLE photos ADD COLUMN more TEXT",
    "another default": "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = "
    "replace(sql, 'digest TEXT', 'digest TEXT DEFAULT 1') WHERE name = 'photos'",
    "an index of expressions": "CREATE INDEX more ON photos (hex(path))",
    "no index": "DROP INDEX photos_digest",
    "a table beside": "CREATE TABLE other (x)",
    "a virtual table": "CREATE VIRTUAL TABLE other USING fts5(x)",
    "no table": "DROP TABLE photos",
    "version 0": "PRAGMA user_version = 0",
}


@pytest.mark.parametrize("what", SCHEMAS)
def test_only_the_table_of_photos_is_read(small, tmp_path, what) -> None:
    table = small / "g.kin" / "photos.sqlite"
    with closing(sqlite3.connect(table)) as db:
        try:
            db.executescript(SCHEMAS[what])
        except sqlite3.OperationalError as error:
            pytest.skip(str(error))
    with pytest.raises(FileFormatError, match="is not a table of photos"):
        Gallery.open(small / "g.kin")
    # Indexing makes it anew from the photos.
    with Gallery.open(small / "g.kin", repair=True) as gallery:
        changes = gallery.update(small / "photos", verbose=False)
        assert "table of photos was damaged" in changes.notes[0]
        assert gallery.search(noise(4), top=1)[0].path == "4.jpg"
        gallery.info(verify=True)


def test_a_newer_table_is_refused_and_kept(small) -> None:
    table = small / "g.kin" / "photos.sqlite"
    with closing(sqlite3.connect(table)) as db:
        db.execute("PRAGMA user_version = 9")
    content = table.read_bytes()
    with (
        Gallery.open(small / "g.kin", repair=True) as gallery,
        pytest.raises(FileFormatError, match="of version 9"),
    ):
        gallery.update(small / "photos", verbose=False)
    assert table.read_bytes() == content


def test_a_table_of_the_first_version_is_read_and_carried_over(small) -> None:
    table = small / "g.kin" / "photos.sqlite"
    with closing(sqlite3.connect(table, isolation_level=None)) as db:
        rows = db.execute("SELECT * FROM photos").fetchall()
        db.executescript("DROP TABLE photos; " + FIRST + "PRAGMA user_version = 1;")
        db.executemany(
            f"INSERT INTO photos VALUES ({','.join('?' * 14)})", [row[:14] for row in rows]
        )
    with Gallery.open(small / "g.kin") as gallery:
        before = [hit.path for hit in gallery.search(noise(2))]
        gallery.update(small / "photos", verbose=False)
        assert [hit.path for hit in gallery.search(noise(2))] == before
    with closing(sqlite3.connect(table)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)


FIRST = """
CREATE TABLE photos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest TEXT,
    reason TEXT,
    width INTEGER, height INTEGER,
    taken TEXT, latitude REAL, longitude REAL, camera TEXT,
    segment TEXT, row INTEGER
);
CREATE INDEX photos_digest ON photos (digest);
CREATE INDEX photos_segment ON photos (segment);
"""
WRONG = [
    "x'00ff'",
    "'x'",
    "-1",
    "1.5",
    "NULL",
    "9223372036854775807",
    "'../x'",
    "'/etc/x'",
    "'a' || char(0)",
    "1e999",
]
# What may stand in a column although it is not what was written there.
RIGHT = {
    "path": {"'x'", "-1", "1.5", "9223372036854775807", "1e999"},  # as text
    "size": {"9223372036854775807"} & set(), "mtime_ns": {"-1", "9223372036854775807"},
    "digest": set(WRONG) - {"x'00ff'"}, "taken": set(WRONG) - {"x'00ff'"}, "camera": set(WRONG) - {"x'00ff'"},
    "latitude": {"-1", "1.5", "NULL", "9223372036854775807"}, "longitude": {"-1", "1.5", "NULL", "9223372036854775807"},
    "segment": {"'x'", "-1", "1.5", "9223372036854775807", "1e999"}, "cause": {"NULL"}, "reason": {"NULL"},
}  # fmt: skip


@pytest.mark.parametrize("column", [
    "id", "path", "size", "mtime_ns", "digest", "reason", "width", "height", "taken", "latitude", "longitude", "camera",
    "segment", "row", "cause",
])  # fmt: skip
def test_every_column_is_checked(small, column) -> None:
    """A row is what was written there, or FileFormatError."""
    good = (small / "g.kin" / "photos.sqlite").read_bytes()
    path = small / "photos.sqlite"
    for wrong in WRONG:
        for beside in small.glob("photos.sqlite*"):
            beside.unlink()
        path.write_bytes(good)
        with closing(sqlite3.connect(path)) as db:
            try:
                db.execute(f"UPDATE photos SET {column} = {wrong} WHERE path = '3.jpg'")
            except sqlite3.Error:
                continue  # SQLite itself would not have it
            db.commit()
        with PhotoTable(path) as table:
            if wrong in RIGHT.get(column, ()):
                assert len(table.all()) == 6
                continue
            for read in (
                table.all,
                table.described,
                lambda: table.by_ids(range(1, 8)),
                table.segments,
            ):
                try:
                    read()
                except FileFormatError:
                    break
            else:
                pytest.fail(f"{column} = {wrong} was taken")


@pytest.mark.parametrize("wrong", ["path = x'00ff'", "path = '../secret.jpg'", "segment = '../x.kin'", "row = 'x'",
                                   "row = 5", "segment = 5", "width = 'w'", "id = 9223372036854775807"])  # fmt: skip
def test_rows_of_wrong_types_end_in_one_error(small, tmp_path, wrong) -> None:
    with closing(sqlite3.connect(small / "g.kin" / "photos.sqlite")) as db:
        db.execute(f"UPDATE photos SET {wrong} WHERE path = '3.jpg'")
        db.commit()
    refusals = (FileFormatError, GalleryError) if "segment = 5" in wrong else FileFormatError
    with pytest.raises(refusals), Gallery.open(small / "g.kin") as gallery:
        gallery.search(noise(3))
        gallery.info(verify=True)
    # The rows that are sound are kept, the other is described anew.
    with Gallery.open(small / "g.kin", repair=True) as gallery:
        changes = gallery.update(small / "photos", verbose=False)
        assert changes.notes and len(gallery) == 6
        gallery.info(verify=True)
        for number in range(6):
            assert gallery.search(noise(number), top=1)[0].path == f"{number}.jpg"


def test_a_table_without_end(tmp_path) -> None:
    """Pages of a b-tree that all lead to the same page make rows without number out of a few kilobytes."""
    path = tmp_path / "photos.sqlite"
    PhotoTable.create(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        for i in range(200):
            row = (i + 1, f"{i}.jpg" + "x" * 300, 1, 1, "d" * 40, 9, 9, "s.kin", i)
            db.execute(
                "INSERT INTO photos (id,path,size,mtime_ns,digest,width,height,segment,row) VALUES (?,?,?,?,?,?,?,?,?)",
                row,
            )
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'photos'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    page = data[(root - 1) * size : root * size]
    assert page[0] == 5  # an inner page
    cells = struct.unpack(">H", page[3:5])[0]
    leaf = page[8:12]

    def all_to(child: bytes) -> bytes:
        """An inner page of 400 ways to one page."""
        fresh = bytearray(size)
        fresh[0], fresh[3:5] = 5, struct.pack(">H", 400)
        fresh[8:12] = child
        at = size
        for cell in range(400):
            at -= 5
            fresh[at : at + 5] = child + b"\x01"
            fresh[12 + 2 * cell : 14 + 2 * cell] = struct.pack(">H", at)
        fresh[5:7] = struct.pack(">H", at)
        return bytes(fresh)

    assert cells
    child = bytes(leaf)
    for _ in range(6):
        data += all_to(child)
        child = struct.pack(">I", len(data) // size)
    data[(root - 1) * size : root * size] = all_to(child)
    data[28:32] = struct.pack(">I", len(data) // size)
    path.write_bytes(bytes(data))
    with PhotoTable(path) as table:
        for read in (table.all, table.described, table.check):
            with pytest.raises(FileFormatError):
                read()


# --- what a page may show ----------------------------------------------------------------------------


def test_only_the_photos_that_were_indexed_are_shown(small, tmp_path) -> None:
    """The folder of photos is the gallery's word: any file there is looked at only if it is what was described."""
    photos = small / "photos"
    with PhotoTable(small / "g.kin" / "photos.sqlite") as table:
        photo = next(p for p in table.all() if p.path == "3.jpg")
    assert known_file(photos, photo) == photos / "3.jpg"
    shutil.copytree(photos, tmp_path / "moved")
    assert known_file(tmp_path / "moved", photo) == tmp_path / "moved" / "3.jpg"
    assert known_file(tmp_path / "none", photo) is None
    file = photos / "3.jpg"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"\0")  # of the same size
    assert known_file(photos, photo) is None
    file.unlink()
    write_photo(tmp_path / "secret.jpg", noise(77))
    file.symlink_to(tmp_path / "secret.jpg")
    assert known_file(photos, photo) is None
    file.unlink()
    os.mkfifo(file)
    assert known_file(photos, photo) is None


def test_a_manifest_that_points_elsewhere_shows_nothing_of_it(small, tmp_path, monkeypatch) -> None:
    import kinfold.gallery.views.page as page

    secret = tmp_path / "secret"
    for number in range(6):
        write_photo(secret / f"{number}.jpg", np.full((96, 120, 3), (255, 0, 0), np.uint8))
    manifest = small / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**data, "photos": str(secret)}))
    seen: list[Path] = []
    real = page.decode
    monkeypatch.setattr(page, "decode", lambda path, **o: (seen.append(path), real(path, **o))[1])
    with Gallery.open(small / "g.kin") as gallery:
        query = gallery.describe(noise(3))
        answer = gallery.rank(query)
        gallery.answer(query, answer, gallery.hits(query, answer, 6))
    assert seen == []


# --- manifest and parts --------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    {"photos": "../elsewhere"}, {"photos": ""}, {"photos": "/a\0b"}, {"photos": 3},
    {"segments": ["a\0b"]}, {"segments": [".."]}, {"segments": ["x" * 300]}, {"segments": ["a\nb"]},
    {"parts": {"model": "a\\b"}}, {"parts": {"graph": ["x"]}}, {"parts": []},
])  # fmt: skip
def test_manifests_that_lead_elsewhere(small, change) -> None:
    manifest = small / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**data, **change}))
    with pytest.raises(FileFormatError):
        Gallery.open(small / "g.kin")


def test_manifests_that_cost_much(small) -> None:
    manifest = small / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    scales = {**data["settings"], "network_scales": [1.0] * 100_000}
    for text in (json.dumps({**data, "settings": scales}), '{"a":' * 100_000):
        manifest.write_text(text)
        with pytest.raises(FileFormatError):
            Gallery.open(small / "g.kin")
    with manifest.open("wb") as file:
        file.truncate(1 << 34)  # takes no room, and would take all memory
    with pytest.raises(FileFormatError, match="is longer than"):
        Gallery.open(small / "g.kin")


def test_parts_under_wrong_names(small, tmp_path) -> None:
    """Every part in the place of every other."""
    manifest = small / "g.kin" / "MANIFEST.json"
    data = json.loads(manifest.read_text())
    segment = next((small / "g.kin" / "segments").iterdir())
    shutil.copy(segment, small / "g.kin" / "parts" / "segment.kin")
    for name in data["parts"]:
        for other in [*data["parts"].values(), "segment.kin", "none.kin"]:
            if other == data["parts"][name]:
                continue
            manifest.write_text(json.dumps({**data, "parts": {**data["parts"], name: other}}))
            with Gallery.open(small / "g.kin") as gallery:
                if name != "near":  # which updates read, not searches
                    with pytest.raises(FileFormatError):
                        gallery.search(noise(0))
                with pytest.raises((FileFormatError, FileNotFoundError)):
                    gallery.info()
                    gallery.info(verify=True)


@pytest.mark.parametrize(
    "name", ["frames", "positions", "scales", "angles", "descriptors", "starts", "ids"]
)
def test_segments_with_wild_numbers(small_indexed, tmp_path, name) -> None:
    """Wrong answers are all that wrong numbers may give."""
    from kinfold.io import kin

    path = Path(shutil.copytree(small_indexed / "g.kin", tmp_path / "g.kin"))
    file = next((path / "segments").iterdir())
    kind, params, good = kin.read(file)
    floats = good[name].dtype.kind == "f"
    for value in [0, -1, 1e38, np.nan, np.inf] if floats else [0, -1, 1 << 40]:
        limits = (
            (value, value)
            if floats
            else (np.iinfo(good[name].dtype).min, np.iinfo(good[name].dtype).max)
        )
        wild = np.full_like(good[name], min(max(value, limits[0]), limits[1]))
        kin.write(file, kind, params, {**good, name: wild})
        with suppress(FileFormatError), Gallery.open(path) as gallery:
            for rerank in (("spatial", "diffusion"), ("expansion",)):
                gallery.search(noise(3), rerank=rerank)
            gallery.groups(verbose=False)
    with suppress(GalleryError), Gallery.open(path) as gallery:  # nothing to learn from
        gallery.update(small_indexed / "photos", relearn=True, verbose=False)


def test_a_folder_like_a_gallery_of_others_is_left_alone(small, tmp_path) -> None:
    """Folders and files that a NAS, a desktop or somebody puts into a gallery: never read, never deleted."""
    gallery = small / "g.kin"
    for kind in (".", "segments", "parts"):
        (gallery / kind / "@eaDir" / "x").mkdir(parents=True)
        for name in (
            "@eaDir/y.kin",
            ".DS_Store",
            "Thumbs.db",
            "desktop.ini",
            "._segments",
            "notes.txt",
        ):
            (gallery / kind / name).write_text("theirs")
    others = {p for p in gallery.rglob("*") if p.is_file() and p.read_bytes() == b"theirs"}
    small_photos(small / "photos", 1, first=6)
    with Gallery.open(gallery) as opened:
        assert opened.update(small / "photos", verbose=False).added == 1
        opened.update(small / "photos", relearn=True, verbose=False)
        opened.info(verify=True)
    assert others == {p for p in gallery.rglob("*") if p.is_file() and p.read_bytes() == b"theirs"}
    Gallery.create(tmp_path / "none.kin").discard()
    assert not (tmp_path / "none.kin").exists()
