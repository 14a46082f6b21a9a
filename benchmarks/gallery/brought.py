"""The engines that Kinfold brings: how they are made, and what they lose on photos that they never saw.

    python -m benchmarks.gallery.brought make
    python -m benchmarks.gallery.brought judge [--seeds 0 1 2] [--sizes 60 200] [--draws 4] [--before]

*make* learns words, embedding and colours on the photos of `../shared/data/photos` whose makers allow it (BoofCV's and
alicevision's by CC BY 4.0, OpenSfM's by BSD-2, bananas by MIT), by the default settings, and writes
python/kinfold/gallery/brought.npz. The embedding keeps the whitened directions of largest variance; large matrices are
rounded to whole numbers, the embedding's with feedback: what rounding a row adds to the sums, by their covariance, the
rows below take back (Frantar, Ashkboos, Hoefler & Alistarh, GPTQ, ICLR 2023; Hassibi & Stork 1993).

*judge* leaves these photos out. Galleries of all others with all other queries, and of some objects and distractors:
mAP of search (trapezoid, junk removed) where engines are learnt on the gallery, and where they are brought; over halves
of the objects, mean difference and standard deviation; processor seconds to learn and to index photos that are
described. --before: learnt as it was, 40 descriptors a word and 10 iterations.
"""

from __future__ import annotations

import argparse
import csv
import json
import pickle
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks.data import CACHE, SHARED
from benchmarks.measure import heading, row
from kinfold.aggregate.t_embedding import TEmbedding
from kinfold.base.local_features import LocalFeatures
from kinfold.evaluate.average_precision import average_precision
from kinfold.gallery.brought import FILE, PARAMS, SCALE, brought_engines
from kinfold.gallery.describe import Describer
from kinfold.gallery.engines import inverted
from kinfold.gallery.engines.base import all_described
from kinfold.gallery.engines.pooled import PooledEngine
from kinfold.gallery.fused import Fused
from kinfold.gallery.model import Model
from kinfold.gallery.query import Query
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.index.flat import FlatIndex
from kinfold.local.descriptors import compared

PHOTOS = SHARED / "photos"
FREE = {
    "lessthanoptimal/BoofCV-Data", "alicevision/dataset_buddha", "mapillary/OpenSfM", "pierotofy/dataset_banana",
}  # fmt: skip
# Directions that the embedding keeps, steps to either side of zero, and of others' large matrices.
KEPT, STEPS, LARGE = 1280, 31, 4096
SEGMENT, SAMPLE, DAMPING, BLOCK = 32, 50_000, 1e-4, 64
SHORT = ("evd_", "wxbs_")
Rounded = tuple[NDArray[np.int8], NDArray[np.float32]]


def is_free() -> dict[str, bool]:
    """Of each photo, by name without ending, whether its makers allow anything."""
    with (PHOTOS / "sources.csv").open() as file:
        return {line["file"][:-4]: line["repository"] in FREE for line in csv.DictReader(file)}


def described(names: list[str], boxes: dict[str, Any] | None = None) -> dict[str, LocalFeatures]:
    """What is found in photos, queries cropped to their boxes; kept in the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"brought-{'queries' if boxes else 'photos'}.pickle"
    held = pickle.loads(path.read_bytes()) if path.exists() else {}
    describer = Describer(Settings(), [])
    if missing := [name for name in names if name not in held]:
        for name in missing:
            pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
            if boxes and boxes[name]:
                x0, y0, x1, y1 = (round(side) for side in boxes[name])
                pixels = pixels[y0:y1, x0:x1]
            held[name] = describer.local(fit(pixels, Settings().max_side))
        path.write_bytes(pickle.dumps(held))
    return {name: held[name] for name in names}


def segments_of(found: list[LocalFeatures]) -> list[PhotoSegment]:
    """With ids from 1."""
    parts = [(at, found[at : at + SEGMENT]) for at in range(0, len(found), SEGMENT)]
    return [
        PhotoSegment.of(
            list(range(at + 1, at + 1 + len(part))), [(640, 480, 640, 480)] * len(part), part
        )
        for at, part in parts
    ]


# --- making ----------------------------------------------------------------------------------------


def make() -> None:
    """Write the file."""
    describer = Describer(Settings(), [])
    names = sorted(name for name, free in is_free().items() if free)
    segments = segments_of(list(described(names).values()))
    model = Model.learn(segments, Settings(), describer.fingerprint, len(names))
    for engine in model.engines.values():
        if isinstance(engine, PooledEngine):
            engine.whitening = None  # each gallery learns its own
    embedding = model.engines["tembedding"].learnt  # type: ignore[attr-defined]
    sample = np.concatenate([segment.descriptors for segment in segments])
    rows = np.random.default_rng(0).choice(len(sample), SAMPLE, replace=False)
    covariance = covariance_of(embedding, compared(sample[np.sort(rows)]))
    arrays: dict[str, Any] = {
        PARAMS: np.frombuffer(json.dumps(model.params()).encode(), np.uint8).copy()
    }
    for name, array in model.arrays().items():
        if name.endswith("projection"):
            few = np.where(np.arange(array.shape[1]) < KEPT, array, 0)
            arrays[name], arrays[SCALE + name] = rounded_with_feedback(few, covariance)
        elif array.dtype == np.float32 and array.ndim == 2 and array.size >= LARGE:
            arrays[name], arrays[SCALE + name] = rounded(array)
        else:
            arrays[name] = array
    np.savez_compressed(FILE, **arrays)
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes, of {len(names)} photos")


def covariance_of(embedding: TEmbedding, descriptors: Any) -> NDArray[np.float64]:
    """Of what the projection is given."""
    size = embedding.codebook.size
    total = np.zeros((size, size))
    for at in range(0, len(descriptors), 4096):
        found = embedding._directions(descriptors[at : at + 4096]) - embedding._mean
        total += found.T @ found
    return total / len(descriptors)


def rounded(matrix: NDArray[np.float32]) -> Rounded:
    """Whole numbers, and the scale of each row."""
    scale = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), 1e-30) / STEPS
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)


def rounded_with_feedback(matrix: NDArray[np.float32], covariance: NDArray[np.float64]) -> Rounded:
    """The same of columns, so that products with what has this covariance err little."""
    n, left = len(matrix), matrix.astype(np.float64)
    scale = np.maximum(np.abs(left).max(axis=0, keepdims=True), 1e-30) / STEPS
    damped = covariance + DAMPING * np.trace(covariance) / n * np.eye(n)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    codes = np.zeros(matrix.shape, np.int8)
    for at in range(0, n, BLOCK):
        end = min(n, at + BLOCK)
        errors = np.zeros((end - at, matrix.shape[1]))
        for i in range(at, end):
            codes[i] = np.clip(np.rint(left[i] / scale[0]), -127, 127)
            errors[i - at] = (left[i] - codes[i] * scale[0]) / upper[i, i]
            left[i + 1 : end] -= upper[i, i + 1 : end, None] * errors[i - at]
        left[end:] -= upper[at:end, end:].T @ errors
    return codes, scale.astype(np.float32)


# --- judging ---------------------------------------------------------------------------------------


class Judge:
    """Galleries of some of the photos that nothing was learnt on, and the queries of some objects."""

    def __init__(self) -> None:
        truth = json.loads((PHOTOS / "ground_truth.json").read_text())
        free = is_free()
        self.names: list[str] = truth["imlist"]
        self.photos = described([name for name in self.names if not free[name]])
        entries = dict(zip(truth["qimlist"], truth["gnd"]))
        asked = [name for name in truth["qimlist"] if not free[name]]
        self.queries = described(asked, {name: entries[name].get("bbx") for name in asked})
        self.entries = entries
        groups = dict(zip(truth["qimlist"], truth["qgroup"]))
        self.groups = np.array([groups[name] for name in asked])
        self.asked = asked

    def gallery(self, rows: list[int], brought: bool, seed: int) -> tuple[Fused, float, float]:
        """Photos by their place in the ground truth; processor seconds to learn and to index."""
        segments = segments_of([self.photos[self.names[at]] for at in rows])
        settings = Settings(seed=seed)
        there = brought_engines(Settings()) if brought else {}
        began = time.process_time()
        model = Model.learn(segments, settings, "", len(rows), there)  # type: ignore[arg-type]
        learnt = time.process_time()
        vectors = np.concatenate([model.vectors(segment) for segment in segments])
        index, lists = FlatIndex(vectors.shape[1], metric="ip"), model.empty()
        index.add(vectors, ids=np.arange(1, len(rows) + 1))
        for segment in segments:
            lists["asmk"].add(all_described(segment), ids=segment.ids)
        return Fused(model, index, lists), learnt - began, time.process_time() - learnt

    def precisions(self, fused: Fused, rows: list[int]) -> NDArray[np.float64]:
        """Average precision of each query, NaN for those of which the gallery has no photo."""
        place, there, found = np.array(rows), set(rows), []
        for name in self.asked:
            entry = self.entries[name]
            right = [at for at in entry["ok"] if at in there]
            if not right:
                found.append(np.nan)
                continue
            features = self.queries[name]
            vector = fused.model.describe(features)
            query = Query(
                name, np.zeros((1, 1, 3), np.uint8), (1, 1), None, features, np.eye(3), vector
            )
            answer = fused.search(query, len(fused))
            found.append(average_precision(place[answer.ids - 1], right, entry["junk"]))
        return np.array(found)

    def every(self) -> list[int]:
        """The place of each photo."""
        return [at for at, name in enumerate(self.names) if name in self.photos]

    def some(self, count: int, draw: int) -> list[int]:
        """So many photos: those of objects that are drawn for half of them, the rest distractors."""
        random = np.random.default_rng(draw)
        rows: list[int] = []
        for thing in random.permutation(np.unique(self.groups)):
            asked = [self.asked[q] for q in np.flatnonzero(self.groups == thing)]
            own = {at for name in asked for at in self.entries[name]["ok"]}
            new = sorted(own.intersection(self.every()) - set(rows))
            if len(rows) + len(new) <= count // 2:
                rows += new
        strange = [at for at in self.every() if self.names[at].startswith("distractor")]
        return sorted(rows + random.choice(strange, count - len(rows), replace=False).tolist())

    def differences(self, one: Any, other: Any) -> str:
        """Of the mAP of queries of halves of the objects: mean and standard deviation."""
        found = []
        for cut in range(10):
            things = np.random.default_rng(cut).permutation(np.unique(self.groups))
            half = np.isin(self.groups, things[: len(things) // 2])
            found += [np.nanmean((one - other)[half]), np.nanmean((one - other)[~half])]
        return f"{np.mean(found):+.3f} ± {np.std(found):.3f}"


@contextmanager
def learnt_as_before() -> Iterator[None]:
    """Words on more descriptors, in more iterations."""
    as_now = inverted._PER_WORD, inverted._ITERATIONS
    inverted._PER_WORD, inverted._ITERATIONS = 40, 10
    try:
        yield
    finally:
        inverted._PER_WORD, inverted._ITERATIONS = as_now


def judge(seeds: list[int], sizes: list[int], draws: int, before: bool) -> None:
    """Print the tables."""
    judge, rows = Judge(), Judge().every()
    easy = np.array([not group.startswith(SHORT) for group in judge.groups])

    def cells(found: Any, took: tuple[float, float]) -> list[str]:
        return [
            f"{np.nanmean(found):.3f}",
            f"{np.nanmean(found[easy]):.3f}",
            *(f"{s:.1f}" for s in took),
        ]

    print(f"{len(rows)} photos, {len(judge.asked)} queries")
    columns = ["engines", "mAP", "without evd, wxbs", "learn, s", "index, s", "less learnt, halves"]
    print(heading(columns))
    fused, *took = judge.gallery(rows, True, 0)
    brought = judge.precisions(fused, rows)
    print(row(["brought", *cells(brought, took), ""]), flush=True)  # type: ignore[arg-type]
    for seed in seeds:
        fused, *took = judge.gallery(rows, False, seed)
        own = judge.precisions(fused, rows)
        line = [f"learnt, seed {seed}", *cells(own, took), judge.differences(brought, own)]  # type: ignore[arg-type]
        print(row(line), flush=True)
    if before:
        with learnt_as_before():
            fused, *took = judge.gallery(rows, False, 0)
        own = judge.precisions(fused, rows)
        print(row(["learnt as before", *cells(own, took), judge.differences(brought, own)]))  # type: ignore[arg-type]
    for size in sizes:
        print(f"\n{size} photos, {draws} draws of objects\n")
        print(heading(["engines", "mAP", "of each draw", "learn, s", "index, s"]))
        for name in ("brought", "learnt", *(["learnt as before"] if before else [])):
            maps, spent = [], []
            for draw in range(draws):
                rows = judge.some(size, draw)
                with learnt_as_before() if name == "learnt as before" else nullcontext():
                    fused, *took = judge.gallery(rows, name == "brought", 0)
                maps.append(float(np.nanmean(judge.precisions(fused, rows))))
                spent.append(took)
            means = np.mean(spent, axis=0)
            each = ", ".join(f"{value:.3f}" for value in maps)
            print(
                row([name, f"{np.mean(maps):.3f}", each, *(f"{s:.1f}" for s in means)]), flush=True
            )


def main() -> None:
    """Make or judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "judge"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sizes", type=int, nargs="*", default=[60, 200])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--before", action="store_true")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    kf.set_threads(1)
    if arguments.what == "make":
        make()
    else:
        judge(arguments.seeds, arguments.sizes, arguments.draws, arguments.before)


if __name__ == "__main__":
    main()
