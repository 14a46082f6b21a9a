"""A network learns from rendered photos of buildings without labels, and is judged by photos of other buildings.

    python -m benchmarks.learn.sfm_rendered [--seeds 0 1 2] [--weights FILE] [--places 24] [--views 6]

Photos are rendered (datasets.synthetic), compared by SIFT and geometry, all pairs, and what matches is learnt from
(learn.sfm). The mAP of held-out buildings, each of whose photos is a query once, before and after the last epoch.
Without --weights the network has learnt nothing before.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import kinfold as kf
from kinfold.datasets.synthetic import render_collection
from kinfold.features.weights import network, random_network, read_weights
from kinfold.images.decode import decode
from kinfold.landmarks.covisible import covisible
from kinfold.learn import CoVisible, finetune_sfm
from kinfold.learn.validation import describe_pooled, retrieval_score
from kinfold.local.match_graph import MatchGraph
from kinfold.local.sift import SIFT


def rendered(places: int, views: int, seed: int) -> tuple[list[Any], Any]:
    """Photos and the building of each."""
    with tempfile.TemporaryDirectory() as folder:
        render_collection(
            folder, scenes=places, views=views, distractors=0, size=(240, 180), seed=seed, verbose=False
        )  # fmt: skip
        files = sorted(Path(folder).glob("jpg/*.jpg"))
        photos = [decode(file).pixels for file in files]
    # Such as place002_01 and query002_00.
    return photos, np.array([int(file.stem[5:8]) for file in files])


def seen_by(photos: list[Any]) -> CoVisible:
    """What photos have in common, as geometry tells, all pairs."""
    sift = SIFT(max_features=600)
    features = [sift.extract(photo) for photo in photos]
    sizes = np.array([photo.shape[1::-1] for photo in photos], float)
    graph = MatchGraph(np.arange(len(photos)), sizes)
    every = np.column_stack(np.triu_indices(len(photos), 1))
    return covisible(graph.extended(every, features.__getitem__, sizes, verbose=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--places", type=int, default=24)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--margin", type=float, default=0.7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kf.set_threads(1)
    rises = []
    for seed in options.seeds:
        began = time.process_time()
        photos, labels = rendered(options.places, options.views, seed)
        judged, theirs = rendered(options.places, options.views, 1000 + seed)
        seen = seen_by(photos)
        found = time.process_time() - began
        fresh = options.weights is None
        net = random_network("compact", seed) if fresh else network(read_weights(options.weights))
        score = retrieval_score(describe_pooled(judged), theirs)
        before = score(net)
        history = finetune_sfm(
            net, photos, seen, epochs=options.epochs, rate=options.rate, margin=options.margin,
            statistics=fresh, seed=seed, verbose=False,
        )  # fmt: skip
        after = score(net)
        rises.append(after - before)
        ends = seen.pairs
        print(json.dumps({
            "seed": seed, "photos": len(photos), "pairs": len(ends),
            "right": round(float((labels[ends[:, 0]] == labels[ends[:, 1]]).mean()), 3),
            "clusters": len(np.unique(seen.clusters[seen.clusters >= 0])),
            "loss": [round(line.loss, 4) for line in history.epochs],
            "before": round(before, 4), "after": round(after, 4),
            "seconds": [round(found), round(time.process_time() - began)],
        }), flush=True)  # fmt: skip
    spread = f" ± {np.std(rises, ddof=1):.3f}" if len(rises) > 1 else ""
    print(f"mAP rises by {np.mean(rises):+.3f}{spread}")


if __name__ == "__main__":
    main()
