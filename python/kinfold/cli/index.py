"""Make a gallery of a folder of photos, or bring it up to date: new, changed, moved and deleted photos are noticed.

May be interrupted at any moment; run it again and the rest is done.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

from kinfold.base.errors import GalleryError
from kinfold.base.text import lines_of, shown
from kinfold.cli.making import add_making, is_made, make, reopen, tell_skipped
from kinfold.cli.opened import is_gallery
from kinfold.cli.options import workers
from kinfold.cli.output import check_writable, show, write_json
from kinfold.images.walk import walk

SUMMARY = "make a gallery of a folder of photos, or update it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold index``."""
    add_folders(parser)
    parser.add_argument(
        "--list",
        metavar="FILE",
        help="index only the photos listed in this text file, a path in the folder on each line",
    )
    parser.add_argument(
        "--workers",
        type=workers,
        default=0,
        metavar="N",
        help="describe photos in so many processes, or in actors of Ray: ray (default: in this process's threads)",
    )
    parser.add_argument(
        "--relearn",
        action="store_true",
        help="learn words, codebooks and whitenings on these photos, in place of those that Kinfold brings",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="remove photos whose files are missing, also where these are many or a folder is empty",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="look for damage in every byte of the gallery, and make anew what is damaged",
    )
    parser.add_argument(
        "--remake",
        action="store_true",
        help="make the gallery anew from the photos, whatever its version and however damaged",
    )


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The folders, the gallery, and what it is made with."""
    parser.add_argument(
        "photos",
        nargs="+",
        help="folder of photos, or several; those that the gallery has are always brought up to date",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="GALLERY",
        help="the gallery's folder (default: the first folder's name with .kin)",
    )
    add_making(parser)


def target_of(options: argparse.Namespace) -> Path:
    """The gallery's folder."""
    return Path(options.output or f"{Path(options.photos[0]).resolve().name}.kin")


def run(options: argparse.Namespace) -> int:
    """Index; tell what was done."""
    folders = [Path(folder) for folder in options.photos]
    for photos in folders:
        if not photos.exists():
            raise FileNotFoundError(f"{photos}: there is no such folder")
        if not photos.is_dir():
            raise NotADirectoryError(f"{photos}: is not a folder")
        if is_gallery(photos):
            raise GalleryError(
                f"{photos}: is a gallery; folders of photos come first: kinfold index PHOTOS -o {quote(str(photos))}"
            )
    if options.json:
        check_writable(options.json)
    files = None
    if options.list is not None:
        files = _listed(Path(options.list))
        if not files:
            raise ValueError(f"{options.list}: lists no photo")
    target = target_of(options)
    gallery, fresh = _opened(target, options)
    with gallery:
        try:
            changes = gallery.update(
                folders,
                files=files,
                relearn=options.relearn,
                prune=options.prune,
                verify=options.verify,
                search=options.search,
                workers=options.workers,
                verbose=not options.quiet,
            )
        except BaseException:
            with suppress(GalleryError):  # which holds photos: they are kept
                if fresh:
                    gallery.discard()
            raise
        total = len(gallery)
    report(changes, target, total, options)
    return 0


def report(changes: Any, target: Path, total: int, options: argparse.Namespace) -> None:
    """Tell what an update did, and how many photos there are."""
    if options.json:
        write_json(options.json, {"gallery": str(target), "photos": total, **changes.to_dict()})
    if not options.quiet:
        tell_skipped(changes)
    if not options.quiet and options.json != "-":
        _tell(changes, target, total)


def _listed(path: Path) -> list[str]:
    """The names in a text file, a line each."""
    try:
        names = [line.strip() for line in lines_of(path.read_bytes())]
    except UnicodeDecodeError:
        names = ["\0"]
    if any("\0" in name for name in names):
        raise ValueError(f"{path}: is no text file with the path of a photo on each line")
    return names


def _opened(target: Path, options: argparse.Namespace) -> tuple[Any, bool]:
    """The gallery, and whether it was made just now."""
    there = is_made(target)
    if there and options.remake and not _any_photo(options.photos):
        raise GalleryError(f"{', '.join(options.photos)}: holds no photo; {target} stays as it is")
    if not there or options.remake:
        return make(target, options, remake=options.remake), True
    return reopen(target, options, changed=("search",)), False


def _any_photo(folders: list[str]) -> bool:
    return any(walk(folder, on_error=lambda *_: None) for folder in folders)


def _tell(changes: Any, target: Path, total: int) -> None:
    done = [
        f"{number} {what}"
        for what, number in (
            ("added", changes.added),
            ("changed", changes.changed),
            ("moved", changes.moved),
            ("removed", changes.removed),
            ("missing", changes.kept),
            ("unreadable", len(changes.failed)),
        )
        if number
    ]
    show(
        f"{shown(str(target))}: {total} photos ({', '.join(done) or 'nothing changed'}), {changes.total_seconds:.1f} s"
    )
    slow = sorted(changes.seconds.items(), key=lambda item: -item[1])
    if changes.added or changes.changed:
        show(
            "seconds by stage, summed over threads: "
            + ", ".join(f"{k} {v:.1f}" for k, v in slow if v >= 0.05)
        )
