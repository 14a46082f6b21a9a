"""Neural codes before and after a classifier has learnt classes like those that are searched for.

    python -m benchmarks.learn.codes coil [--network mobilenet_v2] [--rate 1e-3] [--seeds 0 1 2] [--choose]
    python -m benchmarks.learn.codes photos --epochs 2 --rate 1e-4

Babenko, Slesarev, Chigorin & Lempitsky, ECCV 2014, section 4. "coil": half of COIL-20's objects, each seen every ten
degrees, are learnt; each view of the other half's asks for its object. "photos": the objects of
`../shared/data/photos` in halves (see halves.py), one learnt, the other searched in among its distractors. The code is
what the last layer's input is: the mean of the last maps, L2, not whitened. One line a cut: mAP before, and after each
epoch; then means and deviations of the gains. Rates are looked at on the cut of seed 100 (`--choose`), which no figure
is of.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.learn.halves import SHARED, halves
from kinfold.datasets.coil import coil20
from kinfold.features.weights import network, read_weights
from kinfold.learn import finetune_softmax
from kinfold.learn.validation import describe_pooled, retrieval_score

# Of the cut by which rate and epochs are chosen.
CHOSEN_ON = 100
RATES = (1e-3, 3e-4, 1e-4, 3e-5)
# Photos to learn from, their classes, the side that they are seen at, and how well a network finds the others.
Task = tuple[list[Any], Any, int, Callable[[Any], float]]


def coil(seed: int) -> Task:
    """Half of the objects to learn, the others to be found."""
    views = coil20(SHARED / "coil20")
    order = np.random.default_rng(seed).permutation(20)
    colour = np.repeat(views.images[..., None], 3, axis=3)
    shown = views.azimuths % 10 == 0
    learnt, asked = (
        np.flatnonzero(shown & np.isin(views.objects, o)) for o in (order[:10], order[10:])
    )
    score = retrieval_score(
        describe_pooled(list(colour[asked]), pooling="spoc", max_side=128), views.objects[asked]
    )
    return list(colour[learnt]), views.objects[learnt], 112, score


def photos(seed: int) -> Task:
    """Half of the objects to learn, those of one photo left out; the others to be found among distractors."""
    half = halves(seed)[0]
    kept = np.flatnonzero(np.bincount(half.labels)[half.labels] > 1)

    def score(net: Any) -> float:
        def describe(pictures: list[Any]) -> Any:
            return describe_pooled(pictures, pooling="spoc", max_side=224)(net)

        return half.mean_ap(describe)

    return [half.photos[row] for row in kept], half.labels[kept], 160, score


TASKS = {"coil": coil, "photos": photos}


def course(options: argparse.Namespace, seed: int, rate: float) -> list[float]:
    """mAP before, and after each epoch."""
    pictures, labels, side, score = TASKS[options.data](seed)
    net = network(read_weights(SHARED / "weights" / f"{options.network}.safetensors"))
    scores: list[float] = []

    def watched(trained: Any) -> float:
        scores.append(score(trained))
        return 0.0  # watched alone: no epoch is chosen by it

    began = time.perf_counter()
    finetune_softmax(
        net, pictures, labels, epochs=options.epochs, rate=rate, side=side, validate=watched,
        patience=options.epochs + 1, seed=seed, verbose=False,
    )  # fmt: skip
    print(json.dumps({
        "data": options.data, "network": options.network, "seed": seed, "rate": rate, "photos": len(pictures),
        "classes": len(np.unique(labels)), "map": [round(score, 4) for score in scores],
        "seconds": round(time.perf_counter() - began),
    }), flush=True)  # fmt: skip
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=list(TASKS))
    parser.add_argument("--network", default="mobilenet_v2")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument(
        "--choose", action="store_true", help=f"the rates on the cut of {CHOSEN_ON}"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.choose:
        for rate in RATES:
            course(options, CHOSEN_ON, rate)
        return
    runs = np.array([course(options, seed, options.rate) for seed in options.seeds])
    gains = runs - runs[:, :1]
    for epoch in range(1, runs.shape[1]):
        print(
            f"after {epoch} epochs: mAP {runs[:, 0].mean():.3f} -> {runs[:, epoch].mean():.3f}, "
            f"gain {gains[:, epoch].mean():+.3f} ± {gains[:, epoch].std(ddof=1):.3f}"
        )


if __name__ == "__main__":
    main()
