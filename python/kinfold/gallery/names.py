"""Names in a ground truth to paths in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from kinfold.base.errors import GalleryError


def match_names(names: Sequence[str], paths: Iterable[str]) -> list[str | None]:
    """The path that each name means; None where there is none.

    A name may be a path, a path without the ending, or the last part of either. Of these the most exact
    that exists counts. Raises GalleryError where a name fits several paths equally well.
    """
    keys = (
        lambda path: path,
        _without_ending,
        lambda path: PurePosixPath(path).name,
        lambda path: PurePosixPath(path).stem,
    )
    listed = list(paths)
    tables: list[dict[str, list[str]]] = []
    for key in keys:
        table: dict[str, list[str]] = {}
        for path in listed:
            table.setdefault(key(path), []).append(path)
        tables.append(table)

    def one(name: str) -> str | None:
        for table in tables:
            found = table.get(name, [])
            if len(found) > 1:
                raise GalleryError(
                    f"{name!r} may be {found[0]} or {found[1]}; the ground truth must say"
                )
            if found:
                return found[0]
        return None

    return [one(name) for name in names]


def _without_ending(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))
