"""ASMK on the real photos: mAP, bytes, and where the time goes.

    python -m benchmarks.local.asmk_map [--words 16384]

RootSIFT of 898 photos, 82 queries cropped to their boxes where they have one; AP is Oxford's trapezoid, junk removed.
*score*: of a query that is aggregated already, which is what a query costs besides the assignment to words.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

import kinfold as kf
from benchmarks.data import SHARED
from benchmarks.measure import heading, row
from kinfold.base.ranking import Ranking
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.local.sift import SIFT, root_sift
from kinfold.words.asmk import ASMK
from kinfold.words.words import VisualWords

PHOTOS = SHARED / "photos"
SIDE = 800
WAYS = {
    "signs": {},
    "signs, not rotated": {"rotate": False},
    "signs against medians": {"binarize": "median"},
    "vectors": {"binarize": "none"},
    "signs, one word a descriptor": {"multiple": 1},
    "signs, no idf": {"idf": False},
}


def described(truth: GroundTruth) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """RootSIFT of the photos and of the queries."""
    sift = SIFT(max_features=1500, contrast_threshold=0.01, max_side=SIDE)
    photos, queries = [], []
    for name in truth.imlist:
        pixels = fit(decode(PHOTOS / "jpg" / f"{name}.jpg", max_side=SIDE).pixels, SIDE)
        photos.append(root_sift(sift.extract(pixels).descriptors))
    for name, known in zip(truth.qimlist, truth.gnd):
        pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
        if known.get("bbx") is not None:
            x0, y0, x1, y1 = (max(0, int(side)) for side in known["bbx"])
            pixels = np.ascontiguousarray(pixels[y0:y1, x0:x1])
        queries.append(root_sift(sift.extract(fit(pixels, SIDE)).descriptors))
    return photos, queries


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=16384)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    kf.set_threads(arguments.threads)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    photos, queries = described(truth)
    learnt = np.concatenate(photos)
    words = VisualWords(arguments.words, sample=40, verbose=False)
    print(heading(["ASMK", "mAP", "B/photo", "add ms/photo", "query ms", "score ms"]))
    for name, choices in WAYS.items():
        model = ASMK(words, **choices).fit(learnt)
        start = time.perf_counter()
        model.add(photos)
        added = time.perf_counter()
        model.scores(queries[:1])  # makes the lists
        ready = time.perf_counter()
        scores = model.scores(queries)
        asked = time.perf_counter()
        model.neighbours(10)
        compared = time.perf_counter()
        ranking = Ranking.from_ids(np.argsort(-scores, axis=1, kind="stable"))
        cells = [
            f"{evaluate(ranking, truth, protocol='oxford').map:.4f}",
            f"{model.stats()['bytes_per_photo']:,.0f}",
            f"{(added - start) / len(photos) * 1e3:.1f}",
            f"{(asked - ready) / len(queries) * 1e3:.1f}",
            f"{(compared - asked) / len(photos) * 1e3:.2f}",
        ]
        print(row([name, *cells]), flush=True)


if __name__ == "__main__":
    main()
