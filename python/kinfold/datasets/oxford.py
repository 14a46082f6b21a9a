"""Oxford5k, Paris6k, and both among 100,000 other photos (Philbin et al., CVPR 2007 and 2008)."""

from __future__ import annotations

import os
from collections.abc import Collection as Names
from pathlib import Path

from kinfold.datasets.collection import Collection, find_photos
from kinfold.evaluate.ground_truth import GroundTruth
from kinfold.io.foreign import ground_truth_text

Root = str | os.PathLike[str]

# Photos of Paris that the publishers list as corrupt: 6,412 become 6,392.
_CORRUPT = frozenset(
    f"paris_{place}_{number:06d}"
    for place, numbers in {
        "louvre": (136, 146), "moulinrouge": (422,), "museedorsay": (1059,), "notredame": (188,),
        "pantheon": (284, 960, 974), "pompidou": (195, 196, 201, 467, 640), "sacrecoeur": (299, 330, 353),
        "triomphe": (662, 833, 863, 867),
    }.items()
    for number in numbers
)  # fmt: skip


def oxford5k(root: Root) -> Collection:
    """Oxford5k: 5,063 photos, 55 queries with boxes; a query's photo is in the database and a positive.

    root : a folder with the photos in ``oxbuild_images`` (or ``jpg``, ``images``) and the text files of the ground
        truth in ``gt_files_170407`` (or ``gt_files``, ``gt``)
    Raises FileNotFoundError, with one sentence on what belongs where; FileFormatError.
    """
    return _load("oxford5k", root, "oxford5k", "oxc1_", ())


def oxford105k(root: Root) -> Collection:
    """Oxford5k with the 100,071 photos of Flickr100k behind, in ``oxc1_100k`` (or ``flickr100k``)."""
    return _load("oxford105k", root, "oxford5k", "oxc1_", (), distractors=True)


def paris6k(root: Root) -> Collection:
    """Paris6k: 6,392 photos without the 20 corrupt ones, 55 queries with boxes.

    root : a folder with the photos in ``paris`` (or ``jpg``, ``images``; subfolders are searched) and the text files of
        the ground truth in ``paris_120310`` (or ``gt_files``, ``gt``)
    """
    return _load("paris6k", root, "paris6k", "", _CORRUPT)


def paris106k(root: Root) -> Collection:
    """Paris6k with the 100,071 photos of Flickr100k behind, in ``oxc1_100k`` (or ``flickr100k``)."""
    return _load("paris106k", root, "paris6k", "", _CORRUPT, distractors=True)


_PHOTOS = {
    "oxford5k": ("oxbuild_images", "oxbuild_images-v1", "jpg", "images"),
    "paris6k": ("paris", "jpg", "images"),
}
_LISTS = {
    "oxford5k": ("gt_files_170407", "gt_files", "gt"),
    "paris6k": ("paris_120310", "gt_files", "gt"),
}
_EXAMPLE = {"oxford5k": "all_souls_1", "paris6k": "defense_1"}
_PAGES = {
    "oxford5k": "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/",
    "paris6k": "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/",
}
_ARCHIVES = {
    "oxford5k": "oxbuild_images-v1.tgz and gt_files_170407.tgz",
    "paris6k": "paris_1-v1.tgz, paris_2-v1.tgz and paris_120310.tgz",
}
_DISTRACTORS = ("oxc1_100k", "flickr100k", "flickr100k/oxc1_100k")


def _load(
    name: str, root: Root, base: str, prefix: str, corrupt: Names[str], *, distractors: bool = False
) -> Collection:
    folder = Path(root)
    photos, lists = _PHOTOS[base], _LISTS[base]
    what = (
        f"{name}: put the photos into {folder / photos[0]} (or {', '.join(photos[1:])}) and the ground truth's text "
        f"files, {_EXAMPLE[base]}_query.txt, _good.txt, _ok.txt, _junk.txt and so on, into {folder / lists[0]} (or "
        f"{', '.join(lists[1:])}), as {_PAGES[base]} publishes them in {_ARCHIVES[base]}"
    )
    found = find_photos(folder, photos, what)
    files = {key: path for key, path in found.items() if key not in corrupt}
    texts = next((folder / entry for entry in lists if (folder / entry).is_dir()), None)
    if texts is None:
        raise FileNotFoundError(what)
    truth = ground_truth_text.read(texts, list(files), prefix=prefix, absent=corrupt)
    query_files = [files.get(query) for query in truth["qimlist"]]
    if None in query_files:
        missing = truth["qimlist"][query_files.index(None)]
        raise FileNotFoundError(f"{what} (the query's photo {missing} is missing)")
    if distractors:
        others = find_photos(
            folder,
            _DISTRACTORS,
            f"{name}: put the photos of Flickr100k into {folder / _DISTRACTORS[0]}, "
            "as https://www.robots.ox.ac.uk/~vgg/data/oxbuildings/flickr100k.html publishes them",
            by_path=True,
        )
        files |= {f"distractor/{key}": path for key, path in others.items()}
        truth["imlist"] = list(files)
    return Collection(
        name, GroundTruth.from_dict(truth), tuple(files.values()),
        tuple(path for path in query_files if path is not None), ("oxford",),
    )  # fmt: skip
