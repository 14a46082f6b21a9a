"""Files appear whole or not at all: written beside under a temporary name, synced, then renamed."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from kinfold.base.state import plain


@contextmanager
def replace_file(path: str | os.PathLike[str], *, size: int | None = None) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends without an error.

    size : how many bytes will be written, where known: the error says so when there is no room.
    A crash leaves the old file or the new one. On an error the temporary file is removed and the old
    file stays as it was. Raises OSError, with the path, for a folder that is missing, full or read-only,
    and for a target that is a folder, a pipe or a device.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder, not a file")
    if target.exists() and not target.is_file():
        # Renaming over a device or a pipe would put a plain file in its place.
        raise OSError(f"{target}: is not a regular file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
    # Cut short, because the name with what is added must fit where the name alone does.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}.tmp")
    try:
        file = temporary.open("xb")
    except OSError as error:
        raise _failure(target, size, error) from error
    try:
        with file:
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


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file's contents."""
    with replace_file(path, size=len(data)) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file's contents by UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Replace a file's contents by JSON, indented; NaN and infinity are refused (ValueError)."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=plain)
    write_text(path, text + "\n")
