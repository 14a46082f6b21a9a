"""Local features of networks beside SIFT: mAP on the real photos, hard pairs apart, verification chosen on half.

    python -m benchmarks.local.extractors --extractors sift aliked=FILE xfeat=FILE [--networks FILE ...] [--keep FOLDER]

898 photos, 82 queries; of a query with a box, the features inside it. Ranked by ASMK over words learnt on the photos
themselves, by networks (GeM, one scale, whitened on the photos) where some are named, and by both, similarities added;
then the first 100 are matched and verified. *Hard* are the 19 objects of EVD and WxBS: pairs from opposite views, by
day and night. AP is Oxford's trapezoid; intervals are bootstraps over objects. *Chosen*: the ratio of matching and the
inliers asked for are chosen on half of the objects, and the other half is judged, five times, both ways round.
Features are kept in the folder and used again; milliseconds are processor time of one thread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Ranking
from kinfold.base.registry import resolve
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.gallery.engines.base import learn_whitening, whitened
from kinfold.images.decode import decode
from kinfold.local.descriptors import compared
from kinfold.local.extractors import METHODS
from kinfold.local.match import match_many, prepare
from kinfold.local.verify import verify_many

PHOTOS = data.SHARED / "photos"
# Features of a photo; with more, verification of ALIKED's finds less and takes longer.
MOST = {"sift": 1500}
WORDS, SEED, TOP = 4096, 0, 100
RATIOS, LEAST = (0.85, 0.9, 0.92), (6, 8, 12)
DRAWS, SPLITS = 2000, 5


def features(spec: str, names: list[str], keep: Path) -> tuple[dict[str, LocalFeatures], float]:
    """The features of all photos by name, and milliseconds a photo; kept."""
    kind, _, file = spec.partition("=")
    path = keep / f"{kind}-{Path(file).stem or 'none'}.pickle"
    most = MOST.get(kind, 1000)
    if not path.exists():
        options: dict[str, Any] = {"max_features": most, "max_side": 800}
        if kind == "sift":
            extractor = resolve(METHODS[kind])(contrast_threshold=0.01, **options)
        else:
            extractor = resolve(METHODS[kind])(file, **options)
        found, began = {}, time.process_time()
        for name in names:
            found[name] = extractor.extract(decode(PHOTOS / "jpg" / f"{name}.jpg").pixels)
        spent = (time.process_time() - began) / len(names) * 1e3
        path.write_bytes(pickle.dumps((found, spent)))
    found, spent = pickle.loads(path.read_bytes())
    return {name: one.select(slice(0, most)) for name, one in found.items()}, spent


def inside(features: LocalFeatures, box: Any) -> LocalFeatures:
    if box is None:
        return features
    x, y = features.positions.T
    return features.select((x >= box[0]) & (y >= box[1]) & (x <= box[2]) & (y <= box[3]))


def by_networks(files: list[str], truth: GroundTruth, keep: Path) -> np.ndarray:
    """Similarities (q, n) by the mean of the networks' whitened descriptors."""
    from kinfold.features import Extractor

    total = np.zeros((len(truth.qimlist), len(truth.imlist)), np.float32)
    for file in files:
        path = keep / f"network-{Path(file).stem}.npz"
        if not path.exists():
            network = Extractor(file, scales=(2**-0.5,), max_side=640)
            seen = [decode(PHOTOS / "jpg" / f"{name}.jpg").pixels for name in truth.imlist]
            base = [network.describe(pixels) for pixels in seen]
            asked = []
            for name, known in zip(truth.qimlist, truth.gnd):
                pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
                if known.get("bbx") is not None:
                    x0, y0, x1, y1 = (round(side) for side in known["bbx"])
                    pixels = np.ascontiguousarray(pixels[y0:y1, x0:x1])
                asked.append(network.describe(pixels))
            np.savez(path, base=np.stack(base), asked=np.stack(asked))
        with np.load(path) as held:
            whitening = learn_whitening(held["base"], 256, 0.25)
            total += whitened(held["asked"], whitening) @ whitened(held["base"], whitening).T
    return total / len(files)


def by_words(base: list[LocalFeatures], asked: list[LocalFeatures]) -> np.ndarray:
    """ASMK's similarities (q, n), on the scale of cosines: 0.5 at five times what unlike photos have in common."""
    sets = [compared(one.descriptors) for one in base]
    every = np.concatenate(sets)
    random = np.random.default_rng(SEED)
    sample = every[random.choice(len(every), min(len(every), 20 * WORDS), replace=False)]
    words = kf.VisualWords(WORDS, sample=None, iterations=5, seed=SEED, verbose=False)
    photos = kf.ASMK(words).fit(sample)
    photos.add(sets)
    scores = np.maximum(photos.scores([compared(one.descriptors) for one in asked]), 0)
    half = 5 * np.quantile(scores, 0.75)
    return scores / (scores + max(half, 1e-4))


class Verified:
    """Inliers of the first photos of each query, by the ratio of matching."""

    def __init__(self, base: list[LocalFeatures], asked: list[LocalFeatures]) -> None:
        self.base, self.asked = base, asked
        self.prepared = [prepare(one) for one in base]
        self.seconds, self.pairs = 0.0, 0

    def inliers(self, first: np.ndarray, ratio: float) -> np.ndarray:
        found = np.zeros(first.shape, np.int64)
        began = time.process_time()
        for number, (query, rows) in enumerate(zip(self.asked, first)):
            pairs = match_many(prepare(query), [self.prepared[i] for i in rows], ratio=ratio)
            verified = verify_many(query, [self.base[i] for i in rows], pairs)
            found[number] = [one.inliers for one in verified]
        self.seconds += time.process_time() - began
        self.pairs += found.size
        return found


def reranked(order: np.ndarray, inliers: np.ndarray, least: int) -> np.ndarray:
    """Those with enough inliers first, by inliers."""
    key = np.where(inliers >= least, inliers, 0)
    first = np.argsort(-key, axis=1, kind="stable")
    return np.concatenate([np.take_along_axis(order, first, 1), order[:, TOP:]], axis=1)


def judged(order: np.ndarray, truth: GroundTruth) -> np.ndarray:
    scores = np.zeros(order.shape, np.float32)
    ranking = Ranking(scores=scores, ids=order)
    return np.array(evaluate(ranking, truth, protocol="oxford").average_precision)


def interval(values: np.ndarray, groups: np.ndarray) -> str:
    """The mean with the middle 95 % of bootstraps over objects."""
    random = np.random.default_rng(1)
    things = [values[groups == one] for one in np.unique(groups)]
    means = [
        np.concatenate([things[i] for i in random.integers(len(things), size=len(things))]).mean()
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.2f} to {high:.2f})"


def chosen(ways: dict[Any, np.ndarray], groups: np.ndarray) -> tuple[str, str]:
    """mAP of the halves that were not chosen on, mean and spread, all and hard; and what was chosen."""
    random, all_of, hard_of, picks = np.random.default_rng(2), [], [], []
    hard = is_hard(groups)
    for _ in range(SPLITS):
        things = random.permutation(np.unique(groups))
        first = np.isin(groups, things[: len(things) // 2])
        for half in (first, ~first):
            pick = max(ways, key=lambda way: ways[way][half].mean())
            picks.append(f"{pick[0]:g}/{pick[1]}")
            all_of.append(ways[pick][~half].mean())
            hard_of.append(ways[pick][~half & hard].mean())
    told = ", ".join(f"{pick} x{picks.count(pick)}" for pick in sorted(set(picks)))
    means = " | ".join(f"{np.mean(each):.3f} ± {np.std(each):.3f}" for each in (all_of, hard_of))
    return means, told


def is_hard(groups: np.ndarray) -> np.ndarray:
    return np.array([one.startswith(("evd", "wxbs")) for one in groups])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extractors", nargs="+", default=["sift"], metavar="NAME[=FILE]")
    parser.add_argument("--networks", nargs="+", default=[], metavar="FILE")
    parser.add_argument("--keep", type=Path, default=data.CACHE / "extractors")
    parser.add_argument("--groups", action="store_true", help="a table of all groups, too")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    kf.set_threads(1)
    arguments.keep.mkdir(parents=True, exist_ok=True)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    groups = np.array(json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"])
    hard = is_hard(groups)
    networks = None
    if arguments.networks:
        networks = by_networks(arguments.networks, truth, arguments.keep)
    columns = [
        "features",
        "ms",
        "ranked by",
        "all",
        "hard",
        "+ verified",
        "hard",
        "chosen",
        "hard",
        "ms",
    ]
    print(heading(columns), flush=True)
    told, tables = [], {}
    for spec in arguments.extractors:
        found, spent = features(spec, [*truth.imlist, *truth.qimlist], arguments.keep)
        base = [found[name] for name in truth.imlist]
        asked = [
            inside(found[name], known.get("bbx")) for name, known in zip(truth.qimlist, truth.gnd)
        ]
        rankings = {"asmk": by_words(base, asked)}
        if networks is not None:
            rankings |= {"networks": networks, "both": rankings["asmk"] + networks}
        name = spec.split("=")[0]
        for by, similarities in rankings.items():
            order = np.argsort(-similarities, axis=1, kind="stable")
            plain, look = judged(order, truth), Verified(base, asked)
            inliers = {ratio: look.inliers(order[:, :TOP], ratio) for ratio in RATIOS}
            ways = {
                (ratio, least): judged(reranked(order, inliers[ratio], least), truth)
                for ratio, least in itertools.product(RATIOS, LEAST)
            }
            default = ways[0.85 if name == "sift" else 0.9, 6]
            means, picks = chosen(ways, groups)
            cells = [
                name, f"{spent:.0f}", by, interval(plain, groups), f"{plain[hard].mean():.3f}",
                interval(default, groups), interval(default[hard], groups[hard]),
                *means.split(" | "), f"{look.seconds / look.pairs * 1e3:.2f}",
            ]  # fmt: skip
            print(row(cells), flush=True)
            told.append(f"{name}, {by}: {picks}")
            tables[f"{name} {by}"] = plain, default
    print("\nchosen, ratio/inliers: " + "; ".join(told))
    if arguments.groups:
        print("\n" + heading(["group", *(f"{way}, verified" for way in tables)]))
        for group in dict.fromkeys(groups):
            at = groups == group
            print(
                row(
                    [
                        group,
                        *(f"{a[at].mean():.2f}, {b[at].mean():.2f}" for a, b in tables.values()),
                    ]
                )
            )


if __name__ == "__main__":
    main()
