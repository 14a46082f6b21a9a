"""One vector a photo from its local descriptors: mAP on the real photos, dimension by dimension, and speed.

    python -m benchmarks.local.aggregates [--large] [--only VLAD] [--whole]

RootSIFT of 898 photos (at most 1,500 a photo, long side 800), learnt on themselves; of a query with a box, the
descriptors inside it. AP is Oxford's trapezoid, junk removed. Axes are learnt on the vectors of the photos' halves
(every other descriptor), of which there are twice as many: for triangulation embedding the rotation before its power
law ("turned": all axes that there are; "all": not turned), for the others a centred PCA that is whitened half way.
Photos a second: aggregation alone, one thread. --large adds 8,064 dimensions, whose training takes minutes and whose
democratic sums take seconds a photo; --whole judges vectors as they are, without axes, and so without the halves.
"""

from __future__ import annotations

import argparse
import copy
import functools
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.aggregate.fisher import FisherVector
from kinfold.aggregate.t_embedding import TEmbedding
from kinfold.aggregate.vlad import VLAD
from kinfold.base.ranking import Ranking
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.local.sift import SIFT, root_sift
from kinfold.transform.eigen import leading

PHOTOS = data.SHARED / "photos"
SIDE = 800
DIMS = (128, 512, 1024)


def features(truth: GroundTruth) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions in pixels of the files and SIFT of photos, then queries; kept in the cache folder."""
    path = data.CACHE / "local-features.npz"
    if not path.exists():
        sift = SIFT(max_features=1500, contrast_threshold=0.01, max_side=SIDE)
        found = []
        for name in (*truth.imlist, *truth.qimlist):
            pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
            own = sift.extract(fit(pixels, SIDE))
            scale = max(pixels.shape[:2]) / max(fit(pixels, SIDE).shape[:2])
            found.append((own.positions * np.float32(scale), own.descriptors.astype(np.uint8)))
        data.CACHE.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            counts=[len(p) for p, _ in found],
            positions=np.concatenate([p for p, _ in found]),
            descriptors=np.concatenate([d for _, d in found]),
        )
    with np.load(path) as file:
        cuts = np.cumsum(file["counts"])[:-1]
        return list(zip(np.split(file["positions"], cuts), np.split(file["descriptors"], cuts)))


def described(truth: GroundTruth) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """RootSIFT of the photos, and of the queries inside their boxes."""
    found = features(truth)
    photos = [root_sift(d) for _, d in found[: len(truth.imlist)]]
    queries = []
    for (positions, descriptors), known in zip(found[len(truth.imlist) :], truth.gnd):
        if known.get("bbx") is not None:
            x0, y0, x1, y1 = known["bbx"]
            inside = (positions >= (x0, y0)) & (positions <= (x1, y1))
            descriptors = descriptors[inside.all(axis=1)]
        queries.append(root_sift(descriptors))
    return photos, queries


def judged(truth: GroundTruth, photos: np.ndarray, queries: np.ndarray) -> str:
    """mAP of an exhaustive search by inner product."""
    order = np.argsort(-(queries @ photos.T), axis=1, kind="stable")
    return f"{evaluate(Ranking.from_ids(order), truth, protocol='oxford').map:.3f}"


def normalised(x: np.ndarray, power: float) -> np.ndarray:
    """Power law and length one."""
    x = np.sign(x) * np.abs(x) ** power
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def axes_of(halves: np.ndarray, rotated: bool) -> Callable[[np.ndarray], np.ndarray]:
    """The map to axes that are learnt on vectors; rotated: all there are, else a PCA whitened half way."""
    most = min(len(halves) - 1, halves.shape[1])
    if not rotated:
        return kf.PCA(min(max(DIMS), most), whiten=0.25).fit(halves).transform
    # Axes of fewer vectors than dimensions, by the vectors' inner products.
    values, rows = leading(halves @ halves.T.astype(np.float64), most)
    axes = rows[values > 1e-9 * values[0]] @ halves
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return lambda x: x @ axes.T.astype(np.float32)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", default="", help="methods whose name holds this")
    parser.add_argument("--whole", action="store_true", help="without axes")
    arguments = parser.parse_args()
    kf.set_threads(1)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    photos, queries = described(truth)
    learnt = np.concatenate(photos)[::8]
    # Both sums are of the same embedded descriptors: learnt once.
    learnt_by = functools.cache(lambda k: TEmbedding(k, rotate=False).fit(learnt))

    def triangulation(k: int, aggregation: str) -> TEmbedding:
        model = copy.copy(learnt_by(k))
        model.aggregation, model.normalise = aggregation, aggregation == "democratic"
        return model

    methods: dict[str, Callable[[], Any]] = {
        "VLAD 64": lambda: VLAD(64).fit(learnt),
        "VLAD 64, not intra-normalised, power 0.5": lambda: VLAD(64, intra=False, power=0.5).fit(learnt),
        "VLAD 16, four vocabularies": lambda: VLAD(16, vocabularies=4).fit(learnt),
        "VLAD 64, four vocabularies": lambda: VLAD(64, vocabularies=4).fit(learnt),
        "Fisher vector 64, means": lambda: FisherVector(64).fit(learnt),
        "Fisher vector 64, means and variances": lambda: FisherVector(
            64, gradients="means and variances"
        ).fit(learnt),
    }  # fmt: skip
    for k in (16, 64) if arguments.large else (16,):
        for aggregation in ("sum", "democratic"):
            methods[f"triangulation {k}, {aggregation}"] = functools.partial(
                triangulation, k, aggregation
            )
    print(
        heading(
            [
                "one vector a photo",
                "dim",
                "mAP, all",
                "turned",
                *(f"to {d}" for d in DIMS),
                "photos/s",
            ]
        )
    )
    for name, make in methods.items():
        if arguments.only not in name:
            continue
        model = make()
        # Triangulation embedding is rotated before its power law; the others are whitened after their own.
        rotated = isinstance(model, TEmbedding)
        aggregate = model._aggregated if rotated else model.transform
        start = time.process_time()
        raw = aggregate([*photos, *queries])
        spent = time.process_time() - start
        power = 0.5 if rotated else 1.0
        wholes = [normalised(raw, power)]
        turned = raw[:, :0]
        if not arguments.whole:
            halves = aggregate([half for photo in photos for half in (photo[::2], photo[1::2])])
            turned = axes_of(halves, rotated)(raw)
            if rotated:
                wholes.append(normalised(turned, power))
        n = len(photos)
        cells = [judged(truth, whole[:n], whole[n:]) for whole in wholes]
        cells += ["–"] * (2 - len(wholes))
        for dim in DIMS:
            short = normalised(turned[:, :dim], power)
            cells.append(judged(truth, short[:n], short[n:]) if dim <= turned.shape[1] else "–")
        print(row([name, raw.shape[1], *cells, f"{len(raw) / spent:.1f}"]), flush=True)


if __name__ == "__main__":
    main()
