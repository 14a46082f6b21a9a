"""Names in a list or a ground truth to paths in a folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kinfold.base.errors import GalleryError


def as_names(names: Iterable[Any], argument: str) -> list[str]:
    """Names or paths as text, whatever holds them: a list, a column of a table. Raises ValueError for what is none."""
    listed = list(names)
    for name in listed:
        if not isinstance(name, (str, os.PathLike)):
            raise ValueError(f"{argument}: expected names or paths, got {name!r}")
    return [os.fspath(name) for name in listed]


def match_names(
    names: Sequence[str], paths: Iterable[str], *, root: Path | None = None
) -> list[str | None]:
    """The path that each name means; None where there is none.

    A name may be a path, a path without the ending, or the last part of either; of a whole path from elsewhere, as much
    of its end counts as there is. Of these the most exact that exists counts, and letters as they are written before
    those that only look alike: an accent may be a part of its letter or a character of its own.
    Raises GalleryError where a name fits several paths equally well.

    root : of the paths, for names that begin with it
    """
    keys = (
        lambda path: path,
        _without_ending,
        lambda path: PurePosixPath(path).name,
        lambda path: PurePosixPath(path).stem,
    )
    listed = list(paths)
    tables: list[dict[str, list[str]]] = []
    for form in (str, _composed):
        for key in keys:
            table: dict[str, list[str]] = {}
            for path in listed:
                table.setdefault(form(key(path)), []).append(path)
            tables.append(table)

    def one(given: str) -> str | None:
        for name in _ways(given, root):
            for place, table in enumerate(tables):
                found = table.get(_composed(name) if place >= len(keys) else name, [])
                if len(found) > 1:
                    raise GalleryError(
                        f"{given!r} may be {found[0]} or {found[1]}; the ground truth must say"
                    )
                if found:
                    return found[0]
        return None

    return [one(name) for name in names]


def listed_path(name: str, paths: dict[str, list[str]], root: Path) -> str | None:
    """The path that a name of a list means: as it is written, or as it looks; None where there is none.

    paths : by_form of all paths
    """
    path = next(iter(_ways(name, root)))
    alike = paths.get(_composed(path), [])
    return path if path in alike else alike[0] if len(alike) == 1 else None


def by_form(paths: Iterable[str]) -> dict[str, list[str]]:
    """Paths by how they look."""
    forms: dict[str, list[str]] = {}
    for path in paths:
        forms.setdefault(_composed(path), []).append(path)
    return forms


def _ways(name: str, root: Path | None) -> Iterable[str]:
    """What a name may stand for, the most exact first."""
    plain = os.path.normpath(name) if name else name
    if not os.path.isabs(plain):
        yield plain
        return
    if root is not None and "\0" not in plain:
        for base in (root, root.resolve()):
            if Path(plain).is_relative_to(base):
                yield Path(plain).relative_to(base).as_posix()
                return
    # A photo in another folder has its whole path.
    yield Path(plain).as_posix()
    parts = PurePosixPath(plain).parts[1:]
    for start in range(len(parts)):
        yield "/".join(parts[start:])


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_ending(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))
