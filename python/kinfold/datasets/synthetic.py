"""A collection of photos that never were: streets with buildings, seen again and again, and their ground truth."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.datasets.facade import Random, random_style
from kinfold.datasets.street import View, as_size, developed, make_stock, make_street, photograph
from kinfold.io.atomic import write_json

# Pictures in which less of the front than this is seen are junk: neither right nor wrong.
LEAST_OF_PICTURE = 0.05
LEAST_OF_FRONT = 0.16


VIEWS = {
    "front": View((-14, 14), (1.0, 1.2)),
    "left": View((-64, -38), (0.95, 1.3)),
    "right": View((38, 64), (0.95, 1.3)),
    "far": View((-40, 40), (2.2, 3.4), crowd=(3, 9)),
    "detail": View((-34, 34), (0.26, 0.44), detail=True),
    "night": View((-44, 44), (0.9, 1.4), light=("night",)),
    "crowd": View((-40, 40), (0.95, 1.3), trees=3, crowd=(6, 12)),
    "dusk": View((-44, 44), (0.9, 1.4), light=("dusk",)),
    "near": View((-38, 38), (0.6, 0.75)),
}
QUERIES = ("front", "front", "near", "left", "right")


def render_collection(
    folder: str | os.PathLike[str],
    *,
    scenes: int = 12,
    views: int = 6,
    queries_per_scene: int = 1,
    distractors: int = 40,
    size: tuple[int, int] = (640, 480),
    seed: int = 0,
    verbose: bool = True,
) -> dict[str, Any]:
    """Render a collection of street photos for retrieval, with its ground truth.

    Every scene is a building with neighbours, seen from several sides and distances, by day and by
    night, with trees, cars and people before it. Distractors are other streets of the same grammar;
    some share a scene's style, all share its neighbours. The same arguments give the same bytes.

    folder : where ``jpg/*.jpg`` and ``ground_truth.json`` are written; made if missing
    scenes, views, queries_per_scene, distractors : how many, how many database photos and queries of each
    size : width and height of a photo in pixels
    Returns ``{"imlist", "qimlist", "gnd"}``, names without ``.jpg``, as in the file: each query's ``ok``
    and ``junk`` are positions in imlist, ``bbx`` its building's box. Views that show less than 5 % of
    a photo or 16 % of the front are junk. Query photos lie in ``jpg`` too, but are not in imlist.
    Raises ValueError for counts that are too small, MissingExtraError without OpenCV, OSError.
    """
    as_count(scenes, "scenes")
    as_count(views, "views")
    as_count(queries_per_scene, "queries_per_scene", least=0)
    as_count(distractors, "distractors", least=0)
    as_count(seed, "seed", least=0)
    shape = as_size(size)
    require("cv2")
    photos = Path(folder) / "jpg"
    photos.mkdir(parents=True, exist_ok=True)
    stock = make_stock(np.random.default_rng([seed, 0]))
    styles = [random_style(np.random.default_rng([seed, 1, n])) for n in range(scenes)]

    imlist: list[str] = []
    qimlist: list[str] = []
    gnd: list[dict[str, Any]] = []
    with progress((), "rendering", verbose=verbose, total=scenes + distractors) as bar:
        for n in range(scenes):
            street = make_street(np.random.default_rng([seed, 2, n]), stock, styles[n])
            ok: list[int] = []
            junk: list[int] = []
            kinds = _kinds(np.random.default_rng([seed, 3, n]), views)
            for v, kind in enumerate(kinds):
                rng = np.random.default_rng([seed, 4, n, v])
                picture, front, whole = photograph(rng, street, VIEWS[kind], shape)
                seen = (
                    float(front.mean()) >= LEAST_OF_PICTURE
                    and front.sum() >= LEAST_OF_FRONT * whole
                )
                (ok if seen else junk).append(len(imlist))
                imlist.append(f"place{n:03d}_{v:02d}")
                (photos / f"{imlist[-1]}.jpg").write_bytes(developed(rng, picture))
            for q in range(queries_per_scene):
                rng = np.random.default_rng([seed, 5, n, q])
                view = replace(VIEWS[QUERIES[int(rng.integers(len(QUERIES)))]], crowd=(0, 3))
                picture, front, _ = photograph(rng, street, view, shape)
                qimlist.append(f"query{n:03d}_{q:02d}")
                (photos / f"{qimlist[-1]}.jpg").write_bytes(developed(rng, picture))
                gnd.append({"ok": list(ok), "junk": list(junk), "bbx": _box(front)})
            bar.update(1)
        kinds_of_others = list(VIEWS)
        for n in range(distractors):
            rng = np.random.default_rng([seed, 6, n])
            style = None
            if rng.random() < 0.4:
                style = replace(styles[int(rng.integers(scenes))], ornament="none")
            street = make_street(rng, stock, style)
            view = VIEWS[kinds_of_others[int(rng.integers(len(kinds_of_others)))]]
            imlist.append(f"street{n:03d}")
            picture, _, _ = photograph(rng, street, view, shape)
            (photos / f"{imlist[-1]}.jpg").write_bytes(developed(rng, picture))
            bar.update(1)
    truth = {"imlist": imlist, "qimlist": qimlist, "gnd": gnd}
    write_json(Path(folder) / "ground_truth.json", truth)
    return truth


def _kinds(rng: Random, views: int) -> list[str]:
    """Kinds of views in random order, each once before any comes again."""
    order: list[str] = []
    while len(order) < views:
        order += [str(kind) for kind in rng.permutation(list(VIEWS))]
    return order[:views]


def _box(front: NDArray[np.bool_]) -> list[float] | None:
    """The box around a front as it is seen; a hundredth on each side is left to stray pixels."""
    if not front.any():
        return None
    rows, columns = np.nonzero(front)
    x0, x1 = np.quantile(columns, (0.005, 0.995))
    y0, y1 = np.quantile(rows, (0.005, 0.995))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    return [float(x0), float(y0), float(x1 + 1), float(y1 + 1)]
