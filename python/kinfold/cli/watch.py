"""Keep a gallery up to date while photos come, change and leave; made where there is none. Ctrl-C ends it.

Many changes make one update, when nothing has changed for a while.
"""

from __future__ import annotations

import argparse
import sys

from kinfold.base.extras import require
from kinfold.base.text import shown
from kinfold.cli import index
from kinfold.cli.making import reopen
from kinfold.cli.options import seconds
from kinfold.cli.output import say

SUMMARY = "keep a gallery up to date as photos come"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold watch``."""
    index.add_folders(parser)
    parser.add_argument(
        "--settle",
        type=seconds,
        default=2.0,
        metavar="S",
        help="seconds of rest after the last change (default: 2)",
    )
    parser.set_defaults(
        list=None, relearn=False, prune=False, verify=False, remake=False, workers=0
    )


def run(options: argparse.Namespace) -> int:
    """Index, and again with every change; tell each."""
    require("watchfiles")
    target = index.target_of(options)
    index.run(options)
    sys.stdout.flush()  # a file, or another program, follows too
    try:
        with reopen(target, options, changed=("search",)) as gallery:
            if not options.quiet:
                folders = ", ".join(shown(str(folder)) for folder in gallery.folders)
                say(f"watching {folders} (Ctrl-C ends it)")
            for changes in gallery.watch(settle=options.settle, verbose=False):
                if changes.any:
                    index.report(changes, target, len(gallery), options)
                    sys.stdout.flush()
    except KeyboardInterrupt as stop:
        if kept := getattr(stop, "kept", None):
            say(kept)
    return 0
