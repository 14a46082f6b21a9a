"""Regional matching: exhaustive beside numpy, and exact on a shortlist that an index of the regions proposes.

    python -m benchmarks.features.map_cnn --table methods --no-windows --networks squeezenet1_1
    python -m benchmarks.features.regions [--network squeezenet1_1] [--photos 898 10000]

The first keeps the regions of all photos in the cache folder; the second whitens them (PCA to 128 dimensions,
exponent 0.25, learnt on the database), and searches. Times are of one query with all its regions; mAP as in
map_cnn.py, of the first 100 photos. More photos than there are: distractors repeated with noise. "numpy" is one
matrix product a block of photos and the maximum of each photo's columns. Contestants take turns, the best of some
rounds counts, in CPU time: one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks.data import CACHE, SHARED
from benchmarks.features.methods import small_regions
from kinfold.evaluate.average_precision import average_precision
from kinfold.transform.normalize import l2_normalize

TOP = 100
Array = NDArray[np.float32]


def by_numpy(query: Array, vectors: Array, starts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Blocks of whole photos whose products stay in the cache."""
    scores, first = np.empty(len(starts) - 1, np.float32), 0
    while first < len(scores):
        last = int(np.searchsorted(starts, starts[first] + 16384, side="right")) - 1
        products = query @ vectors[starts[first] : starts[last]].T
        best = np.maximum.reduceat(products, starts[first:last] - starts[first], axis=1)
        scores[first:last] = best.mean(axis=0)
        first = last
    return np.argsort(-scores, kind="stable")[:k]


def photos(every: list[Array], names: list[str], n: int) -> list[Array]:
    """The database, followed by distractors with noise."""
    random = np.random.default_rng(0)
    distractors = [r for r, name in zip(every, names) if name.startswith("distractor")]
    made = list(every[: len(names)])
    while len(made) < n:
        rows = distractors[random.integers(len(distractors))]
        noise = random.standard_normal(rows.shape, dtype=np.float32)
        made.append(l2_normalize(rows + 0.4 * noise / np.float32(rows.shape[1] ** 0.5)))
    return made[:n]


def main() -> None:
    """Print one line for each way to search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--max-side", type=int, default=640)
    parser.add_argument("--photos", type=int, nargs="+", default=[898, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    kf.set_threads(1)
    weights = SHARED / "weights" / f"{arguments.network}.safetensors"
    truth = json.loads((SHARED / "photos" / "ground_truth.json").read_text())
    n = len(truth["imlist"])
    regions, starts = small_regions(CACHE, weights, arguments.max_side, n)
    every = np.split(regions, starts[1:-1])
    print(f"{'photos':>7} {'way':40}{'ms a query':>11}{'numpy / it':>11}{'mAP@100':>9}")
    for count in arguments.photos:
        regional = kf.RegionalIndex(128)
        regional.add(photos(every, truth["imlist"], count))
        compare(regional, every[n:], truth["gnd"], arguments.rounds)


def compare(regional: kf.RegionalIndex, queries: list[Array], gnd: list[dict], rounds: int) -> None:
    """All ways to search one collection."""
    cells = 128 if len(regional) < 5000 else 1024
    lists = kf.index_factory(f"IVF{cells},Flat", 128, metric="ip", verbose=False)
    lists.train(regional.vectors[:: max(1, len(regional.vectors) // 100_000)])
    lists.add(regional.vectors)

    def listed(nprobe: int, depth: int) -> Callable[[Array], NDArray[np.int64]]:
        def search(query: Array) -> NDArray[np.int64]:
            lists.nprobe = nprobe
            return regional.search(query, TOP, index=lists, depth=depth, shortlist=depth)[1]

        return search

    ways: dict[str, Callable[[Array], NDArray[np.int64]]] = {
        "exhaustive, numpy": lambda q: by_numpy(q, regional.vectors, regional.starts, TOP),
        "exhaustive, all scores": lambda q: np.argsort(-regional.scores(q), kind="stable")[:TOP],
        "exhaustive, the first 100": lambda q: regional.search(q, TOP)[1],
        "exhaustive, the first 10": lambda q: regional.search(q, 10)[1],
    }
    for nprobe, depth in ((4, 100), (8, 100), (8, 200), (16, 200)):
        ways[f"IVF{cells} of {nprobe}, depth and shortlist {depth}"] = listed(nprobe, depth)
    best = dict.fromkeys(ways, np.inf)
    ranked: dict[str, list[NDArray[np.int64]]] = {}
    for _ in range(rounds):
        for name, search in ways.items():
            began = time.process_time()
            ranked[name] = [search(query) for query in queries]
            best[name] = min(best[name], time.process_time() - began)
    for name, seconds in best.items():
        figure = np.mean(
            [
                average_precision(row[row >= 0], entry["ok"], entry["junk"])
                for row, entry in zip(ranked[name], gnd)
            ]
        )
        milliseconds = 1000 * seconds / len(queries)
        ratio = best["exhaustive, numpy"] / seconds
        print(
            f"{len(regional):7} {name:40}{milliseconds:11.2f}{ratio:11.1f}{figure:9.4f}", flush=True
        )


if __name__ == "__main__":
    main()
