"""RootSIFT of the real photos, photo by photo, kept in the cache folder; queries cropped to their boxes."""

from __future__ import annotations

import numpy as np

from benchmarks.data import CACHE, SHARED
from kinfold.evaluate import GroundTruth
from kinfold.local.sift import root_sift

PHOTOS = SHARED / "photos"
MOST = 1300


def truth() -> GroundTruth:
    """Which photos show the same thing."""
    return GroundTruth.from_json(PHOTOS / "ground_truth.json")


def _extracted(known: GroundTruth) -> list[np.ndarray]:
    import cv2

    cv2.setNumThreads(1)
    sift = cv2.SIFT_create(nfeatures=MOST, contrastThreshold=0.02)
    boxes = [None] * len(known.imlist) + [of.get("bbx") for of in known.gnd]
    found = []
    for name, box in zip((*known.imlist, *known.qimlist), boxes):
        grey = cv2.imread(str(PHOTOS / "jpg" / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE)
        if box is not None:
            x0, y0, x1, y1 = (max(0, int(side)) for side in box)
            grey = np.ascontiguousarray(grey[y0:y1, x0:x1])
        found.append(sift.detectAndCompute(grey, None)[1].astype(np.uint8))
    return found


def described(step: int = 1) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """RootSIFT of every step-th photo and of the queries, float32 (n_i, 128) each."""
    known = truth()
    path = CACHE / "sift-by-photo-and-box.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        found = _extracted(known)
        starts = np.cumsum([0] + [len(x) for x in found])
        np.savez(path, x=np.concatenate(found), starts=starts)
    with np.load(path) as file:
        x, starts = file["x"], file["starts"]
    each, n = np.split(x, starts[1:-1]), len(known.imlist)
    photos = [root_sift(part) for part in each[:n:step]]
    return photos, [root_sift(part) for part in each[n:]]
