"""Find the sets of photos in a gallery that show the same thing."""

from __future__ import annotations

import argparse

from kinfold.base.text import shown
from kinfold.cli.opened import opened
from kinfold.cli.options import count
from kinfold.cli.output import check_writable, show, table, write_json

SUMMARY = "find sets of photos of the same thing, and near-duplicates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold groups``."""
    parser.add_argument("gallery", help="the gallery's folder")
    parser.add_argument("--html", metavar="FILE", help="write the groups as a page to look at")
    parser.add_argument(
        "--least-inliers",
        type=count,
        metavar="N",
        help="correspondences that two photos of the same thing have at least (default: 12)",
    )


def run(options: argparse.Namespace) -> int:
    """Find the groups; print them."""
    for target in (options.json, options.html):
        if target:
            check_writable(target)
    chosen = {} if options.least_inliers is None else {"least_inliers": options.least_inliers}
    with opened(options.gallery) as gallery:
        root = gallery.root
        groups = gallery.groups(**chosen, verbose=not options.quiet)
        if options.html:
            from kinfold.report.groups import write_groups

            write_groups(options.html, *gallery.groups_content(groups))
    if options.json:
        value = {
            "gallery": options.gallery,
            "root": str(root),
            "groups": [g.to_dict() for g in groups],
        }
        write_json(options.json, value)
    if options.json != "-":
        if groups:
            lines = [["representative", "photos", "pairs", "near-duplicates"]]
            for group in groups:
                near = sum(pair.near_duplicate for pair in group.pairs)
                size, pairs = len(group.photos), len(group.pairs)
                lines.append(
                    [str(root / group.representative.path), str(size), str(pairs), str(near)]
                )
            show(table(lines))
        else:
            show("no two photos show the same thing")
        if options.html and not options.quiet:
            show(f"page: {shown(options.html)}")
    return 0 if groups else 1
