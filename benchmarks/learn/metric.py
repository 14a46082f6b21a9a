"""Descriptors of the real photos before and after learning from others of them, by classes, pairs and triplets.

    python -m benchmarks.learn.metric [--recipes siamese triplet softmax] [--seeds 0 1 2] [--network squeezenet1_1]

Objects and distractors of `../shared/data/photos` are cut in two halves at random: one is learnt from (a distractor is
a class of its own for pairs and triplets, and left out by softmax), the other searched in. mAP of GeM at 320 pixels,
one scale, no whitening, after the last epoch: nothing is chosen by what is reported. Rate and epochs were looked
at on the cut of seed 100.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch

from benchmarks.learn.halves import SHARED, Half, halves
from kinfold.features.weights import network, read_weights
from kinfold.learn import finetune_siamese, finetune_softmax, finetune_triplet
from kinfold.learn.validation import describe_pooled

RECIPES = {"siamese": finetune_siamese, "triplet": finetune_triplet, "softmax": finetune_softmax}


def score(half: Half, net: Any) -> float:
    return half.mean_ap(lambda photos: describe_pooled(photos, max_side=320)(net))


def learnt(half: Half, recipe: str, net: Any, options: argparse.Namespace, seed: int) -> float:
    """Seconds of learning."""
    began = time.perf_counter()
    photos, labels = half.photos, half.labels
    if recipe == "softmax":
        sizes = np.bincount(labels)
        kept = np.flatnonzero(sizes[labels] > 1)
        photos, labels = [photos[row] for row in kept], labels[kept]
    RECIPES[recipe](
        net, photos, labels, epochs=options.epochs, rate=options.rate, side=options.side, seed=seed,
        verbose=False,
    )  # fmt: skip
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--side", type=int, default=192)
    options = parser.parse_args()
    torch.set_num_threads(1)
    weights = SHARED / "weights" / f"{options.network}.safetensors"
    rows: dict[str, list[tuple[float, float]]] = {recipe: [] for recipe in options.recipes}
    for seed in options.seeds:
        half = halves(seed)[0]
        before = score(half, network(read_weights(weights)))
        for recipe in options.recipes:
            net = network(read_weights(weights))
            seconds = learnt(half, recipe, net, options, seed)
            after = score(half, net)
            rows[recipe].append((before, after))
            print(json.dumps({
                "recipe": recipe, "seed": seed, "photos": len(half.photos), "queries": len(half.queries),
                "before": round(before, 4), "after": round(after, 4), "seconds": round(seconds),
            }), flush=True)  # fmt: skip
    for recipe, pairs in rows.items():
        gains = np.array([after - before for before, after in pairs])
        spread = f" ± {gains.std(ddof=1):.3f}" if len(gains) > 1 else ""
        means = np.mean(pairs, axis=0)
        print(
            f"{recipe:>8}: mAP {means[0]:.3f} -> {means[1]:.3f}, gain {gains.mean():+.3f}{spread}"
        )


if __name__ == "__main__":
    main()
