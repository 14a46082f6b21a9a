"""Mining on manifolds: what is mined among the real photos, and what a network learns of it.

    python -m benchmarks.learn.manifold mined [--sheet FILE]
    python -m benchmarks.learn.manifold train [--seeds 0 1 2] [--epochs 2] [--tuples 100] [--side 224] [--rate 1e-3]

mined   the share of positives that show their anchor's object, and of negatives that show another, among the photos of
        one half of the objects and distractors (halves.py, first way round, means over seeds); of anchors that show an
        object, distractors have no labels
train   SqueezeNet learns from one half, without labels, and is judged on the other, with its distractors: one scale, as
        it is and by the whitening of what was learnt from (256 dimensions), before and after the last epoch: nothing is
        chosen by what is reported
"""

from __future__ import annotations

import argparse
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

import kinfold as kf
from benchmarks.learn.described import NETWORKS, described
from benchmarks.learn.halves import PHOTOS, SHARED, cuts, halves
from kinfold.features.weights import network, read_weights
from kinfold.gallery.engines.base import learn_whitening, whitened
from kinfold.learn.manifold import finetune_manifold
from kinfold.learn.mine.on_manifold import ManifoldSets, mine_on_manifold
from kinfold.learn.validation import describe_pooled
from kinfold.report.mined_sets import write_mined_photos

# Neighbours of the graph: objects have five photos in the mean.
K = 10


def mined(options: argparse.Namespace) -> None:
    """A line for each pair of k."""
    for name in NETWORKS:
        data = described(name)
        for k_pos, k_neg in ((3, 3), (3, 20), (5, 50), (10, 50), (50, 50), (50, None)):
            rows = []
            for seed in options.seeds:
                cut = cuts(data.truth, seed)[0]
                x = data.photos[cut.learnt]
                vectors = whitened(x, learn_whitening(x, 256, 0.25))
                sets = mine_on_manifold(vectors, k=K, components="all", k_pos=k_pos, k_neg=k_neg)
                # Distractors are not labelled: nobody knows which of them show one thing.
                of_objects = np.bincount(cut.labels)[cut.labels[sets.anchors]] > 1
                known = ManifoldSets(*(getattr(sets, f.name)[of_objects] for f in fields(sets)))
                each = (known.positives >= 0).sum() / len(known)
                rows.append([*known.precision(cut.labels), len(known), each])
            positive, negative, anchors, each = np.mean(rows, axis=0)
            print(
                f"{name}: k_pos {k_pos}, k_neg {k_neg}: positives right {positive:.3f}, negatives {negative:.3f}; "
                f"{anchors:.0f} anchors with {each:.1f} positives",
                flush=True,
            )
        if options.sheet is not None:
            names = data.truth["imlist"] + data.truth["qimlist"]
            files = [PHOTOS / "jpg" / f"{names[row]}.jpg" for row in cut.learnt]
            sets = mine_on_manifold(vectors, k=K, components="all", k_pos=5, k_neg=50)
            write_mined_photos(options.sheet, files, sets, [0, 1, 2])


def train(options: argparse.Namespace) -> None:
    """A line for each seed, and the means."""
    torch.set_num_threads(1)
    kf.set_threads(1)
    start = SHARED / "weights" / "squeezenet1_1.safetensors"
    rows = []
    for seed in options.seeds:
        half = halves(seed)[0]

        def described_by(net: torch.nn.Module, photos: list) -> np.ndarray:
            return describe_pooled(photos, max_side=options.side)(net)

        def scores(net: torch.nn.Module) -> tuple[float, float, np.ndarray]:
            x = described_by(net, half.photos)  # noqa: B023
            base, asked = described_by(net, half.database), described_by(net, half.queries)  # noqa: B023
            given = {id(half.database): base, id(half.queries): asked}  # noqa: B023
            whitening = learn_whitening(x, 256, 0.25)
            raw = half.mean_ap(lambda photos: given[id(photos)])  # noqa: B023
            return raw, half.mean_ap(lambda photos: whitened(given[id(photos)], whitening)), x  # noqa: B023

        net = network(read_weights(start))
        *before, x = scores(net)
        began = time.process_time()
        finetune_manifold(
            net, half.photos, whitened(x, learn_whitening(x, 256, 0.25)), k=K, k_pos=3, k_neg=50,
            tuples=options.tuples, epochs=options.epochs, rate=options.rate, max_side=options.side, seed=seed,
            verbose=False,
        )  # fmt: skip
        seconds = time.process_time() - began
        *after, _ = scores(net)
        rows.append([*before, *after])
        print(
            f"seed {seed}: raw {before[0]:.4f} -> {after[0]:.4f}, whitened {before[1]:.4f} -> {after[1]:.4f}, "
            f"{seconds:.0f} s",
            flush=True,
        )
    table = np.array(rows)
    for name, gain in (("raw", table[:, 2] - table[:, 0]), ("whitened", table[:, 3] - table[:, 1])):
        spread = f" ± {gain.std(ddof=1):.4f}" if len(gain) > 1 else ""
        print(f"{name}: {gain.mean():+.4f}{spread}")


def main() -> None:
    """Choose one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    mining = commands.add_parser("mined")
    mining.add_argument("--sheet", type=Path)
    mining.set_defaults(run=mined)
    learning = commands.add_parser("train")
    learning.add_argument("--epochs", type=int, default=2)
    learning.add_argument("--tuples", type=int, default=100)
    learning.add_argument("--side", type=int, default=224)
    learning.add_argument("--rate", type=float, default=1e-3)
    learning.set_defaults(run=train)
    for command in (mining, learning):
        command.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
