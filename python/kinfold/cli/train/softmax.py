"""Learn to tell classes like those that will be searched for; what a network needs for that describes photos better."""

from __future__ import annotations

import argparse

from kinfold.cli.train.labelled import add_labelled, train_labelled

SUMMARY = "descriptors, by telling classes of labelled photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train softmax``."""
    add_labelled(parser, epochs=10, batch=32, rate=1e-3)


def run(options: argparse.Namespace) -> int:
    """Train; tell what came out."""
    from kinfold.learn.softmax import finetune_softmax

    return train_labelled(options, "softmax", finetune_softmax, batch=options.batch)
