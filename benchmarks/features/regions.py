"""Regional matching: exhaustive beside exact on a shortlist that an index of the regions proposes.

    python benchmarks/features/map_cnn.py --table methods --no-windows --networks squeezenet1_1
    python benchmarks/features/regions.py [--network squeezenet1_1]

The first keeps the regions of all photos in the cache folder; the second whitens them (PCA to 128 dimensions,
exponent 0.25, learnt on the database), and searches. Times are of one query with all its regions; mAP as in map_cnn.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kinfold as kf
from data import CACHE, SHARED
from kinfold.evaluate.average_precision import average_precision
from kinfold.features.extract import Extractor
from kinfold.transform.normalize import l2_normalize


def main() -> None:
    """Print one line for each way to search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--max-side", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    kf.set_threads(1)
    weights = SHARED / "weights" / f"{arguments.network}.safetensors"
    fingerprint = Extractor(weights, scales=[1.0], max_side=arguments.max_side).fingerprint
    stored = np.load(CACHE / f"methods-{fingerprint}.npz")
    truth = json.loads((SHARED / "photos" / "ground_truth.json").read_text())
    n, starts = len(truth["imlist"]), stored["starts"]
    pca = kf.PCA(128, whiten=0.25, shrinkage="ledoit-wolf").fit(stored["regions"][: starts[n]])
    every = np.split(l2_normalize(pca.transform(stored["regions"])), starts[1:-1])
    regional = kf.RegionalIndex(128).add(every[:n])
    flat = kf.FlatIndex(128, metric="ip")
    flat.add(regional.vectors)
    lists = kf.index_factory("IVF128,Flat", 128, metric="ip", verbose=False)
    lists.train(regional.vectors)
    lists.add(regional.vectors)
    ways: dict[str, tuple[int, dict[str, Any]]] = {
        "exhaustive": (1, {}),
        "Flat, depth 100, shortlist 100": (1, {"index": flat, "depth": 100, "shortlist": 100}),
    }
    for nprobe, depth in ((4, 50), (4, 100), (8, 100), (16, 100)):
        name = f"IVF128 of {nprobe}, depth {depth}, shortlist {depth}"
        ways[name] = (nprobe, {"index": lists, "depth": depth, "shortlist": depth})
    print(f"{len(regional.vectors):,} regions of {n} photos, {len(every) - n} queries, 1 thread")
    print(f"{'way':40}{'ms a query':>11}{'mAP':>8}{'mAP of the first 50':>21}")
    for name, (nprobe, way) in ways.items():
        lists.nprobe = nprobe
        best = np.inf
        for _ in range(arguments.rounds):
            began = time.perf_counter()
            ranked = [regional.search(query, n, **way)[1] for query in every[n:]]
            best = min(best, time.perf_counter() - began)
        figures = [
            np.mean(
                [
                    average_precision(row[row >= 0][:depth], entry["ok"], entry["junk"])
                    for row, entry in zip(ranked, truth["gnd"])
                ]
            )
            for depth in (n, 50)
        ]
        milliseconds = 1000 * best / len(ranked)
        print(f"{name:40}{milliseconds:11.2f}{figures[0]:8.4f}{figures[1]:21.4f}", flush=True)


if __name__ == "__main__":
    main()
