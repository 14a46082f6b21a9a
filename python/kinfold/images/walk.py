"""The photos in a folder."""

from __future__ import annotations

import os
import stat
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

# What decode reads; HEIC needs pillow-heif, and decode says so.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif",
    ".ppm", ".pgm", ".pnm", ".avif", ".heic", ".heif",
)  # fmt: skip


@dataclass(frozen=True)
class PhotoFile:
    """A photo's path relative to the folder, with "/" between the parts, its size in bytes and its time."""

    path: str
    size: int
    mtime_ns: int


def walk(
    folder: str | os.PathLike[str],
    *,
    extensions: Iterable[str] = EXTENSIONS,
    on_error: Callable[[str, str], None] | None = None,
) -> list[PhotoFile]:
    """All photos under a folder, sorted by path.

    Files and folders whose name starts with a dot are skipped. Links are followed; a folder that is reached
    twice is listed once, under its real place if that is inside, so loops end.

    extensions : endings of file names, whatever their case
    on_error : called with relative path and reason for what cannot be listed; without it, a warning each
    Raises FileNotFoundError or NotADirectoryError, or PermissionError for the folder itself.
    """
    root = Path(folder)
    if not root.exists():
        raise FileNotFoundError(f"folder: {root} does not exist")
    if not root.is_dir():
        raise NotADirectoryError(f"folder: expected a folder, got the file {root}")
    if isinstance(extensions, str):
        raise ValueError(f"extensions: expected several endings, got {extensions!r}")
    endings = tuple(ending.lower() for ending in extensions)
    report = on_error or _warn

    photos: list[PhotoFile] = []
    seen: set[tuple[int, int]] = set()
    folders: deque[str] = deque([""])
    linked: deque[str] = deque()  # after all real folders, so that these keep their own names
    while folders or linked:
        here = folders.popleft() if folders else linked.popleft()
        try:
            status = (root / here).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / here) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not here:
                raise
            report(here, error.strerror or str(error))
            continue
        for entry in listed:
            if entry.name.startswith("."):
                continue
            path = f"{here}/{entry.name}" if here else entry.name
            photo = entry.name.lower().endswith(endings)
            try:
                status = entry.stat()
            except OSError as error:
                if photo:
                    report(path, error.strerror or str(error))
                continue
            if stat.S_ISDIR(status.st_mode):
                (linked if entry.is_symlink() else folders).append(path)
            elif photo and stat.S_ISREG(status.st_mode):
                if _is_text(path):
                    photos.append(PhotoFile(path, status.st_size, status.st_mtime_ns))
                else:
                    report(path.encode("utf-8", "backslashreplace").decode(), "name is not UTF-8")
    return sorted(photos, key=lambda photo: photo.path)


def _is_text(path: str) -> bool:
    """Whether a path can be written to a file of names: undecodable bytes come as lone surrogates."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _warn(path: str, reason: str) -> None:
    shown = path.encode("utf-8", "backslashreplace").decode()
    warnings.warn(f"skipped {shown}: {reason}", stacklevel=3)
