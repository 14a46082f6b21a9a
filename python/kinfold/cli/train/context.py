"""Learn descriptors from photos without labels, by telling on which side of a patch of a photo another one lies."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinfold.base.text import shown
from kinfold.cli.options import count
from kinfold.cli.train.shared import add_training, training

SUMMARY = "descriptors, from photos without labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train context``."""
    parser.add_argument("photos", metavar="FOLDER", help="folder of photos")
    parser.add_argument(
        "--architecture", default="compact", metavar="NAME",
        help="of the network, which learns from nothing; batch-normalised (default: compact)",
    )  # fmt: skip
    parser.add_argument(
        "--colour", default="projection", choices=("projection", "drop", "keep"),
        help="what hides that a lens parts colours, which would tell the answer (default: projection)",
    )  # fmt: skip
    parser.add_argument(
        "--pairs", type=count, default=8192, metavar="N",
        help="pairs of patches in an epoch (default: 8192)",
    )  # fmt: skip
    add_training(parser, epochs=12, batch=128, rate=1e-3)


def run(options: argparse.Namespace) -> int:
    """Train; tell what came out."""
    from kinfold.features.weights import random_network
    from kinfold.images.walk import survey
    from kinfold.learn.context import context_prediction

    with training(options) as run:
        found = survey(options.photos)
        files = [Path(options.photos) / photo.path for photo in found.photos]
        network = random_network(options.architecture, options.seed).to(options.device)
        learnt = context_prediction(
            network, files, batch=options.batch, pairs_an_epoch=options.pairs, colour=options.colour,
            architecture=options.architecture, **run.loop(),
        )  # fmt: skip
        skipped = found.skipped + [
            (found.photos[row].path, reason) for row, reason in learnt.left_out.items()
        ]
        for path, reason in skipped:
            run.remark(f"skipped {shown(path)}: {shown(reason)}")
        run.measured["accuracy on held-out photos (chance 0.125)"] = learnt.accuracy
        return run.finish(learnt.history, "context")
