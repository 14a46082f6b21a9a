"""Descriptors of the real photos before and after learning from others of them, by classes, pairs and triplets.

    python benchmarks/learn/metric.py [--recipes siamese triplet softmax] [--seeds 0 1 2] [--network squeezenet1_1]

Objects and distractors of `../shared/data/photos` are cut in two halves at random: one is learnt from (a distractor is
a class of its own for pairs and triplets, and left out by softmax), the other searched in. mAP of GeM at 320 pixels,
one scale, no whitening, after the last epoch: nothing is chosen by what is reported. Rates were chosen on the cut of
seed 100.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from halves import SHARED, Half, halves

from kinfold.features.weights import network, read_weights
from kinfold.learn import finetune_siamese, finetune_softmax, finetune_triplet
from kinfold.learn.validation import describe_pooled

RECIPES = {"siamese": finetune_siamese, "triplet": finetune_triplet, "softmax": finetune_softmax}
RATES = {"siamese": 1e-3, "triplet": 1e-3, "softmax": 1e-3}


def measured(
    half: Half, recipe: str, weights: Any, options: argparse.Namespace, seed: int
) -> tuple[float, float, float]:
    """mAP before and after, and the seconds of learning."""
    net = network(read_weights(weights))

    def score() -> float:
        return half.mean_ap(lambda photos: describe_pooled(photos, max_side=320)(net))

    before, began = score(), time.perf_counter()
    photos, labels = half.photos, half.labels
    if recipe == "softmax":
        sizes = np.bincount(labels)
        kept = np.flatnonzero(sizes[labels] > 1)
        photos, labels = [photos[row] for row in kept], labels[kept]
    RECIPES[recipe](
        net, photos, labels, epochs=options.epochs, rate=options.rate or RATES[recipe], side=options.side,
        seed=seed, verbose=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    return before, score(), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--side", type=int, default=224)
    options = parser.parse_args()
    torch.set_num_threads(1)
    weights = next((SHARED / "weights").glob(f"{options.network.split('_')[0]}*"))
    rows: dict[str, list[tuple[float, float]]] = {recipe: [] for recipe in options.recipes}
    for seed in options.seeds:
        half = halves(seed)[0]
        for recipe in options.recipes:
            before, after, seconds = measured(half, recipe, weights, options, seed)
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
