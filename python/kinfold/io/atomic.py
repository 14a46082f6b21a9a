"""Files appear whole or not at all: written beside under a temporary name, synced, then renamed."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from kinfold.base.arrays import as_path
from kinfold.base.text import json_text


@contextmanager
def replace_file(
    path: str | os.PathLike[str], *, size: int | None = None, follow: bool = True
) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends without an error.

    size : how many bytes will be written, where known: the error says so when there is no room.
    follow : write to what a link points to, and leave the link; else the file takes the link's place
    A crash leaves the old file or the new one. On an error the temporary file is removed and the old
    file stays as it was; temporary files of writers that were killed are removed by the next one. Who may read
    and write the old file may do so with the new one. Raises OSError, with the path, for a folder that is missing,
    full or read-only, and for a target that is a folder, a pipe or a device.
    """
    target = as_path(path, "path")
    if follow and target.is_symlink():
        target = Path(os.path.realpath(target))
        if target.is_symlink():
            raise OSError(errno.ELOOP, f"{path}: {os.strerror(errno.ELOOP)}")
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder, not a file")
    if target.exists() and not target.is_file():
        # Renaming over a device or a pipe would put a plain file in its place.
        raise OSError(f"{target}: is not a regular file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
    try:
        temporary, file = _beside(target)
    except OSError as error:
        raise _failure(target, size, error) from error
    try:
        # Renamed before it is closed: until then its lock says that somebody is at work on it.
        with file:
            _as_accessible(file.fileno(), target)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        # An error that names some other file is the caller's own.
        ours = isinstance(error, OSError) and error.filename in (None, str(temporary), temporary)
        if isinstance(error, OSError) and ours and error.errno is not None:
            raise _failure(target, size, error) from error
        raise
    _sync_folder(target.parent)


def _beside(target: Path) -> tuple[Path, BinaryIO]:
    """A new temporary file, locked by this writer; those that no living writer holds are removed."""
    # Cut short, because the name with what is added must fit where the name alone does.
    names = (target.with_name(f".{target.name[:40]}.{i}.tmp") for i in itertools.count())
    file = None
    while file is None:
        temporary = next(names)
        _remove_abandoned(temporary)
        file = _create(temporary)
    while _remove_abandoned(next(names)):  # of writers that were killed side by side
        pass
    return temporary, file


def _create(temporary: Path) -> BinaryIO | None:
    """A new locked file, or None where there is one already."""
    try:
        file = temporary.open("xb")
    except FileExistsError:
        return None
    with suppress(
        OSError
    ):  # a file system without locks, where nothing is taken for abandoned either
        fcntl.flock(file, fcntl.LOCK_EX)
    if os.fstat(file.fileno()).st_nlink > 0:
        return file
    file.close()  # removed by another writer between making and locking it
    return None


def _remove_abandoned(temporary: Path) -> bool:
    """Remove a temporary file that no living writer holds; whether there was one."""
    try:
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        # Somebody else may have removed it and made another of that name.
        there = os.path.samestat(status, os.lstat(temporary)) and stat.S_ISREG(status.st_mode)
        if there:
            temporary.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return there


def _as_accessible(descriptor: int, target: Path) -> None:
    """Give a new file the owner, the mode and the access list of the one whose place it takes, as far as allowed."""
    try:
        old = target.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(old.st_mode) or not hasattr(os, "fchmod"):
        return
    mode = old.st_mode & 0o777
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            try:
                os.fchown(descriptor, -1, old.st_gid)
            except OSError:
                # Of another group: it may no more than everybody.
                mode = mode & 0o707 | (mode & 0o007) << 3
    with suppress(OSError):
        os.fchmod(descriptor, mode)
    with suppress(OSError, AttributeError):  # not on every system
        access = "system.posix_acl_access"
        os.setxattr(descriptor, access, os.getxattr(target, access))


def _failure(target: Path, size: int | None, error: OSError) -> OSError:
    needed = "" if size is None else f", {size:,} bytes are needed"
    return OSError(error.errno, f"{target}: cannot be written{needed}: {error.strerror}")


def _sync_folder(folder: Path) -> None:
    # Some file systems cannot sync a folder, some folders may not be read; the rename is atomic all the same.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(path: str | os.PathLike[str], data: bytes, *, follow: bool = True) -> None:
    """Replace a file's contents."""
    with replace_file(path, size=len(data), follow=follow) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str, *, follow: bool = True) -> None:
    """Replace a file's contents by UTF-8 text."""
    write_bytes(path, text.encode("utf-8"), follow=follow)


def write_json(path: str | os.PathLike[str], value: Any, *, follow: bool = True) -> None:
    """Replace a file's contents by JSON, indented; NaN and infinity are refused (ValueError)."""
    write_text(path, json_text(value) + "\n", follow=follow)
