"""What the recipes that learn from labelled folders have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from kinfold.base.text import shown
from kinfold.cli.options import count, share
from kinfold.cli.train.shared import add_training, before_and_after, training


def add_labelled(parser: argparse.ArgumentParser, *, epochs: int, batch: int, rate: float) -> None:
    """A folder of classes, the weights to begin with, and what is judged by."""
    parser.add_argument("photos", metavar="FOLDER", help="a folder for each class, with its photos")
    parser.add_argument(
        "--weights", required=True, metavar="FILE", help="of a trained network, to begin with"
    )
    parser.add_argument(
        "--architecture", metavar="NAME", help="of the weights (default: told from them)"
    )
    parser.add_argument(
        "--held-out", type=share, default=0.2, metavar="SHARE",
        help="of the classes that are not learnt but judged by, to keep the best epoch (default: 0.2)",
    )  # fmt: skip
    parser.add_argument(
        "--side", type=count, default=224, metavar="N",
        help="photos are learnt from as squares of this side (default: 224)",
    )  # fmt: skip
    add_training(parser, epochs=epochs, batch=batch, rate=rate)


def train_labelled(
    options: argparse.Namespace, recipe: str, learn: Callable[..., Any], **more: Any
) -> int:
    """Load photos and weights, learn, and tell how well photos of classes apart find one another before and after.

    learn : of ``kinfold.learn``: (network, photos, labels, ...) -> History
    more : further options of it
    """
    from kinfold.features.weights import network, read_weights
    from kinfold.images.resize import uncropped
    from kinfold.learn.classes import classes_of
    from kinfold.learn.validation import describe_pooled, retrieval_score

    with training(options) as run:
        weights = read_weights(options.weights)
        net = network(weights, options.architecture).to(options.device)
        found = classes_of(
            options.photos, shorter=uncropped(options.side), verbose=not options.quiet
        )
        for path, reason in found.skipped:
            run.remark(f"skipped {shown(path)}: {shown(reason)}")
        learnt, judged = found.split(options.held_out, seed=options.seed)
        run.remark(
            f"{len(learnt)} photos to learn from, "
            f"{len(judged)} of {len(set(found.labels[judged]))} other classes to judge by"
        )
        score = retrieval_score(
            describe_pooled([found.photos[row] for row in judged]), found.labels[judged]
        )
        history = learn(
            net, [found.photos[row] for row in learnt], found.labels[learnt],
            validate=score, architecture=weights.metadata.get("architecture", options.architecture),
            side=options.side, **run.loop(), **more,
        )  # fmt: skip
        run.measured.update(before_and_after(history, "mAP of held-out classes"))
        return run.finish(history, recipe)
