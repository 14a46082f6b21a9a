"""Learn descriptors from triplets: a photo of the same class should be nearer than one of another, by a margin."""

from __future__ import annotations

import argparse

from kinfold.cli.train.labelled import add_labelled, train_labelled

SUMMARY = "descriptors, from triplets of labelled photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train triplet``."""
    add_labelled(parser, epochs=10, batch=32, rate=1e-3)
    parser.add_argument(
        "--margin", type=float, default=0.1, metavar="M",
        help="by which the squared distance to another class should be the larger (default: 0.1)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Train; tell what came out."""
    from kinfold.learn.triplet import finetune_triplet

    return train_labelled(
        options, "triplet", finetune_triplet,
        margin=options.margin, classes=max(options.batch // 4, 2),
    )  # fmt: skip
