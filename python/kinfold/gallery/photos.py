"""The table of photos: which files were seen, what became of them, and where their features lie."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kinfold.base.errors import FileFormatError

_VERSION = 1
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


@dataclass(frozen=True)
class Photo:
    """One file.

    reason : why it could not be read; None for a photo that was described
    segment, row : where its features lie; None for one that could not be read
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


_COLUMNS = tuple(Photo.__dataclass_fields__)


class PhotoTable:
    """An SQLite file in WAL mode: readers see the last whole transaction, whatever a writer does."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.is_file():
            raise FileFormatError(f"{path}: is missing")
        self._path = path
        with self._named():
            # Searches run in threads; each statement runs alone under the connection's own lock.
            self._db = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and create:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(f"BEGIN; {_TABLE} PRAGMA user_version = {_VERSION}; COMMIT;")
                version = _VERSION
            if version > _VERSION:
                raise FileFormatError(
                    f"{path}: is of version {version}; this kinfold reads {_VERSION}"
                )
            if version != _VERSION:
                raise FileFormatError(f"{path}: is not a table of photos")
            self._db.execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the changes in the block or, after an error or a crash, none."""
        with self._named():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def all(self) -> list[Photo]:
        """Every file that was seen, by id."""
        return self._select("ORDER BY id")

    def described(self) -> list[Photo]:
        """The photos that have features, by id."""
        return self._select("WHERE segment IS NOT NULL ORDER BY id")

    def failed(self) -> list[Photo]:
        """The files that could not be read, by path."""
        return self._select("WHERE reason IS NOT NULL ORDER BY path")

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
            row = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'photos'"
            ).fetchone()
        return (row[0] if row else 0) + 1

    def segments(self) -> set[str]:
        """The segments that hold a photo."""
        with self._named():
            found = self._db.execute(
                "SELECT DISTINCT segment FROM photos WHERE segment IS NOT NULL"
            )
            return {row[0] for row in found}

    def insert(self, photo: Photo) -> None:
        """Add a photo under its id."""
        marks = ",".join("?" * len(_COLUMNS))
        with self._named():
            self._db.execute(
                f"INSERT INTO photos ({','.join(_COLUMNS)}) VALUES ({marks})",
                [getattr(photo, name) for name in _COLUMNS],
            )

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
            raise FileFormatError(f"{self._path}: {verdict}")

    def _select(self, rest: str, values: Iterable[object] = ()) -> list[Photo]:
        with self._named():
            rows = self._db.execute(f"SELECT {','.join(_COLUMNS)} FROM photos {rest}", list(values))
            return [Photo(*row) for row in rows]

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise OSError(f"{self._path}: {error}") from error
            raise FileFormatError(f"{self._path}: {error}") from error
