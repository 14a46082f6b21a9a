"""INRIA Holidays (Jegou, Douze & Schmid, ECCV 2008)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from kinfold.base.errors import FileFormatError
from kinfold.base.offered import call_by_name
from kinfold.base.text import decoded
from kinfold.datasets.collection import Collection, all_of, find_photos
from kinfold.evaluate.ground_truth import GroundTruth

_TURNS = {"0": 0, "90": 1, "180": 2, "270": 3, "-90": 3}


def holidays(
    root: str | os.PathLike[str], *, rotations: str | os.PathLike[str] | None = None
) -> Collection:
    """Holidays: 1,491 photos in 500 groups; the first of each is a query, whose own photo is passed over.

    root : a folder with the photos in ``jpg`` (or ``images``), and optionally the list ``holidays_images.dat``
    rotations : a text file of lines "name degrees": photos that are turned to the right by 90, 180 or 270. Results
        on upright photos are higher, and are called holidays-rotated here.
    Raises FileNotFoundError, with one sentence on what belongs where; FileFormatError.
    """
    folder = Path(root)
    what = (
        f"holidays: put the photos of jpg1.tar.gz and jpg2.tar.gz into {folder / 'jpg'}, "
        "as https://lear.inrialpes.fr/~jegou/data.php publishes them"
    )
    found = find_photos(folder, ("jpg", "images"), what)
    listing = folder / "holidays_images.dat"
    if listing.is_file():
        names = [word.partition(".")[0] for word in decoded(listing.read_bytes()).split()]
    else:
        names = [name for name in found if name.isdigit()]
    names = sorted(set(names))
    for name in names:
        if len(name) != 6 or not name.isdigit():
            raise FileFormatError(f"{listing}: expected names of six digits, got {name!r}")
    files = all_of(found, names, what)
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name[:4], []).append(place)
    queries = [group[0] for group in groups.values()]
    truth = GroundTruth.from_dict(
        {
            "imlist": names,
            "qimlist": [names[query] for query in queries],
            "gnd": [{"ok": group[1:], "junk": group[:1]} for group in groups.values()],
        }
    )
    turns = {} if rotations is None else _rotations(Path(rotations), names)
    name = "holidays" if rotations is None else "holidays-rotated"
    return Collection(
        name, truth, files, tuple(files[query] for query in queries), ("holidays",), turns
    )


def _rotations(path: Path, names: list[str]) -> Mapping[str, int]:
    turns = {}
    known = set(names)
    for number, line in enumerate(re.split("\r\n|\n|\r", decoded(path.read_bytes())), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        name = words[0].partition(".")[0]
        if len(words) != 2 or words[1] not in _TURNS or name not in known:
            raise FileFormatError(
                f"{path}, line {number}: expected a photo's name and 90, 180 or 270, got {line[:60]!r}"
            )
        turns[name] = _TURNS[words[1]]
    return turns


call_by_name(__name__)
