"""Divide an index among several files, which kf.ShardedIndex.open searches together: each in a process of its own.

Rows go by their ids; what was learnt is in every file. The index stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kinfold.base.text import shown, size_text
from kinfold.cli.options import count
from kinfold.cli.output import check_writable, show, write_json

SUMMARY = "divide an index among files that are searched together"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold shard``."""
    parser.add_argument("index", help="the .kin file of an index of vectors")
    parser.add_argument(
        "-n", "--shards", type=count, default=2, metavar="N", help="how many files (default: 2)"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FOLDER",
        help="where they go: a folder that is empty, or is made",
    )


def run(options: argparse.Namespace) -> int:
    """Divide the index; tell what came of it."""
    from kinfold.shards.divide import divide
    from kinfold.shards.manifest import read_manifest

    if options.json:
        check_writable(options.json)
    folder = Path(options.output)
    divide(options.index, folder, options.shards)
    files = [file.path for file in read_manifest(folder)]
    sizes = [path.stat().st_size for path in files]
    if options.json:
        facts = [{"file": str(path), "bytes": size} for path, size in zip(files, sizes)]
        write_json(options.json, {"folder": str(folder), "files": facts})
    if options.json != "-":
        for path, size in zip(files, sizes):
            show(f"{shown(str(path))}: {size_text(size)}")
        show(f"searched by kf.ShardedIndex.open({str(folder)!r})")
    return 0
