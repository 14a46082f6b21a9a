"""Adapt a gallery's network to its own photos, without labels and without describing any photo again.

Pairs of photos that geometry confirms to show the same thing teach a linear map of the descriptors that are stored. It
takes the place of the whitening: index and graph are made anew, new photos and queries are mapped too, and
`kinfold index` keeps it. Where it does not find pairs that it was not shown better than the whitening does, the gallery
stays as it is.
"""

from __future__ import annotations

import argparse
import time

from kinfold.base.extras import require
from kinfold.cli.opened import opened
from kinfold.cli.options import add_counts, count
from kinfold.cli.output import check_writable, show, write_json

SUMMARY = "a gallery's own map of its descriptors, from photos that geometry confirms"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train adapter``."""
    parser.add_argument("gallery", metavar="GALLERY", help="the gallery's folder")
    parser.add_argument(
        "--remove",
        action="store_true",
        help="take away what was learnt: whitened descriptors again",
    )
    parser.add_argument(
        "--least-inliers", type=count, default=12, metavar="N",
        help="correspondences that two photos of the same thing have at least (default: 12)",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=float, default=3.0, metavar="S",
        help="how strongly it is held near the whitening (default: 3)",
    )  # fmt: skip
    add_counts(
        parser,
        ("--epochs", 60, "steps of the descent"),
        ("--runs", 5, "trainings whose mean it is, each judged by other photos"),
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)"
    )


def run(options: argparse.Namespace) -> int:
    """Learn and store; tell what came out."""
    if options.json:
        check_writable(options.json)
    from kinfold.base.threads import get_threads

    began = time.perf_counter()
    with opened(options.gallery) as gallery:
        if options.remove:
            notes = gallery.adapt(None)
            return _tell(options, ["the descriptors are whitened, without adapters"], notes, {})
        torch = require("torch")
        threads = torch.get_num_threads()
        torch.set_num_threads(get_threads())
        try:
            adapters = gallery.learn_adapters(
                least_inliers=options.least_inliers, strength=options.strength, epochs=options.epochs,
                runs=options.runs, seed=options.seed, verbose=not options.quiet,
            )  # fmt: skip
        finally:
            torch.set_num_threads(threads)
        if not any(adapters):
            lines = ["no map was better than the whitening: the gallery stays as it is"]
            return _tell(options, lines, [], {"networks": [None for _ in adapters]}) or 1
        notes = gallery.adapt(adapters)
    lines = [
        f"network {which}: mAP of pairs held out {adapter.before_:.3f} -> {adapter.after_:.3f}, "
        f"learnt from {adapter.pairs_:.0f} pairs"
        if adapter is not None
        else f"network {which}: no map was better than the whitening, which stays"
        for which, adapter in enumerate(adapters, 1)
    ]
    seconds = time.perf_counter() - began
    lines.append(
        f"{options.gallery} is adapted, after {seconds / 60:.1f} min; --remove takes it back"
    )
    told = [
        None if a is None else {"pairs": int(a.pairs_), "before": a.before_, "after": a.after_}
        for a in adapters
    ]
    return _tell(options, lines, notes, {"networks": told, "seconds": round(seconds, 1)})


def _tell(
    options: argparse.Namespace, lines: list[str], notes: list[str], facts: dict[str, object]
) -> int:
    if options.json:
        write_json(options.json, {"gallery": options.gallery, "notes": notes, **facts})
    if not options.quiet and options.json != "-":
        for line in [*notes, *lines]:
            show(line)
    return 0
