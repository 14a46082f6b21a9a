"""The gallery's folder: a manifest that is replaced last, and parts that never change, named by their content."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery import METHODS, MOST_NETWORKS
from kinfold.gallery.settings import Settings
from kinfold.images.digest import content_digest
from kinfold.io import atomic

FORMAT = 3
MANIFEST = "MANIFEST.json"
PHOTOS = "photos.sqlite"
_PARTS = ("segments", "parts")
_FIELDS = {"format", "library", "settings", "photos", "parts", "segments", "own_model"}
# What a manifest calls the weights of each network.
WEIGHTS = tuple(f"weights{i}" if i else "weights" for i in range(MOST_NETWORKS))
# The parts of a gallery that may be named in its manifest.
# An engine's name stands for its inverted file.
NAMES = ("model", "index", "graph", *WEIGHTS, *METHODS)


@dataclass(frozen=True)
class Manifest:
    """What a gallery consists of.

    photos : the folder of photos
    parts : name -> file in ``parts``; a gallery that holds no photo has none but weights and a given model
    segments : files in ``segments`` that the index was made from
    own_model : whether the model was learnt on this gallery, so that it is learnt anew as it grows
    """

    settings: Settings
    photos: str | None = None
    parts: dict[str, str] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    own_model: bool = True

    @property
    def weights(self) -> list[str]:
        """The file of each network's weights, in ``parts``."""
        return [self.parts[name] for name in WEIGHTS if name in self.parts]

    def with_parts(self, **parts: str) -> Manifest:
        """The same with other parts."""
        return replace(self, parts={**self.parts, **parts})


class Store:
    """Reads and writes the files of one gallery."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, settings: Settings) -> Manifest:
        """Make the folder. Raises GalleryError where something else is there.

        Returns an empty manifest, to be written when all else is there: a folder with one can be opened.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise GalleryError(f"{self.folder}: is a file, not a gallery")
        if self.folder.is_dir() and self._foreign():
            raise GalleryError(
                f"{self.folder}: is not empty and not a gallery; choose another name"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in _PARTS:
            (self.folder / name).mkdir(exist_ok=True)
        return Manifest(settings)

    def _foreign(self) -> bool:
        """Whether the folder holds what no interrupted creation leaves."""
        table = {f"{PHOTOS}{ending}" for ending in ("", "-wal", "-shm", "-journal")}
        ours = {*_PARTS, "LOCK", *table}
        return any(
            entry.name not in ours and not entry.name.startswith(f".{MANIFEST}.")
            for entry in self.folder.iterdir()
        )

    def exists(self) -> bool:
        """Whether there is a manifest."""
        return (self.folder / MANIFEST).is_file()

    def read(self) -> Manifest:
        """The manifest. Raises GalleryError where there is none, FileFormatError for a bad one."""
        path = self.folder / MANIFEST
        if not self.folder.exists():
            raise GalleryError(f"{self.folder}: there is no such gallery")
        if not path.is_file():
            raise GalleryError(f"{self.folder}: is not a gallery (it has no {MANIFEST})")
        try:
            data = json.loads(path.read_bytes())
            return _manifest(data)
        except (FileFormatError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{path}: {error}") from error

    def write(self, manifest: Manifest) -> None:
        """Replace the manifest: from here on, readers see the new state."""
        from kinfold import __version__

        data = {
            "format": FORMAT,
            "library": __version__,
            "settings": manifest.settings.to_dict(),
            "photos": manifest.photos,
            "parts": manifest.parts,
            "segments": list(manifest.segments),
            "own_model": manifest.own_model,
        }
        atomic.write_json(self.folder / MANIFEST, data, follow=False)

    def part(self, name: str) -> Path:
        """The path of a part's file."""
        return self.folder / "parts" / name

    def segment(self, name: str) -> Path:
        """The path of a segment's file."""
        return self.folder / "segments" / name

    def add(self, kind: str, ending: str, write: Callable[[Path], Any], *, label: str = "") -> str:
        """Write a file into ``segments`` or ``parts`` under the digest of its content; returns its name."""
        folder = self.folder / kind
        fresh = folder / f"new-{os.getpid()}{ending}"
        try:
            write(fresh)
            name = f"{label}{content_digest(fresh)}{ending}"
            os.replace(fresh, folder / name)
        finally:
            fresh.unlink(missing_ok=True)
        return name

    def sweep(self, manifest: Manifest, segments: Iterable[str]) -> int:
        """Remove what neither the manifest nor the table of photos refers to; returns how many files."""
        kept = {
            "segments": {*manifest.segments, *segments},
            "parts": set(manifest.parts.values()),
        }
        removed = 0
        for kind, names in kept.items():
            for entry in (self.folder / kind).iterdir():
                if entry.name not in names:
                    entry.unlink(missing_ok=True)
                    removed += 1
        for entry in self.folder.glob(f".{MANIFEST}.*.tmp"):
            entry.unlink(missing_ok=True)
            removed += 1
        return removed


def _manifest(data: Any) -> Manifest:
    if not isinstance(data, dict):
        raise FileFormatError("expected a dictionary")
    version = data.get("format")
    if type(version) is not int:
        raise FileFormatError("expected a format version")
    if version > FORMAT:
        raise FileFormatError(
            f"is of format {version}; this kinfold reads {FORMAT}: a newer one is needed"
        )
    if version < FORMAT:
        raise FileFormatError(
            f"is of format {version}, this kinfold reads {FORMAT}; index the photos anew"
        )
    if set(data) != _FIELDS:
        raise FileFormatError("expected other fields")
    parts, segments, photos = data["parts"], data["segments"], data["photos"]
    if not isinstance(parts, dict) or not set(parts) <= set(NAMES):
        raise FileFormatError("parts: expected names of files")
    if not isinstance(segments, list) or not isinstance(photos, (str, type(None))):
        raise FileFormatError("segments: expected a list of files")
    for name in [*parts.values(), *segments]:
        # A name is no path: a hostile manifest must not lead out of the folder.
        if (
            not isinstance(name, str)
            or not name
            or "/" in name
            or "\\" in name
            or name.startswith(".")
        ):
            raise FileFormatError(f"expected the name of a file, got {name!r}")
    if not isinstance(data["own_model"], bool):
        raise FileFormatError("own_model: expected true or false")
    return Manifest(
        Settings.from_dict(data["settings"]),
        photos,
        dict(parts),
        tuple(segments),
        data["own_model"],
    )
