"""A gallery's own files. Somebody may have sent it: nothing in it may lead out of it or wait for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kinfold.base.errors import FileFormatError

_MOST_NAME = 255


def is_name(name: object) -> bool:
    """Whether that may be the name of a file in a gallery: it is no path, and nothing hidden."""
    return (
        type(name) is str
        and 0 < len(name) <= _MOST_NAME
        and name[0] != "."
        and "/" not in name
        and "\\" not in name
        and name.isprintable()
    )


def is_inside(path: object) -> bool:
    """Whether a relative path with "/" between its parts stays below where it begins."""
    if type(path) is not str or "\0" in path:
        return False
    closed = f"/{path}/"
    return "//" not in closed and "/./" not in closed and "/../" not in closed


def own_file(path: Path, *, written: bool = False) -> os.stat_result | None:
    """The status of the file of that name; None where there is none.

    written : it is to be written to in place
    Raises FileFormatError where something else has the name: links, folders, pipes and devices are no part of it.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise FileFormatError(f"{path}: is {_what(status.st_mode)}, not a file of a gallery")
    if written and status.st_nlink > 1:
        # The other name may be a file that has nothing to do with this gallery.
        raise FileFormatError(
            f"{path}: has another name elsewhere (a hard link), and would change there too; copy the gallery"
        )
    return status


def own_folder(path: Path) -> bool:
    """Whether there is a folder of that name. Raises FileFormatError where something else has the name."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode):
        raise FileFormatError(f"{path}: is {_what(status.st_mode)}, not a folder of a gallery")
    return True


def open_own(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open a gallery's own file; a descriptor. Follows no link and waits for nobody."""
    written = flags & (os.O_WRONLY | os.O_RDWR) != 0
    own_file(path, written=written)
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileFormatError(f"{path}: is not a file of a gallery")
    return descriptor


def _what(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a pipe or device")
