"""The SQLite file of a gallery, which may come from anybody: it is opened so that nothing in it leads elsewhere, runs
what others wrote, or goes on for ever."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.gallery.own import own_file
from kinfold.gallery.photo import DamagedTableError

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
_STEPS = (
    _TABLE,
    "ALTER TABLE photos ADD COLUMN cause TEXT;",
    "ALTER TABLE photos ADD COLUMN tags TEXT; ALTER TABLE photos ADD COLUMN title TEXT; "
    "ALTER TABLE photos ADD COLUMN user TEXT;",
)
VERSION = len(_STEPS)
# SQLite's own files beside the table; a journal is of another mode than ours, and may name any file to be deleted.
BESIDE, _JOURNAL = ("-wal", "-shm"), "-journal"
# Longest value in bytes, and how many steps of SQLite's machine a statement may take: a sound table needs less than one
# for each byte.
_MOST_VALUE = 1 << 20
_STEPS_AT_ONCE, _LEAST_STEPS, _STEPS_PER_BYTE = 100_000, 1_000_000, 4


class Guard:
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


def connect(path: Path, how: str, *, write: bool) -> tuple[sqlite3.Connection, Guard, int]:
    """A connection, what guards its statements, and its version, if this is a table of photos and nothing else.

    how : of SQLite's URIs
    write : a table of an older version is brought to this one; otherwise nothing can be changed
    """
    # Searches run in threads; each statement runs alone under the connection's own lock.
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=30,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        guard = Guard(path)
        db.set_progress_handler(guard, _STEPS_AT_ONCE)
        if hasattr(db, "setlimit"):  # Python 3.11
            db.setlimit(getattr(sqlite3, "SQLITE_LIMIT_LENGTH"), _MOST_VALUE)  # noqa: B009
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
        version = _checked_version(db, path)
        if not write:
            db.execute("PRAGMA query_only = ON")
            return db, guard, version
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if version < VERSION:
            steps = "".join(_STEPS[version:])
            db.executescript(f"BEGIN; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
        return db, guard, VERSION
    except BaseException:
        db.close()
        raise


def connect_damaged(path: Path) -> tuple[sqlite3.Connection, int]:
    """A connection and its version, for whatever can still be read: only the guard and the check of the schema."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        db.set_progress_handler(Guard(path), _STEPS_AT_ONCE)
        return db, _checked_version(db, path)
    except BaseException:
        db.close()
        raise


def create(path: Path, insert: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Make a table with these rows; it takes the place of one that is there. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    for ending in ("", *BESIDE, _JOURNAL):
        fresh.with_name(fresh.name + ending).unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(f"BEGIN; {''.join(_STEPS)} PRAGMA user_version = {VERSION}; COMMIT;")
            db.execute("BEGIN")
            db.executemany(insert, rows)
            db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise OSError(f"{path}: {error}") from error
    for ending in (*BESIDE, _JOURNAL):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    os.replace(fresh, path)


def check_files(path: Path, *, written: bool) -> bool:
    """SQLite would follow links, and do what a journal says before anything can be checked. Raises FileFormatError.

    Returns whether one of the files has another name elsewhere.
    """
    files = [
        own_file(path.with_name(path.name + ending), written=written) for ending in ("", *BESIDE)
    ]
    journal = path.with_name(path.name + _JOURNAL)
    if os.path.lexists(journal):
        raise FileFormatError(f"{journal}: does not belong to a gallery; remove it")
    return any(file is not None and file.st_nlink > 1 for file in files)


def _checked_version(db: sqlite3.Connection, path: Path) -> int:
    """The version of a table of photos. Raises FileFormatError for anything else."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise FileFormatError(f"{path}: is of version {version}; this kinfold reads {VERSION}")
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


def is_of_the_place(error: sqlite3.OperationalError) -> bool:
    """Whether nothing can be written there, rather than that the table is bad or another process has it."""
    return not any(word in str(error) for word in ("malformed", "locked", "decode", "interrupted"))


def named(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """What is raised in place of an error of SQLite: it names the table."""
    text = str(error)
    if isinstance(error, sqlite3.OperationalError):
        if "interrupted" in text:
            return DamagedTableError(f"{path}: is damaged: it has no end")
        if "malformed" not in text and "decode" not in text:
            return OSError(f"{path}: {text}")
    return DamagedTableError(f"{path}: {text}")
