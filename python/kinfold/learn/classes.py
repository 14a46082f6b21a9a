"""A folder of folders: each a class, its photos of one thing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kinfold.base.arrays import Ids, as_number
from kinfold.base.errors import ImageError
from kinfold.base.progress import progress
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, to_shorter
from kinfold.images.walk import walk


@dataclass
class Classes:
    """Photos by class.

    photos : pixels uint8 (H, W, 3), or files
    labels : int64 (n,)    into names
    names : of the folders, sorted; those of one photo alone are classes too
    skipped : path and reason of what cannot be read, and of photos that lie in no folder
    """

    photos: list[Pixels | Path]
    labels: Ids
    names: list[str]
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def split(self, share: float, *, seed: int = 0) -> tuple[Ids, Ids]:
        """Photos to learn from and photos to judge by, of other classes: int64 rows.

        share : of the classes that are judged by; at least one with two photos or more, and at least two are left
        """
        part = as_number(share, "share", least=0, most=1)
        sizes = np.bincount(self.labels, minlength=len(self.names))
        order = np.random.default_rng(seed).permutation(len(self.names))
        several = [int(name) for name in order if sizes[name] > 1]
        apart = several[: max(round(part * len(self.names)), 1)] if part else []
        if len(self.names) - len(apart) < 2:
            raise ValueError(
                f"classes: expected three at least, one of them to judge by, got {len(self.names)}"
            )
        judged = np.isin(self.labels, apart)
        return np.flatnonzero(~judged), np.flatnonzero(judged)


def classes_of(
    folder: str | os.PathLike[str], *, shorter: int | None = None, verbose: bool = True
) -> Classes:
    """The photos of a folder whose folders are classes, whatever is below them.

    shorter : photos are decoded, and reduced to this shorter side; None to leave them as files
    Raises ValueError where there are not two classes, or no two photos of any.
    """
    root = Path(folder)
    skipped: list[tuple[str, str]] = []
    photos: list[Pixels | Path] = []
    classes: list[str] = []
    found = walk(root, on_error=lambda path, reason: skipped.append((path, reason)))
    for photo in progress(found, "photos", verbose=verbose):
        name, _, rest = photo.path.partition("/")
        if not rest:
            skipped.append((photo.path, "is in no folder of a class"))
            continue
        try:
            photos.append(_reduced(root / photo.path, shorter))
        except ImageError as error:
            skipped.append((photo.path, str(error)))
            continue
        classes.append(name)
    names, labels = np.unique(np.array(classes, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"{root}: expected a folder for each class, two at least, with photos, got {len(names)}"
        )
    if np.bincount(labels).max() < 2:
        raise ValueError(f"{root}: expected two photos of some class, got one of each")
    return Classes(photos, labels.astype(np.int64), names.tolist(), skipped)


def _reduced(path: Path, shorter: int | None) -> Pixels | Path:
    if shorter is None:
        return path
    pixels = decode(path).pixels
    return pixels if min(pixels.shape[:2]) <= shorter else to_shorter(pixels, shorter)
