"""Local features kept in fewer bytes: what verification loses.

    python -m benchmarks.gallery.coded

The photos and queries that Kinfold's own engines never saw, see brought.py. The first 30 photos of each query are
verified, with what is kept of them whole, by product codes of RootSIFT learnt on the free photos, and by the features
of the strongest response alone; positions to a quarter of a pixel, scales to an eighth of an octave, angles to 256
steps. *found*: right photos of the 30 with six inliers or more; *wrong*: others; mAP of the order by inliers from six
on, then by similarity. *B a photo*: of codes, and 6 bytes of place, scale and angle, at 1,500 features at most.
"""

from __future__ import annotations

import time

import numpy as np

import kinfold as kf
from benchmarks.gallery.brought import Judge, described, is_free
from benchmarks.measure import heading, row
from kinfold.base.local_features import LocalFeatures
from kinfold.evaluate.average_precision import average_precision
from kinfold.gallery.query import Query
from kinfold.local.descriptors import compared
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import verify_many
from kinfold.quantize.product import ProductQuantizer

TOP, LEAST, SAMPLE, PLACE = 30, 6, 60_000, 6
WAYS = [(0, 1500), (32, 1500), (16, 1500), (8, 1500), (0, 800), (32, 1000), (16, 1000), (32, 500)]


def kept(features: LocalFeatures, quantizer: ProductQuantizer | None, most: int) -> LocalFeatures:
    """What is left of the features of a photo."""
    part = features.select(slice(0, most))
    descriptors = part.descriptors
    if quantizer is not None:
        shares = np.maximum(quantizer.decode(quantizer.encode(compared(descriptors))), 0) ** 2
        lengths = np.linalg.norm(shares, axis=1, keepdims=True)
        # As SIFT has them: 512 long.
        near = 512 * shares / np.maximum(lengths, 1e-9)
        descriptors = np.clip(np.rint(near), 0, 255).astype(np.uint8)
    step = np.float32(2 * np.pi / 256)
    return LocalFeatures(
        np.rint(part.positions * 4) / 4,
        np.exp2(np.rint(np.log2(part.scales) * 8) / 8),
        np.rint(part.angles / step) * step,
        descriptors,
    )


def main() -> None:
    """Print one line a way."""
    kf.set_threads(1)
    judge = Judge()
    rows = judge.every()
    fused, *_ = judge.gallery(rows, True, 0)
    place, answers = np.array(rows), []
    for name in judge.asked:
        features = judge.queries[name]
        vector = fused.model.describe(features)
        query = Query(
            name, np.zeros((1, 1, 3), np.uint8), (1, 1), None, features, np.eye(3), vector
        )
        answers.append(fused.search(query, len(fused)))
    free = described(sorted(name for name, is_so in is_free().items() if is_so))
    sample = np.concatenate([features.descriptors for features in free.values()])
    chosen = np.random.default_rng(0).choice(len(sample), SAMPLE, replace=False)
    sample = compared(sample[np.sort(chosen)])
    learnt: dict[int, ProductQuantizer | None] = {0: None}
    print(heading(["codes", "features", "B a photo", "found", "wrong", "mAP", "CPU s"]))
    for codes, most in WAYS:
        if codes not in learnt:
            learnt[codes] = ProductQuantizer(codes, verbose=False).fit(sample)
        began = time.process_time()
        found = wrong = 0
        precisions = []
        held: dict[int, LocalFeatures] = {}
        for name, answer in zip(judge.asked, answers):
            entry, first = judge.entries[name], place[answer.ids[:TOP] - 1].tolist()
            for at in first:
                if at not in held:
                    held[at] = kept(judge.photos[judge.names[at]], learnt[codes], most)
            photos = [held[at] for at in first]
            pairs = match_many(prepare(judge.queries[name]), photos)
            verified = verify_many(judge.queries[name], photos, pairs)
            inliers = np.array([one.inliers for one in verified])
            right = np.isin(first, entry["ok"])
            found += int((right & (inliers >= LEAST)).sum())
            wrong += int((~right & ~np.isin(first, entry["junk"]) & (inliers >= LEAST)).sum())
            order = np.argsort(-np.where(inliers >= LEAST, inliers, 0), kind="stable")
            ranked = place[answer.ids - 1]
            ranked[:TOP] = np.array(first)[order]
            there = [at for at in entry["ok"] if at in set(rows)]
            precisions.append(average_precision(ranked, there, entry["junk"]))
        mean = np.mean([min(len(each), most) for each in judge.photos.values()])
        size = mean * (PLACE + (codes or 128))
        name = f"PQ{codes}" if codes else "whole"
        print(
            row([name, str(most), f"{size:,.0f}", str(found), str(wrong),
                 f"{np.mean(precisions):.4f}", f"{time.process_time() - began:.0f}"]),
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
