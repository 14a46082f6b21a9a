"""The table of photos: which files were seen, what became of them, and where their features lie."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError
from kinfold.gallery import table_file
from kinfold.gallery.own import is_inside, is_name
from kinfold.gallery.photo import COLUMNS, MOST_ID, SINCE, DamagedTableError, Photo

_MOST_COPIED = 1 << 33
_INSERT = f"INSERT INTO photos ({','.join(COLUMNS)}) VALUES ({','.join('?' * len(COLUMNS))})"


class Ours:
    """Whether a whole path lies in one of some folders; they are asked for where it lies in none that are known."""

    def __init__(self, folders: Callable[[], Iterable[str]]) -> None:
        self._folders, self._known = folders, tuple[str, ...]()

    def __call__(self, path: str) -> bool:
        if self._in_known(path):
            return True
        self._known = tuple(f"{folder.rstrip('/')}/" for folder in self._folders())
        return self._in_known(path)

    def _in_known(self, path: str) -> bool:
        return any(path.startswith(one) and is_inside(path[len(one) :]) for one in self._known)


class PhotoTable:
    """An SQLite file in WAL mode: readers see the last whole transaction, whatever a writer does.

    write : to change it; otherwise the file may also lie where nothing can be written
    folders : the gallery's other folders, in which whole paths lie; asked again where one lies in none of them
    Raises FileFormatError for a file that is not exactly such a table: it may come from anybody.
    """

    def __init__(
        self, path: Path, *, write: bool = False, folders: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._path, self._ours = path, Ours(folders)
        self._copy: TemporaryDirectory[str] | None = None
        shared = table_file.check_files(path, written=write)
        if not path.exists():
            raise DamagedTableError(f"{path}: is missing")
        try:
            if shared:
                # Closing a table may write to it, and so to a file of another name.
                self._open_unwritable(path)
            else:
                self._open(path, "mode=rw", write)
        except sqlite3.OperationalError as error:
            if write or not table_file.is_of_the_place(error):
                raise table_file.named(path, error) from error
            self._open_unwritable(path)
        except sqlite3.DatabaseError as error:
            raise table_file.named(path, error) from error
        # Rows of the last time that all were read, and what they mean: most are the same the next time.
        self._known: dict[int, tuple[tuple[object, ...], Photo]] = {}

    @classmethod
    def create(cls, path: Path, photos: Iterable[Photo] = ()) -> None:
        """Make a table that holds these photos; it takes the place of one that is there. Raises OSError."""
        table_file.create(path, _INSERT, (photo.to_row() for photo in photos))

    def _open(self, path: Path, how: str, write: bool) -> None:
        self._db, self._guard, self._version = table_file.connect(path, how, write=write)

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
            raise table_file.named(path, error) from error
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
        photos = self._select("ORDER BY id")
        self._known = {photo.id: (photo.to_row(), photo) for photo in photos}
        return photos

    def described(self) -> list[Photo]:
        """The photos that have features, by id."""
        return self._select("WHERE segment IS NOT NULL ORDER BY id")

    def ordered(self, by: str = "path") -> Ids:
        """The ids of the photos that have features, by a column, those without it last, then by path; int64."""
        assert by in COLUMNS
        with self._named():
            rows = self._db.execute(
                f"SELECT id FROM photos WHERE segment IS NOT NULL ORDER BY {by} IS NULL, {by}, path"
            )
            return np.array([id for (id,) in rows], np.int64)

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

    def ids_of(self, folder: str, since: str | None = None, until: str | None = None) -> Ids:
        """The ids of described photos whose path begins so and that were taken within these bounds, ascending.

        folder : "" for all, or ending in "/"; since, until : as ``Photo.taken`` is spelt, compared as text
        """
        # All that begins with a folder lies between "/" and what follows it.
        bounds = {"path >=": folder, "path <": f"{folder[:-1]}0" if folder else None}
        bounds |= {"taken >=": since, "taken <=": until}
        given = {test: value for test, value in bounds.items() if value}
        tests = " AND ".join(["segment IS NOT NULL", *(f"{test} ?" for test in given)])
        with self._named():
            rows = self._db.execute(
                f"SELECT id FROM photos WHERE {tests} ORDER BY id", list(given.values())
            )
            found = [id for (id,) in rows]
        if not all(type(id) is int for id in found):
            raise DamagedTableError(f"{self._path}: an id is no number")
        return np.array(found, np.int64)

    def next_id(self) -> int:
        """The id of the next photo: larger than all that ever were."""
        with self._named():
            (last,) = self._db.execute(
                "SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence), 0), "
                "coalesce((SELECT max(id) FROM photos), 0))"
            ).fetchone()
        if type(last) is not int or not 0 <= last < MOST_ID:
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
            self._db.execute(_INSERT, photo.to_row())

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
            return [self._photo(row) for row in rows]

    def _photo(self, row: tuple[object, ...]) -> Photo:
        known, photo = self._known.get(row[0], (None, None))  # type: ignore[call-overload]
        if photo is not None and known == row:
            return photo
        return Photo.from_row(row, self._path, self._ours)

    @contextmanager
    def _named(self) -> Iterator[None]:
        self._guard.begin()
        try:
            yield
        except sqlite3.DatabaseError as error:
            if self._guard.interrupted:
                raise KeyboardInterrupt from None
            raise table_file.named(self._path, error) from error


def salvage(path: Path, folders: Callable[[], Iterable[str]] = tuple) -> list[Photo]:
    """What a damaged table still tells: its sound rows, up to where it cannot be read."""
    ours = Ours(folders)
    kept: dict[str, Photo] = {}
    with suppress(sqlite3.DatabaseError, FileFormatError):
        db, version = table_file.connect_damaged(path)
        with closing(db):
            for row in db.execute(f"{_select(version)} ORDER BY id"):
                with suppress(FileFormatError):
                    photo = Photo.from_row(row, path, ours)
                    kept[photo.path] = photo
    return list({photo.id: photo for photo in kept.values()}.values())


def _select(version: int) -> str:
    columns = [name if SINCE.get(name, 1) <= version else "NULL" for name in COLUMNS]
    return f"SELECT {','.join(columns)} FROM photos"
