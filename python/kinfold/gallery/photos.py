"""The table of photos: which files were seen, what became of them, and where their features lie."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.gallery.own import is_inside, is_name, own_file
from kinfold.images.digest import content_digest

_TABLE = """
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
# What makes each version from the one before.
_STEPS = (_TABLE, "ALTER TABLE photos ADD COLUMN cause TEXT;")
_VERSION = len(_STEPS)
# SQLite's own files beside the table; a journal is of another mode than ours, and may name any file to be deleted.
_BESIDE, _JOURNAL = ("-wal", "-shm"), "-journal"
_MOST_ID = 1 << 60
# Longest value in bytes, and how many steps of SQLite's machine a statement may take: a sound table needs less than one
# for each byte.
_MOST_VALUE = 1 << 20
_MOST_COPIED = 1 << 33
_STEPS_AT_ONCE, _LEAST_STEPS, _STEPS_PER_BYTE = 100_000, 1_000_000, 4
# Why a photo could not be described: see ``ImageError``.
CAUSES = ("file", "access", "decoder", "memory")


@dataclass(frozen=True)
class Photo:
    """One file.

    reason : why it could not be read; None for a photo that was described
    segment, row : where its features lie; None for one that could not be read
    cause : one of CAUSES where it could not be read, None where that was not noted
    """

    id: int
    path: str
    size: int
    mtime_ns: int
    digest: str | None = None
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None
    segment: str | None = None
    row: int | None = None
    cause: str | None = None


_COLUMNS = tuple(Photo.__dataclass_fields__)


class DamagedTableError(FileFormatError):
    """The table is not what was written: it is made anew from the photos."""


def known_file(root: Path, photo: Photo) -> Path | None:
    """A photo's file, if it is the one that was described; None if it is gone or holds anything else.

    The folder is the gallery's word, and a gallery may come from anybody: what it does not know is not shown.
    """
    path = root / photo.path
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size == photo.size:
            return path if content_digest(path) == photo.digest else None
    except (OSError, ValueError):
        pass
    return None


class PhotoTable:
    """An SQLite file in WAL mode: readers see the last whole transaction, whatever a writer does.

    write : to change it; otherwise the file may also lie where nothing can be written
    Raises FileFormatError for a file that is not exactly such a table: it may come from anybody.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self._path = path
        self._copy: TemporaryDirectory[str] | None = None
        shared = check_files(path, written=write)
        if not path.exists():
            raise DamagedTableError(f"{path}: is missing")
        try:
            if shared:
                # Closing a table may write to it, and so to a file of another name.
                self._open_unwritable(path)
            else:
                self._open(path, "mode=rw", write)
        except sqlite3.OperationalError as error:
            if write or not _is_of_the_place(error):
                raise _named(path, error) from error
            self._open_unwritable(path)
        except sqlite3.DatabaseError as error:
            raise _named(path, error) from error

    @classmethod
    def create(cls, path: Path, photos: Iterable[Photo] = ()) -> None:
        """Make a table that holds these photos; it takes the place of one that is there."""
        fresh = path.with_name(path.name + ".new")
        for ending in ("", *_BESIDE, _JOURNAL):
            fresh.with_name(fresh.name + ending).unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(
                    f"BEGIN; {''.join(_STEPS)} PRAGMA user_version = {_VERSION}; COMMIT;"
                )
                db.execute("BEGIN")
                db.executemany(_INSERT, map(_values, photos))
                db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise OSError(f"{path}: {error}") from error
        for ending in (*_BESIDE, _JOURNAL):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        os.replace(fresh, path)

    def _open(self, path: Path, how: str, write: bool) -> None:
        """Connect, and make sure that this is a table of photos and nothing else."""
        # Searches run in threads; each statement runs alone under the connection's own lock.
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True, timeout=30, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        try:
            self._guard = _Guard(path)
            self._db.set_progress_handler(self._guard, _STEPS_AT_ONCE)
            if hasattr(self._db, "setlimit"):  # Python 3.11
                self._db.setlimit(getattr(sqlite3, "SQLITE_LIMIT_LENGTH"), _MOST_VALUE)  # noqa: B009
            self._db.execute("PRAGMA trusted_schema = OFF")
            self._db.execute("PRAGMA cell_size_check = ON")
            self._version = _checked_version(self._db, path)
            if write:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                if self._version < _VERSION:
                    steps = "".join(_STEPS[self._version :])
                    self._db.executescript(
                        f"BEGIN; {steps} PRAGMA user_version = {_VERSION}; COMMIT;"
                    )
                    self._version = _VERSION
            else:
                self._db.execute("PRAGMA query_only = ON")
        except BaseException:
            self._db.close()
            raise

    def _open_unwritable(self, path: Path) -> None:
        """Read where nothing can be written: SQLite needs files beside a table that may change."""
        wal = path.with_name(path.name + "-wal")
        try:
            if not wal.exists() or not wal.stat().st_size:
                self._open(path, "mode=ro&immutable=1", False)
                return
            if path.stat().st_size + wal.stat().st_size > _MOST_COPIED:
                raise FileFormatError(
                    f"{path}: is too large to be read where nothing can be written"
                )
            # The last writer was killed, or is at work: what it has written last is not yet in the table.
            self._copy = TemporaryDirectory(prefix="kinfold-")
            there = Path(self._copy.name, path.name)
            for ending in ("", "-wal"):
                source = path.with_name(path.name + ending)
                shutil.copyfile(source, there.with_name(source.name))
            self._open(there, "mode=rw", False)
        except sqlite3.DatabaseError as error:
            self._forget_copy()
            raise _named(path, error) from error
        except BaseException:
            self._forget_copy()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()
        self._forget_copy()

    def _forget_copy(self) -> None:
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def __enter__(self) -> PhotoTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the changes in the block or, after an error or a crash, none."""
        with self._named():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            finally:
                # Wherever Ctrl-C came in between.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def all(self) -> list[Photo]:
        """Every file that was seen, by id."""
        return self._select("ORDER BY id")

    def described(self) -> list[Photo]:
        """The photos that have features, by id."""
        return self._select("WHERE segment IS NOT NULL ORDER BY id")

    def failed(self) -> list[Photo]:
        """The files that could not be read, by path."""
        return self._select("WHERE reason IS NOT NULL ORDER BY path")

    def count(self) -> int:
        """How many photos have features."""
        with self._named():
            query = "SELECT count(*) FROM photos WHERE segment IS NOT NULL"
            return int(self._db.execute(query).fetchone()[0])

    def by_ids(self, ids: Iterable[int]) -> dict[int, Photo]:
        """Photos by id; ids that are gone are missing."""
        found: dict[int, Photo] = {}
        wanted = [int(i) for i in ids]
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= {p.id: p for p in self._select(f"WHERE id IN ({marks})", part)}
        return found

    def next_id(self) -> int:
        """The id of the next photo: larger than all that ever were."""
        with self._named():
            (last,) = self._db.execute(
                "SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence), 0), "
                "coalesce((SELECT max(id) FROM photos), 0))"
            ).fetchone()
        if type(last) is not int or not 0 <= last < _MOST_ID:
            raise DamagedTableError(f"{self._path}: the last id is {last!r:.40}")
        return last + 1

    def segments(self) -> set[str]:
        """The segments that hold a photo."""
        with self._named():
            found = self._db.execute(
                "SELECT DISTINCT segment FROM photos WHERE segment IS NOT NULL"
            )
            names = {row[0] for row in found}
        for name in names:
            if not is_name(name):
                raise DamagedTableError(f"{self._path}: {name!r:.80} is no segment's name")
        return names

    def insert(self, photo: Photo) -> None:
        """Add a photo under its id."""
        with self._named():
            self._db.execute(_INSERT, _values(photo))

    def update(self, id: int, changes: Mapping[str, object]) -> None:
        """Change some columns of a photo."""
        assignments = ",".join(f"{name} = ?" for name in changes)
        with self._named():
            self._db.execute(
                f"UPDATE photos SET {assignments} WHERE id = ?", [*changes.values(), id]
            )

    def delete(self, ids: Iterable[int]) -> None:
        """Forget photos."""
        with self._named():
            self._db.executemany("DELETE FROM photos WHERE id = ?", [(i,) for i in ids])

    def check(self) -> None:
        """SQLite's own check of the file. Raises FileFormatError."""
        with self._named():
            verdict = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedTableError(f"{self._path}: {verdict}")

    def _select(self, rest: str, values: Iterable[object] = ()) -> list[Photo]:
        with self._named():
            rows = self._db.execute(f"{_select(self._version)} {rest}", list(values))
            return [_photo(row, self._path) for row in rows]

    @contextmanager
    def _named(self) -> Iterator[None]:
        self._guard.begin()
        try:
            yield
        except sqlite3.DatabaseError as error:
            if self._guard.interrupted:
                raise KeyboardInterrupt from None
            raise _named(self._path, error) from error


def salvage(path: Path) -> list[Photo]:
    """What a damaged table still tells: its sound rows, up to where it cannot be read."""
    kept: dict[str, Photo] = {}
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with (
        suppress(sqlite3.DatabaseError, FileFormatError),
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db,
    ):
        db.set_progress_handler(_Guard(path), _STEPS_AT_ONCE)
        version = _checked_version(db, path)
        for row in db.execute(f"{_select(version)} ORDER BY id"):
            with suppress(FileFormatError):
                photo = _photo(row, path)
                kept[photo.path] = photo
    return list({photo.id: photo for photo in kept.values()}.values())


class _Guard:
    """Ends a statement that takes longer than a table of this size can be worth; called by SQLite now and then."""

    def __init__(self, path: Path) -> None:
        self._path, self._steps, self.interrupted = path, 0, False

    def begin(self) -> None:
        """A statement begins."""
        self._steps, self.interrupted = 0, False

    def __call__(self) -> bool:
        try:
            self._steps += _STEPS_AT_ONCE
            if self._steps <= _LEAST_STEPS:
                return False
            beside = self._path.with_name(self._path.name + "-wal")
            size = sum(file.stat().st_size for file in (self._path, beside) if file.exists())
            return self._steps > _LEAST_STEPS + _STEPS_PER_BYTE * size
        except KeyboardInterrupt:
            # An exception does not come through SQLite.
            self.interrupted = True
            return True


def _select(version: int) -> str:
    columns = [name if name != "cause" or version > 1 else "NULL" for name in _COLUMNS]
    return f"SELECT {','.join(columns)} FROM photos"


_INSERT = f"INSERT INTO photos ({','.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})"


def _values(photo: Photo) -> list[object]:
    return [getattr(photo, name) for name in _COLUMNS]


def _photo(row: tuple[Any, ...], path: Path) -> Photo:
    """A row, every column of which is what was written there."""
    (
        id, name, size, mtime_ns, digest, reason, width, height, taken, latitude, longitude, camera, segment, place,
        cause,
    ) = row  # fmt: skip
    if segment is not None:
        sound = reason is None and is_name(segment) and _is_count(place)
        sound = sound and _is_count(width, 1) and _is_count(height, 1)
    else:
        sound = type(reason) is str and place is None
    sound = (
        sound
        and _is_count(id, 1, _MOST_ID)
        and is_inside(name)
        and _is_count(size)
        and type(mtime_ns) is int
        and _is_text(digest)
        and _is_text(taken)
        and _is_text(camera)
        and _is_finite(latitude)
        and _is_finite(longitude)
        and (cause is None or cause in CAUSES)
    )
    if not sound:
        raise DamagedTableError(f"{path}: the row of photo {id!r:.40} is damaged")
    return Photo(*row)


def _is_text(value: object) -> bool:
    return value is None or type(value) is str


def _is_finite(value: object) -> bool:
    return value is None or (type(value) is float and math.isfinite(value))


def _is_count(value: object, least: int = 0, most: int = 1 << 62) -> bool:
    return type(value) is int and least <= value <= most


def check_files(path: Path, *, written: bool) -> bool:
    """SQLite would follow links, and do what a journal says before anything can be checked. Raises FileFormatError.

    Returns whether one of the files has another name elsewhere.
    """
    files = [
        own_file(path.with_name(path.name + ending), written=written) for ending in ("", *_BESIDE)
    ]
    journal = path.with_name(path.name + _JOURNAL)
    if os.path.lexists(journal):
        raise FileFormatError(f"{journal}: does not belong to a gallery; remove it")
    return any(file is not None and file.st_nlink > 1 for file in files)


def _checked_version(db: sqlite3.Connection, path: Path) -> int:
    """The version of a table of photos. Raises FileFormatError for anything else."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise FileFormatError(f"{path}: is of version {version}; this kinfold reads {_VERSION}")
    # Views, triggers, generated columns and virtual tables run what somebody else has written.
    if version < 1 or _schema(db) != _own_schema(version):
        raise DamagedTableError(f"{path}: is not a table of photos")
    return version


@cache
def _own_schema(version: int) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript("".join(_STEPS[:version]))
        return _schema(db)


def _schema(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    """All that a database consists of; only white space is left out of how it was made."""
    rows = db.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name, type LIMIT 20"
    )
    return [(*names, "".join(str(sql).split())) for *names, sql in rows]


def _is_of_the_place(error: sqlite3.OperationalError) -> bool:
    """Whether nothing can be written there, rather than that the table is bad or another process has it."""
    return not any(word in str(error) for word in ("malformed", "locked", "decode", "interrupted"))


def _named(path: Path, error: sqlite3.DatabaseError) -> Exception:
    text = str(error)
    if isinstance(error, sqlite3.OperationalError):
        if "interrupted" in text:
            return DamagedTableError(f"{path}: is damaged: it has no end")
        if "malformed" not in text and "decode" not in text:
            return OSError(f"{path}: {text}")
    return DamagedTableError(f"{path}: {text}")
