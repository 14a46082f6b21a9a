"""A retrieval benchmark on disk: photos of the database, queries, and what should be found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.ranking import Ranking
from kinfold.evaluate.ground_truth import GroundTruth
from kinfold.evaluate.protocols import Evaluation, evaluate
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, fitted_size, resize

# Of photos in a folder, in lower case.
_SUFFIXES = (".jpg", ".jpeg", ".png")
# Photos and queries as they are published.
PUBLISHED = {
    "oxford5k": (5063, 55), "oxford105k": (105_134, 55), "paris6k": (6392, 55), "paris106k": (106_463, 55),
    "holidays": (1491, 500), "roxford5k": (4993, 70), "rparis6k": (6322, 70),
}  # fmt: skip


@dataclass(frozen=True)
class Collection:
    """A benchmark whose files were all found.

    name : such as "oxford5k"
    truth : imlist, qimlist, lists and boxes; positions are those of ``files``
    files : of the database, in the order of imlist
    query_files : of the queries, not cropped
    protocols : those by which results are published, see ``kinfold.evaluate``
    turns : quarter turns to the right, by name, for photos that lie on their side
    """

    name: str
    truth: GroundTruth
    files: tuple[Path, ...]
    query_files: tuple[Path, ...]
    protocols: tuple[str, ...]
    turns: Mapping[str, int] = field(default_factory=dict)

    @property
    def published(self) -> tuple[int, int] | None:
        """How many photos and queries it has as published; None where that is not known."""
        return PUBLISHED.get(self.name.removesuffix("-rotated"))

    def photos(self, *, max_side: int | None = None) -> Iterator[Pixels]:
        """The database's pixels uint8 (H, W, 3), one after the other, the longer side at most max_side."""
        for name, path in zip(self.truth.imlist, self.files):
            yield self._upright(decode(path, max_side=max_side).pixels, name)

    def queries(self, *, max_side: int | None = None) -> Iterator[Pixels]:
        """The queries' pixels inside their boxes, where they have some.

        max_side : the whole photo is reduced to this, and its box with it: a crop is seen at the scale at which the
            same thing is seen in the database (Radenovic et al.)
        """
        for name, path, entry in zip(self.truth.qimlist, self.query_files, self.truth.gnd):
            box = entry.get("bbx")
            if box is None:
                yield self._upright(decode(path, max_side=max_side).pixels, name)
                continue
            whole = decode(path).pixels
            height, width = whole.shape[:2]
            left, top = max(0, round(box[0])), max(0, round(box[1]))
            right, bottom = min(width, round(box[2])), min(height, round(box[3]))
            if left >= right or top >= bottom:
                raise ValueError(
                    f"{path}: the query's box {box} is outside its {width} x {height} pixels"
                )
            crop = np.ascontiguousarray(whole[top:bottom, left:right])
            if max_side is not None:
                small = fitted_size(width, height, as_count(max_side, "max_side"))
                scale = max(small) / max(width, height)
                if scale < 1:
                    sides = (max(1, round(side * scale)) for side in (right - left, bottom - top))
                    crop = resize(crop, *sides)
            yield crop

    def evaluate(
        self, ranking: Ranking, protocols: Sequence[str] | None = None
    ) -> dict[str, Evaluation]:
        """The figures of ranked lists by protocols, its own if none are named: name -> Evaluation."""
        names = self.protocols if protocols is None else protocols
        return {name: evaluate(ranking, self.truth, protocol=name) for name in names}

    def _upright(self, pixels: Pixels, name: str) -> Pixels:
        turns = self.turns.get(name, 0)
        return np.ascontiguousarray(np.rot90(pixels, -turns)) if turns else pixels


def find_photos(
    root: str | os.PathLike[str], names: Sequence[str], what: str, *, by_path: bool = False
) -> dict[str, Path]:
    """The photos in the first of some folders below root that has any, by name without suffix, in its order.

    names : of folders; subfolders are searched, too
    what : one sentence for FileNotFoundError: which data belong where
    by_path : names are paths inside the folder, for photos that share names
    """
    for name in names:
        folder = Path(root) / name
        photos = [
            path
            for path in folder.rglob("*")
            # What begins with a dot is what a system keeps beside a photo.
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        ]
        if photos:
            keys = [
                p.relative_to(folder).with_suffix("").as_posix() if by_path else p.stem
                for p in photos
            ]
            return dict(sorted(zip(keys, photos)))
    raise FileNotFoundError(what)


def all_of(found: Mapping[str, Path], names: Sequence[str], what: str) -> tuple[Path, ...]:
    """The files of some names, or FileNotFoundError with the first that is not there and what belongs where."""
    # An accent may be a part of its letter, or a character of its own: other systems write names otherwise.
    alike = {normalize("NFC", name): path for name, path in found.items()}
    files = [found.get(name, alike.get(normalize("NFC", name))) for name in names]
    missing = [name for name, path in zip(names, files) if path is None]
    if missing:
        raise FileNotFoundError(f"{what} ({len(missing)} photos are missing, such as {missing[0]})")
    return tuple(path for path in files if path is not None)
