"""Answer models about a gallery: the Model Context Protocol on standard input and output, for programs that start it.

Needs the extra mcp. Tools: search_photos, explain_match, list_groups, locate, gallery_info; all of them only read.
"""

from __future__ import annotations

import argparse

from kinfold.cli.opened import opened

SUMMARY = "a gallery as tools for models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold mcp``."""
    parser.add_argument("gallery", help="the gallery's folder")


def run(options: argparse.Namespace) -> int:
    """Serve until the other side ends it."""
    from kinfold.serve.mcp import serve_stdio

    opened(options.gallery).close()
    serve_stdio(options.gallery)
    return 0
