"""Revisited Oxford and Paris (Radenovic, Iscen, Tolias, Avrithis & Chum, CVPR 2018)."""

from __future__ import annotations

import os
from pathlib import Path

from kinfold.base.text import lines_of
from kinfold.datasets.collection import Collection, all_of, find_photos
from kinfold.evaluate.ground_truth import GroundTruth
from kinfold.io.foreign import ground_truth_pickle

_PROTOCOLS = ("revisited-easy", "revisited-medium", "revisited-hard")


def roxford5k(root: str | os.PathLike[str], *, distractors: bool = False) -> Collection:
    """ROxford5k: 4,993 photos, 70 queries with boxes that are not in the database; easy, medium, hard.

    root : a folder with ``roxford5k/gnd_roxford5k.pkl`` and the photos in ``roxford5k/jpg``
    distractors : the million photos of ``revisitop1m/jpg`` behind, as ``revisitop1m/revisitop1m.txt`` lists them
    Raises FileNotFoundError, with one sentence on what belongs where; FileFormatError.
    """
    return _load("roxford5k", Path(root), distractors)


def rparis6k(root: str | os.PathLike[str], *, distractors: bool = False) -> Collection:
    """RParis6k: 6,322 photos, 70 queries; files as of roxford5k."""
    return _load("rparis6k", Path(root), distractors)


def _load(name: str, root: Path, distractors: bool) -> Collection:
    folder = root / name
    pickle = folder / f"gnd_{name}.pkl"
    what = (
        f"{name}: put the ground truth into {pickle} and the photos into {folder / 'jpg'}, "
        "as http://cmp.felk.cvut.cz/revisitop publishes them"
    )
    if not pickle.is_file():
        raise FileNotFoundError(what)
    truth = ground_truth_pickle.read(pickle)
    base = GroundTruth.from_dict(truth)
    found = find_photos(folder, ("jpg",), what)
    files = all_of(found, base.imlist, what)
    query_files = all_of(found, base.qimlist, what)
    if distractors:
        name += "+1m"
        million = root / "revisitop1m"
        listing = million / "revisitop1m.txt"
        needed = (
            f"{name}: put the distractors into {million / 'jpg'} and their list into {listing}, "
            "as http://cmp.felk.cvut.cz/revisitop publishes them"
        )
        if not listing.is_file():
            raise FileNotFoundError(needed)
        lines = [line.strip() for line in lines_of(listing.read_bytes())]
        paths = tuple(million / "jpg" / line for line in lines)
        absent = next((path for path in paths if not path.is_file()), None)
        if absent is not None or not paths:
            raise FileNotFoundError(f"{needed} (such as {absent})")
        files += paths
        truth["imlist"] = [*truth["imlist"], *(f"distractor/{line}" for line in lines)]
        base = GroundTruth.from_dict(truth)
    return Collection(name, base, files, query_files, _PROTOCOLS)
