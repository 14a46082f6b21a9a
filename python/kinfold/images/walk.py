"""The photos in a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kinfold.base.warn import warn_caller
from kinfold.images.raw import RAW

# What decode reads; HEIC needs pillow-heif, raw photos need rawpy, and decode says so.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif",
    ".ppm", ".pgm", ".pnm", ".avif", ".heic", ".heif", *RAW,
)  # fmt: skip
# What a camera makes besides, and decode does not read: other pictures and films.
OTHERS = (
    ".jp2", ".jxl", ".psd",
    ".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv",
)  # fmt: skip
# A link that leads nowhere: what it led to may be back another day.
_DEAD = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True)
class PhotoFile:
    """A photo's path relative to the folder, with "/" between the parts, its size in bytes and its time."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class Listing:
    """What a walk through a folder found.

    photos : sorted by path
    skipped : path and reason of what could not be listed
    closed : paths at or below which there may be photos that could not be seen: no rights, or reading failed
    vacant : paths of folders that hold nothing at all, and of links that lead nowhere, as where a drive is not mounted
    others : how many files there are of each ending of OTHERS: pictures and films that are not read
    """

    photos: list[PhotoFile] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    vacant: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)


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
    listing = survey(folder, extensions=extensions)
    for path, reason in listing.skipped:
        if on_error is not None:
            on_error(path, reason)
        else:
            warn_caller(f"skipped {path}: {reason}")
    return listing.photos


def survey(folder: str | os.PathLike[str], *, extensions: Iterable[str] = EXTENSIONS) -> Listing:
    """``walk``, and what of the folder it could not see."""
    root = Path(folder)
    if not root.exists():
        raise FileNotFoundError(f"folder: {root} does not exist")
    if not root.is_dir():
        raise NotADirectoryError(f"folder: expected a folder, got the file {root}")
    if isinstance(extensions, str):
        raise ValueError(f"extensions: expected several endings, got {extensions!r}")
    endings = tuple(ending.lower() for ending in extensions)

    found = Listing()
    seen: set[tuple[int, int]] = set()
    folders: deque[str] = deque([""])
    linked: deque[str] = deque()  # after all real folders, so that these keep their own names

    def unseen(path: str, error: OSError) -> None:
        found.skipped.append((_shown(path), error.strerror or str(error)))
        (found.vacant if error.errno in _DEAD else found.closed).append(path)

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
            unseen(here, error)
            continue
        if not listed:
            found.vacant.append(here)
        for entry in listed:
            if entry.name.startswith("."):
                continue
            path = f"{here}/{entry.name}" if here else entry.name
            photo = entry.name.lower().endswith(endings)
            try:
                status = entry.stat()
            except OSError as error:
                if error.errno == errno.EACCES and not entry.is_symlink():
                    unseen(here, error)  # it may be listed, but not entered
                    break
                if photo or error.errno not in _DEAD:
                    unseen(path, error)
                else:
                    found.vacant.append(path)
                continue
            inside = stat.S_ISDIR(status.st_mode)
            if not inside and not (photo and stat.S_ISREG(status.st_mode)):
                ending = os.path.splitext(entry.name)[1].lower()
                if ending in OTHERS and stat.S_ISREG(status.st_mode):
                    found.others[ending] = found.others.get(ending, 0) + 1
                continue
            if not _is_text(path):
                found.skipped.append((_shown(path), "name is not UTF-8"))
            elif inside:
                (linked if entry.is_symlink() else folders).append(path)
            else:
                found.photos.append(PhotoFile(path, status.st_size, status.st_mtime_ns))
    found.photos.sort(key=lambda photo: photo.path)
    return found


def _is_text(path: str) -> bool:
    """Whether a path can be written to a file of names: undecodable bytes come as lone surrogates."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
