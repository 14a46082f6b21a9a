"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import re
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from kinfold.gallery.along import Along
from kinfold.gallery.photo_filter import PhotoFilter
from kinfold.gallery.stages import STAGES, all_stages, checked_stages
from kinfold.rerank.pipeline import line_of

P = TypeVar("P", bound=argparse.ArgumentParser)


def rerank(text: str) -> tuple[str, ...]:
    """ "spatial,diffusion" or other second looks of a gallery, in any order, or "none"."""
    if text.strip() in ("", "none"):
        return ()
    try:
        return checked_stages([part.strip() for part in text.split(",")])
    except ValueError as error:
        # argparse names the argument itself.
        raise argparse.ArgumentTypeError(str(error).removeprefix("rerank: ")) from None


def engine(text: str) -> str:
    """Of a gallery: "asmk", "asmk+cnn", ...."""
    from kinfold.gallery.settings import engines_of

    try:
        engines_of(text)
    except ValueError as error:
        # argparse names the argument itself.
        raise argparse.ArgumentTypeError(str(error).removeprefix("engine: ")) from None
    return text


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


def workers(text: str) -> int | str:
    """A whole number from 0, or "ray"."""
    if text in ("ray", "0"):
        return text if text == "ray" else 0
    return count(text)


def share(text: str) -> float:
    """A number above 0, up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, up to 1, got {text!r}")
    return value


def shares(text: str) -> tuple[float, ...]:
    """ "0.6,0.4": numbers from 0 to 1."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (-1.0,)
    if not all(0 <= value <= 1 for value in values):
        raise argparse.ArgumentTypeError(f"expected numbers from 0 to 1, got {text!r}")
    return values


_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def seconds(text: str) -> float:
    """A time, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more, got {text!r}")
    return value


def metres(text: str) -> float:
    """A distance above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected metres, more than 0, got {text!r}")
    return value


def memory(text: str) -> tuple[float, bool]:
    """Bytes, and whether they are of each vector ("64") or of all together ("500MB")."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in ("", *_UNITS) or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"expected 64 (bytes a vector), 500MB or 2GB, got {text!r}"
        )
    return float(match[1]) * _UNITS.get(match[2], 1), not match[2]


def add_query(parser: argparse.ArgumentParser, part: str, page: str) -> None:
    """The gallery, the photo that is asked with, --box and --html.

    part, page : what the box is for, what is written
    """
    parser.add_argument("gallery", help="the gallery's folder")
    parser.add_argument(
        "query", help="a photo: a file, the name of one in the gallery, or - for standard input"
    )
    parser.add_argument("--box", type=box, metavar="X0,Y0,X1,Y1", help=f"{part}, in pixels")
    parser.add_argument("--html", metavar="FILE", help=f"write the answer as {page}")


def add_filter(parser: argparse.ArgumentParser) -> None:
    """--folder, --since and --until, for ``photo_filter``."""
    photos = parser.add_argument_group("photos that may answer")
    photos.add_argument(
        "--folder",
        action="append",
        metavar="FOLDER",
        help="those in this folder of the photos; more than once for several",
    )
    for name, which in (("since", "first"), ("until", "last")):
        photos.add_argument(
            f"--{name}",
            type=partial(_date, name),
            metavar="DATE",
            help=f"the {which} day that they were taken: 2024, 2024-05 or 2024-05-01",
        )


def photo_filter(options: argparse.Namespace) -> PhotoFilter | None:
    """The photos that may answer; None for all."""
    chosen = (options.folder, options.since, options.until)
    return None if chosen == (None, None, None) else PhotoFilter(*chosen)


def _date(name: str, text: str) -> str:
    try:
        PhotoFilter(**{name: text})
    except ValueError as error:
        # argparse names the argument itself.
        raise argparse.ArgumentTypeError(str(error).removeprefix(f"{name}: ")) from None
    return text


def add_rerank(parser: argparse.ArgumentParser) -> None:
    """--rerank and what belongs to it."""
    stages = parser.add_argument_group(
        "second looks, for --rerank",
        "\n".join(f"- {name}: {line_of(name)}" for name in all_stages()),
    )
    stages.add_argument(
        "--rerank",
        type=rerank,
        default=STAGES,
        metavar="STAGES",
        help=f"in order, with commas, or none (default: {','.join(STAGES)})",
    )
    stages.add_argument(
        "--verify-top",
        type=count,
        default=100,
        metavar="N",
        help="photos of the first answer that are spatially verified (default: 100)",
    )
    for option, name, metavar, what in (
        (
            "alpha",
            "alpha",
            "A",
            "share that flows on at each step along the graph, below 1, or auto",
        ),
        ("k-query", "k_query", "N", "photos of the first answer that diffusion starts from"),
        ("k-graph", "k", "K", "neighbours in the graph, or auto (default: those of the gallery)"),
        ("gamma", "gamma", "G", "power that turns similarities into weights (default: 3)"),
    ):
        stages.add_argument(
            f"--{option}", dest=name, type=partial(_along, name), metavar=metavar, help=what
        )


def along(options: argparse.Namespace) -> dict[str, Any]:
    """What was chosen of how second looks go along the graph."""
    chosen = {name: getattr(options, name) for name in ("alpha", "k_query", "k", "gamma")}
    return {name: value for name, value in chosen.items() if value is not None}


def _along(name: str, text: str) -> Any:
    value: Any = text
    if text != "auto":
        with suppress(ValueError):  # refused below
            value = int(text) if name.startswith("k") else float(text)
    try:
        return getattr(Along.of({name: value}), name)
    except ValueError as error:
        # argparse names the argument itself.
        raise argparse.ArgumentTypeError(str(error).removeprefix(f"{name}: ")) from None


def common(kind: type[P], *, again: bool = False) -> P:
    """A parser of what all commands take, for their ``parents``.

    again : for the recipes of a command that takes it too: what is not given there leaves what was given before
    """
    parser = kind(add_help=False, argument_default=argparse.SUPPRESS if again else None)
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="results as JSON, to a file or standard output",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads at most (default: all, or KINFOLD_THREADS)",
    )
    for name, what in (
        ("--quiet", "no progress and no remarks"),
        ("--debug", "show where an error arose"),
    ):
        flag = parser.add_argument(name, action="store_true", help=what)
        flag.default = argparse.SUPPRESS if again else False
    return parser


def add_counts(parser: argparse.ArgumentParser, *options: tuple[str, int, str]) -> None:
    """Options that are whole numbers from 1 on: the name, the default, what it means."""
    for name, value, means in options:
        parser.add_argument(
            name, type=count, default=value, metavar="N", help=f"{means} (default: {value})"
        )
