"""Serve a gallery on this machine: a page to search it with, and an API for programs."""

from __future__ import annotations

import argparse
import os

from kinfold.cli.opened import opened
from kinfold.cli.output import say

SUMMARY = "a page and an API to search a gallery with"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold serve``."""
    parser.add_argument("gallery", help="the gallery's folder")
    parser.add_argument(
        "--port", type=_port, default=8000, help="default: 8000; 0 for any that is free"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument(
        "--token",
        metavar="T",
        help="what every request must present; needed for any other host (default: KINFOLD_TOKEN, if it is set)",
    )
    parser.add_argument(
        "--name", action="append", default=[], metavar="NAME",
        help="a further name that the server is asked for by, such as that of a proxy; may be given again",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Serve until it is stopped."""
    from kinfold.serve.limits import Limits
    from kinfold.serve.run import serve

    token = options.token or os.environ.get("KINFOLD_TOKEN") or None
    limits = Limits(host=options.host, token=token, names=tuple(options.name))
    opened(options.gallery).close()

    def ready(address: str) -> None:
        if not options.quiet:
            say(f"{address} serves {options.gallery}; Ctrl-C ends it")

    serve(options.gallery, port=options.port, limits=limits, ready=ready)
    return 0


def _port(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 16:
        raise argparse.ArgumentTypeError(f"expected a port, 0 to 65535, got {text!r}")
    return value
