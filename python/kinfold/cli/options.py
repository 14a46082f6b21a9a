"""Arguments that several commands share."""

from __future__ import annotations

import argparse

STAGES = ("spatial", "diffusion")


def rerank(text: str) -> tuple[str, ...]:
    """ "spatial,diffusion" in any order, or "none"."""
    if text.strip() in ("", "none"):
        return ()
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in STAGES:
            raise argparse.ArgumentTypeError(
                f"expected none, spatial, diffusion or both, got {text!r}"
            )
    if len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected each stage once, got {text!r}")
    return names


def box(text: str) -> tuple[float, float, float, float]:
    """ "x0,y0,x1,y1" in pixels."""
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected x0,y0,x1,y1 in pixels, got {text!r}") from None
    return x0, y0, x1, y1


def count(text: str) -> int:
    """A whole number from 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return value


def add_rerank(parser: argparse.ArgumentParser) -> None:
    """--rerank and what belongs to it."""
    parser.add_argument(
        "--rerank", type=rerank, default=STAGES, metavar="STAGES",
        help="second looks in order: spatial, diffusion, both with a comma, or none (default: spatial,diffusion)",
    )  # fmt: skip
    parser.add_argument(
        "--verify-top", type=count, default=100, metavar="N",
        help="photos of the first answer that are spatially verified (default: 100)",
    )  # fmt: skip
