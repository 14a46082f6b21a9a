"""The gallery's folder: a manifest that is replaced last, and parts that never change, named by their content."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.manifest import Manifest
from kinfold.gallery.own import open_own, own_file, own_folder
from kinfold.gallery.settings import Settings
from kinfold.images.digest import content_digest
from kinfold.io import atomic

MANIFEST = "MANIFEST.json"
LOCK = "LOCK"
PHOTOS = "photos.sqlite"
MATCHES = "matches.kin"
_PARTS = ("segments", "parts")
_MOST_MANIFEST = 1 << 26
# What a gallery writes into its folders; a NAS and a desktop put other things there, which are nobody's business.
_OURS = re.compile(r"([a-z0-9]+-)?[0-9a-f]{40}(\..*)?|\.?new-[0-9a-f]+(\..*)?", re.DOTALL)
_OTHERS = re.compile(
    r"@.*|\._.*|\.(DS_Store|directory|fseventsd|Spotlight-V100|Trashes|Trash-.*|nfs.*|stfolder)|Thumbs\.db|"
    r"desktop\.ini|lost\+found|\$RECYCLE\.BIN|System Volume Information",
    re.IGNORECASE | re.DOTALL,
)


class Store:
    """Reads and writes the files of one gallery."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Folders that ``create`` has made.
        self.made: list[Path] = []

    def create(self, settings: Settings, *, beside: bool = False) -> Manifest:
        """Make the folder. Raises GalleryError where something else is there.

        beside : others may have files there
        Returns an empty manifest, to be written when all else is there: a folder with one can be opened.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise GalleryError(f"{self.folder}: is a file, not a gallery")
        if self.folder.is_dir() and self._foreign() and not beside:
            raise GalleryError(
                f"{self.folder}: is not empty and not a gallery; choose another name"
            )
        for folder in reversed([self.folder, *self.folder.parents]):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                self.made.append(folder)
        for name in _PARTS:
            self._folder(name, make=True)
        return Manifest(settings)

    def clear(self) -> None:
        """Remove the files of a gallery, whatever its version; what others put there stays.

        The manifest goes first: what is left by a kill is what an interrupted ``create`` leaves. Raises GalleryError
        for a folder that has a manifest of something else.
        """
        if not any((self.folder / name).exists() for name in (PHOTOS, *_PARTS)):
            raise GalleryError(f"{self.folder}: is not a gallery; choose another name")
        (self.folder / MANIFEST).unlink(missing_ok=True)
        for name in _PARTS:
            for entry in self._ours(name):
                os.unlink(entry)
        for path in self.folder.iterdir():
            if (
                self._leftover(path.name)
                and path.name != LOCK
                and (path.is_symlink() or not path.is_dir())
            ):
                path.unlink(missing_ok=True)

    def discard(self, made: Sequence[Path] | None = None) -> None:
        """Remove all of a gallery, and the folders that ``create`` made if nothing else is in them.

        made : those, where another store did
        """
        self.clear()
        (self.folder / LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            for name in _PARTS:
                (self.folder / name).rmdir()
            for folder in reversed(self.made if made is None else made):
                folder.rmdir()

    def _foreign(self) -> bool:
        """Whether the folder holds what no interrupted creation leaves."""
        return any(
            entry.name not in _PARTS
            and not self._leftover(entry.name)
            and not _OTHERS.fullmatch(entry.name)
            for entry in self.folder.iterdir()
        )

    @staticmethod
    def _leftover(name: str) -> bool:
        return name in (LOCK, MATCHES) or name.startswith((PHOTOS, f".{MANIFEST}.", f".{MATCHES}."))

    def exists(self) -> bool:
        """Whether there is a manifest."""
        return (self.folder / MANIFEST).is_file()

    def folders(self) -> tuple[str, ...]:
        """The other folders of photos, as the newest manifest says."""
        return self.read().folders

    def read(self) -> Manifest:
        """The manifest. Raises GalleryError where there is none, FileFormatError for a bad one."""
        path = self.folder / MANIFEST
        if not self.folder.exists():
            raise GalleryError(f"{self.folder}: there is no such gallery")
        if not self.folder.is_dir():
            raise GalleryError(f"{self.folder}: is a file, not a gallery")
        if not own_file(path):
            raise GalleryError(f"{self.folder}: is not a gallery (it has no {MANIFEST})")
        with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
            text = file.read(_MOST_MANIFEST + 1)
        if len(text) > _MOST_MANIFEST:
            raise FileFormatError(f"{path}: is longer than {_MOST_MANIFEST:,} bytes")
        try:
            return Manifest.from_dict(json.loads(text))
        except (FileFormatError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{path}: {error}") from error

    def write(self, manifest: Manifest) -> None:
        """Replace the manifest: from here on, readers see the new state."""
        # Names that are no text are kept by escapes.
        text = json.dumps(manifest.to_dict(), indent=2) + "\n"
        with atomic.replace_file(self.folder / MANIFEST, size=len(text), follow=False) as file:
            file.write(text.encode("ascii"))

    def part(self, name: str) -> Path:
        """The path of a part's file. Raises FileFormatError where something else has its name."""
        return self._file("parts", name)

    def segment(self, name: str) -> Path:
        """The path of a segment's file. Raises FileFormatError where something else has its name."""
        return self._file("segments", name)

    def _file(self, kind: str, name: str) -> Path:
        self._folder(kind)
        path = self.folder / kind / name
        own_file(path)
        return path

    def _folder(self, kind: str, *, make: bool = False) -> bool:
        """Whether ``segments`` or ``parts`` is there; a link of that name is an error."""
        there = own_folder(self.folder / kind)
        if not there and make:
            (self.folder / kind).mkdir(exist_ok=True)
        return there or make

    def _ours(self, kind: str) -> list[os.DirEntry[str]]:
        """The files in ``segments`` or ``parts`` that a gallery writes there, needed or not."""
        if not self._folder(kind):
            return []
        with os.scandir(self.folder / kind) as entries:
            return [
                entry
                for entry in entries
                if _OURS.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False)
            ]

    def add(self, kind: str, ending: str, write: Callable[[Path], Any], *, label: str = "") -> str:
        """Write a file into ``segments`` or ``parts`` under the digest of its content; returns its name."""
        self._folder(kind, make=True)
        folder = self.folder / kind
        # A name that nobody can have made a link of before.
        fresh = folder / f"new-{secrets.token_hex(8)}{ending}"
        try:
            write(fresh)
            name = f"{label}{content_digest(fresh)}{ending}"
            os.replace(fresh, folder / name)
        finally:
            fresh.unlink(missing_ok=True)
        return name

    def sweep(self, manifest: Manifest, segments: Iterable[str]) -> int:
        """Remove what was written and neither manifest nor table of photos refers to; returns how many files."""
        kept = {
            "segments": {*manifest.segments, *segments},
            "parts": {*manifest.parts.values(), *manifest.added},
        }
        left = [
            entry.path
            for kind, names in kept.items()
            for entry in self._ours(kind)
            if entry.name not in names
        ]
        for pattern in (f".{MANIFEST}.*", f".{MATCHES}.*", f"{PHOTOS}.new*"):
            left += [str(path) for path in self.folder.glob(pattern) if not path.is_dir()]
        for path in left:
            with suppress(FileNotFoundError):
                os.unlink(path)
        return len(left)

    def size(self) -> int:
        """Bytes of all files."""
        folders = [self.folder, *(self.folder / kind for kind in _PARTS if self._folder(kind))]
        total = 0
        for folder in folders:
            with os.scandir(folder) as entries:
                files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
                total += sum(entry.stat(follow_symlinks=False).st_size for entry in files)
        return total
