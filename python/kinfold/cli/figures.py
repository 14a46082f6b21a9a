"""Draw figures of how search works, from what this package computes."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

from kinfold.base.errors import KinfoldError
from kinfold.base.text import shown
from kinfold.cli.output import check_writable, say, show, table, write_json

SUMMARY = "draw how indexes, manifolds and networks work"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold figures``."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--list", action="store_true", help="name them, and draw none")
    parser.add_argument(
        "-o", "--output", default="figures", metavar="FOLDER", help="default: figures"
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="of a network, for the figures of what networks see"
    )
    parser.add_argument("--gif", action="store_true", help="draw what moves as GIF, too")


def run(options: argparse.Namespace) -> int:
    """Draw; tell where."""
    from kinfold.base.registry import resolve
    from kinfold.report.figures import FIGURES

    unknown = [name for name in options.names if name not in FIGURES]
    if unknown:
        raise KinfoldError(f"{unknown[0]}: expected one of {', '.join(FIGURES)}")
    if options.json:
        check_writable(options.json)
    if options.list:
        show(table([["figure", "shows"], *([n, f.title] for n, f in FIGURES.items())]))
        return 0
    wanted = {name: FIGURES[name] for name in options.names or FIGURES}
    without = [n for n, figure in wanted.items() if figure.weights and not options.weights]
    if without and options.names:
        raise KinfoldError(f"--weights: {without[0]} shows what a network sees: give its weights")
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, figure in wanted.items():
        if name in without:
            continue
        draw = resolve(figure.target)
        more = (options.weights,) if figure.weights else ()
        for kind in ("png", "gif") if options.gif and figure.moving else ("png",):
            path = folder / f"{name}.{kind}"
            draw(path, *more)
            drawn.append(
                {
                    "figure": name,
                    "path": str(path),
                    "text": " ".join((inspect.getdoc(draw) or "").split()),
                }
            )
            if not options.quiet and options.json != "-":
                show(shown(str(path)))
    if without and not options.quiet:
        say(f"left out, as they need --weights: {', '.join(without)}")
    if options.json:
        write_json(options.json, {"figures": drawn})
    return 0
