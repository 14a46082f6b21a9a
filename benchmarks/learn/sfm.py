"""Descriptors of the real photos before and after learning from others of them without labels.

    python -m benchmarks.learn.sfm MATCHES.kin [--seeds 0 1 2 3 4] [--positives random] [--negatives one-per-cluster]

Objects and distractors of `../shared/data/photos` are cut in two halves at random. On one, retrieval (twenty nearest by
VLAD, twenty by the network as it begins) proposes pairs, geometry confirms them, and what hangs together is learnt from
(learn.sfm); the other is searched, with its distractors. mAP of GeM at one scale, of the network and of the whitening
learnt from the pairs of the same photos, after the last epoch: nothing is chosen by what is reported. Rate, epochs and
the whitening's length were looked at on the cut of seed 100. MATCHES.kin keeps what geometry says; it is made first.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import kinfold as kf
from benchmarks.learn.halves import PHOTOS, SHARED, Half, halves
from kinfold.features.weights import network, read_weights
from kinfold.images.digest import content_digest
from kinfold.landmarks.covisible import covisible
from kinfold.learn import CoVisible, finetune_sfm, whitening_of
from kinfold.learn.mine import SfMTuples
from kinfold.learn.validation import describe_pooled, retrieval_score
from kinfold.local.match_graph import MatchGraph

NEIGHBOURS = 20


def matched(path: Path, weights: Path) -> tuple[MatchGraph, list[str]]:
    """What geometry says of all photos, by their names in order."""
    files = sorted((PHOTOS / "jpg").glob("*.jpg"))
    if not path.is_file():
        kf.save(_matched(files, weights), path)
    return kf.load(path), [file.name for file in files]


def _matched(files: list[Path], weights: Path) -> MatchGraph:
    from kinfold.images.decode import decode
    from kinfold.local.sift import SIFT, root_sift

    sift = SIFT(max_features=1500, contrast_threshold=0.01)
    features, sizes, frames = [], [], []
    for file in files:
        photo = decode(file, max_side=800)
        features.append(sift.extract(photo.pixels))
        sizes.append(photo.full_size)
        frames.append(photo.pixels.shape[1::-1])
    roots = [root_sift(one.descriptors) for one in features]
    sample = np.concatenate([part[:60] for part in roots])
    vlad = kf.VLAD(64).fit(sample).transform(roots)
    codes = kf.PCA(128, whiten=0.5).fit_transform(vlad)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    pairs = []
    for vectors in (codes, describe_pooled(files, max_side=320)(network(read_weights(weights)))):
        near = np.argsort(-(vectors @ vectors.T), axis=1)[:, : NEIGHBOURS + 1]
        pairs.append(np.stack([np.repeat(np.arange(len(near)), near.shape[1]), near.ravel()], 1))
    both = np.concatenate(pairs)
    digests = np.array([list(bytes.fromhex(content_digest(file))) for file in files], np.uint8)
    graph = MatchGraph(np.arange(len(files)), np.array(sizes, float), digests)
    return graph.extended(both[both[:, 0] != both[:, 1]], features.__getitem__, frames)


def seen_by(half: Half, graph: MatchGraph, names: list[str]) -> CoVisible:
    """What the photos to learn from see, without their labels: in their order."""
    ids = np.array([names.index(name) for name in half.names])
    rows = np.sort(ids)
    part = MatchGraph(rows, graph.sizes[rows], graph.digests[rows]).joined(graph)
    return covisible(part).of(np.searchsorted(rows, ids))


def right(half: Half, seen: CoVisible, mine: SfMTuples, describe: Any) -> dict[str, float]:
    """Shares of clusters' pairs, positives and negatives that the labels agree with, and of labels' pairs found."""
    labels, clusters = half.labels, seen.clusters
    ends = np.column_stack(np.triu_indices(len(labels), 1))
    same = labels[ends[:, 0]] == labels[ends[:, 1]]
    one = (clusters[ends[:, 0]] == clusters[ends[:, 1]]) & (clusters[ends[:, 0]] >= 0)
    found = mine(describe, 0)
    there = found.negatives >= 0
    other = labels[found.negatives] != labels[found.queries][:, None]
    return {
        "clusters": len(np.unique(clusters[clusters >= 0])),
        "clustered": int((clusters >= 0).sum()),
        "queries": len(found.queries),
        "pairs right": round(float(same[one].mean()), 3),
        "pairs found": round(float(one[same].mean()), 3),
        "positives right": round(float((labels[found.queries] == labels[found.positives]).mean()), 3),
        "negatives right": round(float(other[there].mean()), 3),
    }  # fmt: skip


def turned(net: Any) -> float:
    """COIL-20, every sixth view: mAP of each among the others, which nothing was learnt for."""
    from kinfold.datasets.coil import coil20

    views = coil20(SHARED / "coil20")
    photos = [np.repeat(picture[..., None], 3, axis=2) for picture in views.images[::6]]
    return retrieval_score(describe_pooled(photos), views.objects[::6])(net)


def scores(half: Half, seen: CoVisible, net: Any, side: int, dim: int, shrinkage: float) -> Any:
    """mAP of the network, and with the whitening of its own descriptors."""

    def describe(photos: Any) -> Any:
        return describe_pooled(photos, max_side=side)(net)

    described = {id(photos): describe(photos) for photos in (half.database, half.queries)}
    whitening = whitening_of(describe(half.photos), seen, dim=dim, shrinkage=shrinkage)

    def whitened(photos: Any) -> Any:
        x = whitening.transform(described[id(photos)])
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    return half.mean_ap(lambda photos: described[id(photos)]), half.mean_ap(whitened)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("matches", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--positives", default="random")
    parser.add_argument("--negatives", default="one-per-cluster")
    parser.add_argument("--singles", action="store_true")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--queries", type=int, default=80)
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--margin", type=float, default=0.85)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--shrinkage", type=float, default=0.1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kf.set_threads(1)
    weights = SHARED / "weights" / f"{options.network}.safetensors"
    graph, names = matched(options.matches, weights)
    chosen = {name: getattr(options, name) for name in ("positives", "negatives", "singles")}
    gains = []
    for seed in options.seeds:
        half = halves(seed)[0]
        seen = seen_by(half, graph, names)
        net = network(read_weights(weights))
        judged = (options.side, options.dim, options.shrinkage)
        before = [*scores(half, seen, net, *judged), turned(net)]
        mine = SfMTuples(seen, seed=seed, **chosen)
        shares = right(
            half, seen, mine,
            lambda rows: describe_pooled([half.photos[r] for r in rows], max_side=options.side)(net),  # noqa: B023
        )  # fmt: skip
        began = time.process_time()
        history = finetune_sfm(
            net, half.photos, seen, epochs=options.epochs, rate=options.rate, margin=options.margin,
            queries=options.queries, max_side=options.side, seed=seed, verbose=False, **chosen,
        )  # fmt: skip
        seconds = time.process_time() - began
        after = [*scores(half, seen, net, *judged), turned(net)]
        gains.append([*before, *after])
        print(json.dumps({
            "seed": seed, **shares, "loss": [round(line.loss, 4) for line in history.epochs],
            "before": [round(v, 4) for v in before], "after": [round(v, 4) for v in after],
            "seconds": round(seconds),
        }), flush=True)  # fmt: skip
    table = np.array(gains)
    for name, a, b in (("raw", 0, 3), ("whitened", 1, 4), ("COIL-20", 2, 5)):
        rise = table[:, b] - table[:, a]
        spread = f" ± {rise.std(ddof=1):.3f}" if len(rise) > 1 else ""
        means = f"{table[:, a].mean():.3f} -> {table[:, b].mean():.3f}"
        print(f"{name:>8}: mAP {means}, gain {rise.mean():+.3f}{spread}")


if __name__ == "__main__":
    main()
