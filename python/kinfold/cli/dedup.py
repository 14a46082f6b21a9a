"""Find photos that are copies of others: the same file, or one that was cut, made smaller, compressed, turned,
mirrored, written on or set into a page. Other shots of the same thing are no copies and stay.

Of each set one photo is to keep: one in a folder given by --keep; else one without a page around it or words over it,
with more pixels, in a format that loses less, the larger file, the earlier date, the shorter path. Nothing is moved and
nothing is deleted: --script writes what would move the others.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from kinfold.base.text import shown, size_text
from kinfold.cli.making import is_made, tell_skipped
from kinfold.cli.opened import is_gallery, opened
from kinfold.cli.output import check_writable, say, show, table, write_json

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery
    from kinfold.gallery.photo import Photo
    from kinfold.gallery.views.dedup import Duplicates

SUMMARY = "find copies of photos, edited ones too, and which to keep"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold dedup``."""
    parser.add_argument(
        "gallery",
        help="the gallery's folder, or a folder of photos: its gallery is made or updated",
    )
    parser.add_argument(
        "--keep",
        metavar="FOLDER",
        action="append",
        default=[],
        help="a folder among the photos; what lies in it is kept and never proposed to be moved. May be repeated",
    )
    parser.add_argument("--html", metavar="FILE", help="write the copies as a page to look at")
    parser.add_argument("--csv", metavar="FILE", help="write the copies as a table, a photo a line")
    parser.add_argument(
        "--script",
        metavar="FILE",
        help="write a script for sh that moves the copies; it is not run",
    )
    parser.add_argument(
        "--into",
        metavar="FOLDER",
        default="copies",
        help="where the script moves them, each by its path (default: copies)",
    )
    parser.add_argument("--no-mirrors", action="store_true", help="do not look for mirror images")


def run(options: argparse.Namespace) -> int:
    """Find the copies; print them."""
    for target in (options.json, options.html, options.csv, options.script):
        if target:
            check_writable(target)
    with _gallery(options) as gallery:
        found = gallery.duplicates(
            keep=options.keep, mirrors=not options.no_mirrors, verbose=not options.quiet
        )
        if options.html:
            from kinfold.report.duplicates import write_duplicates

            write_duplicates(options.html, *gallery.duplicates_content(found))
    _write(options, found)
    if options.json != "-":
        _tell(options, found)
    return 0 if found.sets else 1


def _gallery(options: argparse.Namespace) -> Gallery:
    from kinfold.gallery import Gallery

    path = Path(options.gallery)
    if is_gallery(path) or not path.is_dir():
        return opened(options.gallery)
    target = Path(f"{path.resolve().name}.kin")
    gallery = Gallery.open(target, repair=True) if is_made(target) else Gallery.create(target)
    try:
        changes = gallery.update(path, verbose=not options.quiet)
    except BaseException:
        gallery.close()
        raise
    if not options.quiet:
        tell_skipped(changes)
        say(f"gallery: {shown(str(target))}")
    return gallery


def _write(options: argparse.Namespace, found: Duplicates) -> None:
    from kinfold.gallery.views.moves import moves_script, table_of
    from kinfold.io.atomic import write_text

    if options.csv:
        write_text(options.csv, table_of(found))
    if options.script:
        write_text(options.script, moves_script(found, options.into))
    if options.json:
        write_json(options.json, {"gallery": options.gallery, **found.to_dict()})


def _tell(options: argparse.Namespace, found: Duplicates) -> None:
    if not found.sets:
        show("no photo is a copy of another")
    else:
        lines = [["", "what it is", "pixels", "bytes", "path"]]
        for held in found.sets:
            lines.append(["keep", held.why, *_facts(held.keep)])
            for copy in held.copies:
                what = ", ".join([str(copy.verdict), *copy.edits])
                lines.append(["keep" if copy.kept else "copy", what, *_facts(copy.photo)])
        # The path is last: a long name makes no other column wide.
        show(table(lines, left=(0, 1, 4)))
        spare = found.spare
        size = size_text(sum(photo.size for photo in spare))
        show(f"{len(found.sets)} pictures in several files; {len(spare)} copies, {size}, could go")
    if options.quiet:
        return
    if found.shots:
        show(f"{len(found.shots)} pairs are other shots of the same thing: these stay")
    for name in found.unseen:
        say(f"not seen, for its file is gone or damaged: {shown(name)}")
    for what in ("html", "csv", "script"):
        if target := getattr(options, what):
            run_by = f"; to move them: sh {shlex.quote(target)}" if what == "script" else ""
            show(f"{what}: {shown(target)}{run_by}")


def _facts(photo: Photo) -> list[str]:
    return [f"{photo.width} x {photo.height}", size_text(photo.size), shown(photo.path)]
