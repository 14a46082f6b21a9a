"""A gallery as it is read: a snapshot for searches, and the reader that opens what a snapshot consists of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.gallery.batches import BatchDescriber
from kinfold.gallery.describe import Describer
from kinfold.gallery.lock import writer
from kinfold.gallery.manifest import Manifest
from kinfold.gallery.names import as_names, match_names
from kinfold.gallery.parts import Parts, read_parts
from kinfold.gallery.photo import Photo
from kinfold.gallery.photo_filter import admitted
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.segments import Segments
from kinfold.gallery.settings import REMAKE
from kinfold.gallery.store import PHOTOS, Store


@dataclass(frozen=True)
class Snapshot:
    """What searches read. It never changes; what an update does is seen by the next one.

    parts : of one manifest, all read
    The table of photos alone tells of this moment: which of the photos are still there, and where.
    """

    parts: Parts
    table: PhotoTable
    segments: Segments
    store: Store

    @property
    def root(self) -> Path:
        """The folder of the photos."""
        return Path(self.store.read().photos or "")

    @property
    def ids(self) -> Ids:
        """The photos in the index, in the order of the graph's nodes, int64 (n,)."""
        return self.parts.ids

    def by_ids(self, ids: Iterable[int]) -> dict[int, Photo]:
        """Photos by id; those that are gone are missing."""
        return self.table.by_ids(ids)

    def features(self, id: int) -> LocalFeatures:
        """The local features of a photo. Raises KeyError for an unknown id."""
        return self.segments.features(self.by_ids([id])[id])

    def admitted(self, filter: Any) -> Ids | None:
        """The ids that a search's ``filter`` admits, ascending; None for all. See ``photo_filter``."""
        return admitted(filter, self.table, self.root)

    def ids_of(self, names: Sequence[str]) -> list[int | None]:
        """The id of the photo that each name of a ground truth means; None where there is none."""
        return ids_of(self.table, self.root, names)


def ids_of(table: PhotoTable, root: Path, names: Sequence[str]) -> list[int | None]:
    """The id of the photo that each name of a ground truth means; None where there is none."""
    photos: Mapping[str, int] = {photo.path: photo.id for photo in table.described()}
    paths = match_names(as_names(names, "names"), photos, root=root)
    return [None if path is None else photos[path] for path in paths]


class Reader:
    """Opens what a gallery consists of: each thing once, by one thread, when it is first needed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.settings = store.read().settings
        self.segments = Segments(store)
        self._table: PhotoTable | None = None
        self._parts: Parts | None = None
        self._describer: Describer | None = None
        # Networks must not be set up by two threads at once, and the table be opened once.
        self._describing, self._opening = Lock(), Lock()

    @property
    def root(self) -> Path:
        """The folder of the photos, as the newest manifest says."""
        return Path(self.store.read().photos or "")

    @property
    def folders(self) -> list[Path]:
        """Every folder of photos, that of the paths first."""
        return [self.root, *map(Path, self.store.folders())]

    def open(self) -> PhotoTable:
        """The table of photos, to be read. Raises FileFormatError for a damaged one."""
        with self._opening:
            if self._table is None:
                self._table = PhotoTable(self.store.folder / PHOTOS, folders=self.store.folders)
            return self._table

    @property
    def table(self) -> PhotoTable:
        """The table of photos, to be read."""
        return self.open()

    @property
    def parts(self) -> Parts:
        """The parts that searches read. Raises GalleryError for a gallery without photos."""
        if self._parts is None:
            if "graph" not in self.store.read().parts and (count := self.table.count()):
                raise GalleryError(f"{self.store.folder}: {self._unfinished(count)}")
            self._parts = read_parts(self.store)
        return self._parts

    @property
    def snapshot(self) -> Snapshot:
        """What searches read."""
        return Snapshot(self.parts, self.table, self.segments, self.store)

    def describer(self, manifest: Manifest) -> Describer:
        """What describes photos by the weights of a manifest."""
        with self._describing:
            if self._describer is None:
                files = [self.store.part(name) for name in manifest.weights]
                local = [self.store.part(name) for name in manifest.local_weights]
                try:
                    self._describer = Describer(self.settings, files, local)
                except (FileFormatError, FileNotFoundError) as error:
                    raise FileFormatError(
                        f"{error}; kinfold index --weights FILE, or --local-weights FILE, puts the weights back"
                    ) from error
                except ValueError as error:
                    raise FileFormatError(f"{self.store.folder}: {error}") from error
            return self._describer

    def batches(self, manifest: Manifest) -> BatchDescriber:
        """What describes photos elsewhere as ``describer`` does here."""
        files = [self.store.part(name) for name in manifest.weights]
        local = [self.store.part(name) for name in manifest.local_weights]
        return BatchDescriber(manifest.settings, files, local)

    def describer_of_queries(self) -> Describer:
        """What describes queries as the photos in the index were. Raises GalleryError where that cannot be done."""
        describer = self.describer(self.parts.manifest)
        if describer.fingerprint != self.parts.model.fingerprint:
            raise GalleryError(other_version(self.store.folder))
        return describer

    def forget(self) -> None:
        """Read the parts anew when they are next needed: an update may have changed them."""
        self._parts = None

    def close(self) -> None:
        """Close the table of photos."""
        with self._opening:
            if self._table is not None:
                self._table.close()
            self._table = None

    def _unfinished(self, count: int) -> str:
        by = writer(self.store.folder)
        if by is not None:
            return f"{count} photos are described; the index is being made by {by}"
        return (
            f"{count} photos are described, but have no index yet; "
            "kinfold index goes on where it was stopped"
        )


def other_version(folder: Path) -> str:
    """What is said where photos and queries are not described alike."""
    return f"{folder}: was made by another version of the feature extractor; {REMAKE}"
