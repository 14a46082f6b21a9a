"""Search a gallery with a photo, or with a box in one."""

from __future__ import annotations

import argparse

from kinfold.cli.options import add_rerank, box, count, seconds
from kinfold.cli.output import check_writable, show, table, write_json

SUMMARY = "find the photos that show the same thing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold search``."""
    parser.add_argument("gallery", help="the gallery's folder")
    parser.add_argument("query", help="a photo")
    parser.add_argument(
        "--box",
        type=box,
        metavar="X0,Y0,X1,Y1",
        help="search with this part of the photo, in pixels",
    )
    parser.add_argument(
        "--top", type=count, default=20, metavar="N", help="photos to answer (default: 20)"
    )
    parser.add_argument("--html", metavar="FILE", help="write the answer as a page to look at")
    add_rerank(parser)
    parser.add_argument(
        "--verify-seconds", type=seconds, metavar="S",
        help="start no further verifications after this time (default: verify all of --verify-top)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Search; print the hits."""
    from kinfold.gallery import Gallery

    for target in (options.json, options.html):
        if target:
            check_writable(target)
    with Gallery.open(options.gallery) as gallery:
        query = gallery.describe(options.query, box=options.box)
        answer = gallery.rank(
            query, rerank=options.rerank, verify_top=options.verify_top,
            verify_seconds=options.verify_seconds, top=options.top,
        )  # fmt: skip
        hits = gallery.hits(query, answer, options.top)
        if options.html:
            from kinfold.report.answer import write_answer

            facts = {"Re-ranking": ", ".join(options.rerank) or "none"}
            if answer.verified:
                facts["Verified"] = f"{len(answer.verified)} photos"
            write_answer(options.html, gallery.answer(query, answer, hits, facts=facts))
    if options.json:
        value = {
            "gallery": options.gallery, "query": options.query, "box": options.box,
            "rerank": list(options.rerank), "verified": len(answer.verified), "hits": [hit.to_dict() for hit in hits],
        }  # fmt: skip
        write_json(options.json, value)
    if options.json != "-":
        lines = [["photo", "score", "inliers"]]
        for hit in hits:
            lines.append(
                [hit.path, f"{hit.score:.4f}", "-" if hit.inliers is None else str(hit.inliers)]
            )
        show(table(lines))
        if options.verify_seconds is not None and not options.quiet:
            show(f"verified: {len(answer.verified)} photos")
        if options.html and not options.quiet:
            show(f"page: {options.html}")
    return 0 if hits else 1
