"""mAP of network descriptors on the real photos of `../shared/data/photos`.

    python -m benchmarks.features.map_cnn [--networks squeezenet1_1 mobilenet_v2] [--p 3 2] [--whiten 0.25 0.5]
    python -m benchmarks.features.map_cnn --table methods [--methods MAC R-MAC] [--no-windows]

The second compares methods, see methods.py beside; the first looks at GeM in detail.

Queries are cropped to their boxes; similarity is cosine; AP is Oxford's trapezoid with junk removed. Whitening
uses Ledoit-Wolf shrinkage and is learnt, without labels, on

collection   the searched database itself: what a gallery does
distractors  the photos that show no queried object; they are searched in too
apart        other photos than those searched: objects and distractors are cut in two halves at random; learnt on
             one half, the queries of the other search the other; mean of both ways and of several cuts

"plain" is without whitening, the mean of the database subtracted; "half" is plain on the halves of "apart": compare
"collection" and "distractors" with the first, "apart" with the second. Learning on all but the photos of the
query's object would flatter: which photos are left out is a label, and the directions of all others are damped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import CACHE, SHARED
from benchmarks.features import methods
from kinfold.evaluate.average_precision import average_precision
from kinfold.features.extract import Extractor
from kinfold.images.decode import decode
from kinfold.transform.normalize import l2_normalize
from kinfold.transform.pca import PCA

PHOTOS = SHARED / "photos"
Array = NDArray[np.float32]
SCALES = {"1": (1.0,), "3": (1.0, 2**-0.5, 0.5), "3+": (2**0.5, 1.0, 2**-0.5)}
CUTS = 3
COLUMNS = "".join(
    f"{c:>9}" for c in ("raw", "diffused", "half", "w 0.25", "w 0.5", "w128", "Lw128")
)


def photos(truth: dict) -> Iterator[NDArray[np.uint8]]:
    """Pixels of the database, then of the queries inside their boxes."""
    for name in truth["imlist"]:
        yield decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
    for name, entry in zip(truth["qimlist"], truth["gnd"]):
        pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
        if entry["bbx"] is not None:
            left, top, right, bottom = (round(side) for side in entry["bbx"])
            pixels = pixels[top:bottom, left:right]
        yield pixels


def descriptors(extractor: Extractor, truth: dict) -> Array:
    """Of all photos (database + queries, d); kept in the cache folder."""
    path = CACHE / f"cnn-{extractor.fingerprint}.npy"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(path, extractor.describe_all(photos(truth)))
    return np.load(path)


def mean_ap(
    similarities: Array, truth: dict, columns: NDArray[np.int64], queries: NDArray[np.int64]
) -> float:
    """mAP of some queries when only these columns of the database are searched."""
    scores = []
    for query in queries:
        row, entry = similarities[query, columns], truth["gnd"][query]
        ranked = columns[np.argsort(-row, kind="stable")]
        scores.append(average_precision(ranked, entry["ok"], entry["junk"]))
    return float(np.mean(scores))


def cosine(x: Array, n: int) -> Array:
    """Similarities of queries (rows) to the database."""
    unit = l2_normalize(x)
    return unit[n:] @ unit[:n].T


def whitened(x: Array, n: int, rows: NDArray[np.int64], dim: int | None, whiten: float) -> Array:
    """Similarities after a whitening learnt on some rows."""
    most = min(len(rows) - 1, x.shape[1])
    pca = PCA(min(dim or most, most), whiten=whiten, shrinkage="ledoit-wolf")
    return cosine(pca.fit(x[rows]).transform(x), n)


def halves(truth: dict, seed: int) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Rows to learn on, rows to search, and queries, twice: objects and distractors cut in two."""
    random = np.random.default_rng(seed)
    objects = np.array([name.rsplit("_", 1)[0] for name in truth["imlist"]])
    groups = np.array(truth["qgroup"])
    first = np.isin(objects, random.permutation(np.unique(groups))[::2])
    first[random.permutation(np.flatnonzero(objects == "distractor"))[::2]] = True
    asked = np.isin(groups, objects[first])
    for here, queries in ((first, asked), (~first, ~asked)):
        yield np.flatnonzero(~here), np.flatnonzero(here), np.flatnonzero(queries)


def report(x: Array, truth: dict, dims: list[int | None], whitens: list[float]) -> Iterator[str]:
    """One line for each exponent and dimension."""
    n = len(truth["imlist"])
    every, queries = np.arange(n), np.arange(len(truth["qimlist"]))
    distractors = np.flatnonzero([name.startswith("distractor") for name in truth["imlist"]])
    cuts = [cut for seed in range(CUTS) for cut in halves(truth, seed)]

    plain = mean_ap(cosine(x - x[:n].mean(axis=0), n), truth, every, queries)
    half = np.mean([mean_ap(cosine(x - x[s].mean(axis=0), n), truth, s, q) for _, s, q in cuts])
    for whiten in whitens:
        for dim in dims:
            collection, others = (
                mean_ap(whitened(x, n, rows, dim, whiten), truth, every, queries)
                for rows in (every, distractors)
            )
            apart = np.mean(
                [mean_ap(whitened(x, n, fit, dim, whiten), truth, s, q) for fit, s, q in cuts]
            )
            yield (
                f"{whiten:6g} {dim or 'all':>4} {plain:8.4f} {collection:11.4f} {others:12.4f} "
                f"{half:8.4f} {apart:8.4f}"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["squeezenet1_1", "mobilenet_v2"])
    parser.add_argument("--p", nargs="+", type=float, default=[3.0, 2.0])
    parser.add_argument("--scales", nargs="+", choices=SCALES, default=["1", "3"])
    parser.add_argument("--whiten", nargs="+", type=float, default=[0.25, 0.5])
    parser.add_argument("--max-side", type=int, default=640)
    parser.add_argument("--table", choices=["gem", "methods"], default="gem")
    parser.add_argument("--methods", nargs="+", help="beginnings of their names, such as R-MAC")
    parser.add_argument("--no-windows", action="store_true", help="leave out the dearest method")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    truth = json.loads((PHOTOS / "ground_truth.json").read_text())
    if arguments.table == "methods":
        print(f"{'network':14}{'method':30}{'dim':>6}{COLUMNS}")
        cuts = [cut for seed in range(CUTS) for cut in halves(truth, seed)]

        def named(method: str) -> bool:
            if arguments.no_windows and method.startswith("windows"):
                return False
            return not arguments.methods or method.startswith(tuple(arguments.methods))

        for name in arguments.networks:
            weights = SHARED / "weights" / f"{name}.safetensors"
            for line in methods.table(
                weights, truth, cuts, lambda: photos(truth), CACHE, arguments.max_side,
                named,
            ):  # fmt: skip
                print(f"{name:14}{line}", flush=True)
        return
    print("network       scales p  whiten  dim    plain  collection  distractors     half    apart")
    for name in arguments.networks:
        for scales in arguments.scales:
            for p in arguments.p:
                weights = SHARED / "weights" / f"{name}.safetensors"
                extractor = Extractor(
                    weights, p=p, scales=SCALES[scales], max_side=arguments.max_side
                )
                x = descriptors(extractor, truth)
                for line in report(x, truth, [128, 256, None], arguments.whiten):
                    print(f"{name:<14}{scales:<6} {p:g} {line}", flush=True)


if __name__ == "__main__":
    main()
