"""Search a gallery with a photo, or with a box in one.

Exit code 0 where a photo of the same thing was found, 1 where none was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.text import shown
from kinfold.cli.opened import opened
from kinfold.cli.options import (
    add_filter,
    add_query,
    add_rerank,
    along,
    count,
    photo_filter,
    seconds,
)
from kinfold.cli.output import check_writable, say, show, table, write_json

if TYPE_CHECKING:
    from kinfold.gallery.hit import Hit
    from kinfold.gallery.hits import Hits

SUMMARY = "find the photos that show the same thing"
# Photos that are named where none shows the same thing.
_NEAREST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold search``."""
    add_query(parser, "search with this part of the photo", "a page to look at")
    parser.add_argument(
        "--open", action="store_true", help="open the page, of --html or a temporary one"
    )
    parser.add_argument(
        "--top", type=count, default=20, metavar="N", help="photos to answer (default: 20)"
    )
    parser.add_argument("--all", action="store_true", help="list those too that only look alike")
    parser.add_argument(
        "--paths", action="store_true", help="print paths alone, for other programs"
    )
    parser.add_argument(
        "-0",
        "--null",
        action="store_true",
        help="the same, each ended by a zero byte as `xargs -0` reads them",
    )
    add_filter(parser)
    add_rerank(parser)
    parser.add_argument(
        "--verify-seconds",
        type=seconds,
        metavar="S",
        help="start no further verifications after this time (default: verify all of --verify-top)",
    )


def run(options: argparse.Namespace) -> int:
    """Search; print the hits."""
    for target in (options.json, options.html):
        if target:
            check_writable(target)
    page = options.html
    if options.open and not page:
        page = os.path.join(tempfile.mkdtemp(prefix="kinfold-"), "answer.html")
    piped = options.query == "-"
    with opened(options.gallery, None if piped else options.query) as gallery:
        chosen = photo_filter(options)
        may = None if chosen is None else gallery.admitted(chosen)
        query = gallery.describe(_piped() if piped else options.query, box=options.box)
        answer = gallery.rank(
            query,
            rerank=options.rerank,
            verify_top=options.verify_top,
            along=along(options),
            verify_seconds=options.verify_seconds,
            top=options.top,
            filter=may,
        )
        hits = gallery.hits(query, answer, options.top)
        root, total = gallery.root, len(gallery)
        if may is not None and not options.quiet:
            say(f"among {len(may)} of {total} photos")
        if page:
            from kinfold.report.answer import write_answer

            facts = {"Second looks": ", ".join(options.rerank) or "none"}
            if answer.verified:
                facts["Compared point by point"] = f"{len(answer.verified)} photos"
            write_answer(page, gallery.answer(query, answer, hits, facts=facts))
    if options.json:
        value = {
            "gallery": options.gallery,
            "query": options.query,
            "box": options.box,
            "rerank": list(options.rerank),
            "along": along(options),
            "searched": total if may is None else len(may),
            "verified": len(answer.verified),
            "features": len(query.features),
            "root": str(root),
            **hits.to_dict(),
        }
        write_json(options.json, value)
    # What geometry was not asked of is an answer as it is.
    everything = options.all or hits.unchecked
    if options.paths or options.null:
        _print_paths(hits if everything else hits.found, "\0" if options.null else "\n")
    elif options.json != "-":
        _tell(hits, options, everything)
    if page and not options.quiet and options.json != "-" and not (options.paths or options.null):
        show(f"page: {shown(page)}")
    if options.open:
        webbrowser.open(Path(page).resolve().as_uri())
    return 0 if hits.found or hits.unchecked else 1


def _piped() -> bytes:
    """The photo on standard input."""
    return b"" if sys.stdin is None else sys.stdin.buffer.read()


def _tell(hits: Hits, options: argparse.Namespace, everything: bool) -> None:
    """What was found, in words and as a table; everything : what only looks alike too."""
    if hits.is_empty:
        say(f"{shown(options.query)}: has nothing to compare: no feature was found in it")
        return
    if not options.quiet:
        text = str(hits).removesuffix(".")
        others = [hit for hit in hits if not hit.is_query]
        told = hits.found or hits.unchecked
        show(f"{text}:" if told else f"{text}; the nearest are:" if others else f"{text}.")
    listed: list[Hit] = [hit for hit in hits if everything or hit.verdict.shows_it]
    if not hits.found and not everything:
        listed += hits.alike[:_NEAREST]
    if listed:
        show(table([["sure", "verdict", "matches", "photo"], *map(_row, listed)], left=(1, 3)))
    left = len(hits) - len(listed)
    if left and not options.quiet:
        show(f"{left} more only look{'s' if left == 1 else ''} alike (--all lists them)")


def _row(hit: Hit) -> list[str]:
    from kinfold.report.content import percent

    verdict = "the query itself" if hit.is_query else str(hit.verdict)
    matches = str(hit.inliers) if hit.verified else "-" if hit.through is None else "by others"
    return [percent(hit.confidence), verdict, matches, str(hit.file)]


def _print_paths(hits: list[Any], end: str) -> None:
    """Paths as their bytes are: they are for programs."""
    data = b"".join(os.fsencode(hit.file) + end.encode() for hit in hits)
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(data.decode(errors="surrogateescape"))
    else:
        stream.write(data)
