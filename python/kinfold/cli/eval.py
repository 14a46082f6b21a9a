"""Judge a gallery by a ground truth: average precision of each query, and their mean.

A ground truth is a gnd_*.pkl of the benchmarks, or JSON: {"imlist": [names of photos], "qimlist": [names of queries],
"gnd": [{"ok": [positions in imlist that should be found], "junk": [those that do not count], "bbx": [x0, y0, x1, y1] or
null}]}, one entry of gnd for each query; revisited protocols have "easy" and "hard" in place of "ok". Names are paths
in the folder of photos, with or without the ending. Query photos that lie elsewhere need --queries.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.cli.opened import opened
from kinfold.cli.options import add_rerank, along
from kinfold.cli.output import check_writable, show, write_json

SUMMARY = "measure mean average precision with a ground truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold eval``."""
    from kinfold.evaluate import METHODS

    parser.add_argument("gallery", help="the gallery's folder")
    parser.add_argument(
        "--ground-truth",
        required=True,
        metavar="FILE",
        help="gnd_*.pkl or JSON with imlist, qimlist, gnd, see above",
    )
    parser.add_argument(
        "--protocol", default="oxford", choices=list(METHODS), help="default: oxford"
    )
    parser.add_argument(
        "--queries",
        metavar="FOLDER",
        help="folder of the query photos, where they are not among the gallery's (default: that of its photos)",
    )
    add_rerank(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate; print the table."""
    if options.json:
        check_writable(options.json)
    truth = read_ground_truth(Path(options.ground_truth))
    with opened(options.gallery) as gallery:
        judged = gallery.evaluate(
            truth,
            options.protocol,
            rerank=options.rerank,
            verify_top=options.verify_top,
            along=along(options),
            queries=options.queries,
        )
        engine = gallery.settings.engine
    if options.json:
        value = {
            "gallery": options.gallery,
            "engine": engine,
            "rerank": list(options.rerank),
            "along": along(options),
            **judged.to_dict(),
        }
        write_json(options.json, value)
    if options.json != "-":
        if not options.quiet:
            show(judged.table())
        show(
            f"mAP {judged.map:.4f}  (engine {engine}, re-ranking {','.join(options.rerank) or 'none'}, "
            f"protocol {options.protocol})"
        )
    return 0


def read_ground_truth(path: Path) -> Any:
    """JSON, or a pickle by an unpickler that builds plain data alone: its first byte tells, or its name."""
    from kinfold.evaluate import GroundTruth

    with path.open("rb") as file:
        start = file.read(1)
    if start == b"\x80" or path.suffix in (".pkl", ".pickle"):
        from kinfold.io.foreign import ground_truth_pickle

        try:
            return GroundTruth.from_dict(ground_truth_pickle.read(path))
        except FileFormatError:
            raise
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from error
    return GroundTruth.from_json(path)
