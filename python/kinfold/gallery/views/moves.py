"""What to do with copies, as a script for a shell and as a table: both are to be read first, and nothing is deleted."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from kinfold.gallery.views.dedup import Duplicates

_COLUMNS = (
    "set", "what", "path", "verdict", "edits", "correlation", "width", "height", "bytes", "date", "why",
)  # fmt: skip


def moves(found: Duplicates, into: str | os.PathLike[str]) -> list[tuple[Path, Path]]:
    """Where each photo that others stand for would go: the same path in another folder."""
    target = Path(into).absolute()
    return [(found.root / photo.path, target / _below(photo.path)) for photo in found.spare]


def moves_script(found: Duplicates, into: str | os.PathLike[str]) -> str:
    """A script for sh that moves them. It overwrites nothing, and moves a copy only while what is kept is there."""
    target = Path(into).absolute()
    lines = [
        "#!/bin/sh",
        f"# Moves {len(found.spare)} copies to {_comment(str(target))}. Nothing is deleted; read it before it is run.",
        "set -eu",
        "move() {  # copy, where to, the photo that stays",
        '  if [ ! -f "$3" ]; then echo "left, for what stays is gone: $1" >&2; return; fi',
        '  if [ ! -f "$1" ]; then echo "gone already: $1" >&2; return; fi',
        '  if [ -e "$2" ]; then echo "left, there is one of that name: $2" >&2; return; fi',
        '  mkdir -p -- "$(dirname -- "$2")"',
        '  mv -n -- "$1" "$2"',
        "}",
    ]
    for held in found.sets:
        stays = found.root / held.keep.path
        spare = [copy.photo for copy in held.copies if not copy.kept]
        if spare:
            lines.append(f"# kept: {_comment(held.keep.path)} ({held.why})")
        for photo in spare:
            paths = (found.root / photo.path, target / _below(photo.path), stays)
            lines.append("move " + " ".join(quote(str(path)) for path in paths))
    return "\n".join(lines) + "\n"


def table_of(found: Duplicates) -> str:
    """A photo a line, comma-separated, with a head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number, held in enumerate(found.sets, 1):
        kept = held.to_dict()["keep"]
        writer.writerow(
            [number, "keep", *_cells(kept, ("path",)), "", "", "", *_facts(kept), held.why]
        )
        for copy in held.copies:
            known = copy.to_dict()
            what = "keep" if copy.kept else "copy"
            told = [known["verdict"], " ".join(known["edits"]), known["correlation"]]
            writer.writerow([number, what, known["path"], *told, *_facts(known), ""])
    return text.getvalue()


def _facts(known: dict[str, object]) -> list[object]:
    return _cells(known, ("width", "height", "bytes", "date"))


def _cells(known: dict[str, object], names: Sequence[str]) -> list[object]:
    return [known[name] for name in names]


def _below(path: str) -> str:
    """The same path in another folder: that of a photo in another folder of the gallery is whole."""
    return path.lstrip("/")


def _comment(text: str) -> str:
    """A name within a comment: a line break would end it, and what follows would be run."""
    return "".join(char if char.isprintable() else "?" for char in text)
