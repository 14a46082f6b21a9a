"""Learn descriptors from pairs: photos of one class attract one another, the nearest of other classes are repelled."""

from __future__ import annotations

import argparse

from kinfold.cli.train.labelled import add_labelled, train_labelled

SUMMARY = "descriptors, from pairs of labelled photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train siamese``."""
    add_labelled(parser, epochs=10, batch=32, rate=1e-3)
    parser.add_argument(
        "--margin", type=float, default=0.7, metavar="M",
        help="distance up to which photos of different classes repel one another (default: 0.7)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Train; tell what came out."""
    from kinfold.learn.siamese import finetune_siamese

    return train_labelled(
        options, "siamese", finetune_siamese,
        margin=options.margin, classes=max(options.batch // 4, 2),
    )  # fmt: skip
