"""Rendered photos that differ from a query in one thing at a time: what makes retrieval hard."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.datasets.facade import random_style
from kinfold.datasets.street import (
    Street,
    View,
    as_size,
    developed,
    make_stock,
    make_street,
    photograph,
)

_PLAIN = View((-10, 10), (1.0, 1.15), light=("sun",), crowd=(0, 0))
# Each but for one thing is as the query is.
CHALLENGES: dict[str, View] = {
    "none": _PLAIN,
    "scale": replace(_PLAIN, distance=(2.4, 3.4)),
    "part": replace(_PLAIN, distance=(0.28, 0.45), detail=True),
    "viewpoint": replace(_PLAIN, azimuth=(44, 62)),
    "occlusion": replace(_PLAIN, trees=4),
    "clutter": replace(_PLAIN, crowd=(10, 16)),
    "lighting": replace(_PLAIN, light=("night",)),
    "texture": _PLAIN,
}


def render_challenges(
    folder: str | os.PathLike[str],
    *,
    scenes: int = 16,
    photos: int = 2,
    distractors: int = 100,
    size: tuple[int, int] = (640, 480),
    seed: int = 0,
    verbose: bool = True,
) -> dict[str, dict[str, Any]]:
    """Render buildings, each as a query and by each challenge, into ``jpg``; returns a ground truth of each challenge.

    folder : made if missing
    scenes : buildings; "texture" is of other ones, of bare plaster without ornaments
    photos : of each building by each challenge
    distractors : other streets
    size : width and height in pixels
    Returns challenge -> {"imlist", "qimlist", "gnd"}, names without ``.jpg``. All have one imlist; a query's photos by
    other challenges are junk. Raises ValueError for counts that are too small, MissingExtraError without OpenCV.
    """
    scenes, photos = as_count(scenes, "scenes"), as_count(photos, "photos")
    distractors = as_count(distractors, "distractors", least=0)
    seed = as_count(seed, "seed", least=0)
    shape = as_size(size)
    require("cv2")
    place = Path(folder) / "jpg"
    place.mkdir(parents=True, exist_ok=True)
    stock = make_stock(np.random.default_rng([seed, 0]))
    imlist: list[str] = []

    def taken(name: str, street: Street, view: View, *number: int) -> str:
        rng = np.random.default_rng([seed, *number])
        picture = photograph(rng, street, view, shape)[0]
        (place / f"{name}.jpg").write_bytes(developed(rng, picture))
        return name

    queries: dict[bool, list[str]] = {False: [], True: []}
    rows: dict[str, list[list[int]]] = {name: [] for name in CHALLENGES}
    with progress((), "rendering", verbose=verbose, total=2 * scenes + distractors) as bar:
        for n in range(2 * scenes):
            bare = n >= scenes
            style = random_style(np.random.default_rng([seed, 1, n % scenes]))
            if bare:
                style = replace(style, material="plaster", ornament="none", shutters=False)
            street = make_street(np.random.default_rng([seed, 2, n]), stock, style)
            queries[bare].append(taken(f"query{n:03d}", street, _PLAIN, 3, n))
            for kind, (name, view) in enumerate(CHALLENGES.items()):
                if (name == "texture") != bare:
                    continue
                rows[name].append(list(range(len(imlist), len(imlist) + photos)))
                imlist += [
                    taken(f"{name}{n:03d}_{i}", street, view, 4, n, kind, i) for i in range(photos)
                ]
            bar.update(1)
        for n in range(distractors):
            street = make_street(np.random.default_rng([seed, 5, n]), stock, None)
            view = list(CHALLENGES.values())[n % len(CHALLENGES)]
            imlist.append(taken(f"street{n:03d}", street, view, 6, n))
            bar.update(1)
    return {
        name: {
            "imlist": imlist, "qimlist": queries[name == "texture"],
            "gnd": [
                {"ok": ok, "junk": sorted(
                    row for other, found in rows.items()
                    if name != other and "texture" not in (name, other) for row in found[i]
                ), "bbx": None}
                for i, ok in enumerate(rows[name])
            ],
        }
        for name in CHALLENGES
    }  # fmt: skip
