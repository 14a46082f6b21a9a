"""Search a gallery with a photo, or with a box in one."""

from __future__ import annotations

import argparse

from kinfold.base.text import shown
from kinfold.cli.opened import opened
from kinfold.cli.options import add_query, add_rerank, along, count, seconds
from kinfold.cli.output import check_writable, say, show, table, write_json

SUMMARY = "find the photos that show the same thing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold search``."""
    add_query(parser, "search with this part of the photo", "a page to look at")
    parser.add_argument(
        "--top", type=count, default=20, metavar="N", help="photos to answer (default: 20)"
    )
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
    with opened(options.gallery, options.query) as gallery:
        query = gallery.describe(options.query, box=options.box)
        answer = gallery.rank(
            query,
            rerank=options.rerank,
            verify_top=options.verify_top,
            along=along(options),
            verify_seconds=options.verify_seconds,
            top=options.top,
        )
        hits = gallery.hits(query, answer, options.top)
        root = gallery.root
        if options.html:
            from kinfold.report.answer import write_answer

            facts = {"Re-ranking": ", ".join(options.rerank) or "none"}
            if answer.verified:
                facts["Verified"] = f"{len(answer.verified)} photos"
            write_answer(options.html, gallery.answer(query, answer, hits, facts=facts))
    if options.json:
        value = {
            "gallery": options.gallery,
            "query": options.query,
            "box": options.box,
            "rerank": list(options.rerank),
            "along": along(options),
            "verified": len(answer.verified),
            "features": len(query.features),
            "root": str(root),
            "hits": [hit.to_dict() for hit in hits],
        }
        write_json(options.json, value)
    if query.is_empty:
        say(f"{shown(options.query)}: has nothing to compare: no feature was found in it")
    elif options.json != "-":
        lines = [["photo", "score", "inliers", "file"]]
        for hit in hits:
            inliers = "-" if hit.inliers is None else str(hit.inliers)
            lines.append([hit.path, f"{hit.score:.4f}", inliers, str(hit.file)])
        show(table(lines, left=(0, 3)))
        if options.verify_seconds is not None and not options.quiet:
            show(f"verified: {len(answer.verified)} photos")
    if options.json != "-" and options.html and not options.quiet:
        show(f"page: {shown(options.html)}")
    return 0 if hits else 1
