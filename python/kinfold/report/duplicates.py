"""Photos that are one picture, a set a row, as an HTML page in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.io.atomic import write_text
from kinfold.report.page import Album, facts_list, name, sheet, text
from kinfold.report.pictures import Picture


@dataclass(frozen=True)
class Shown:
    """A photo of a set.

    verdict : what it is to the first of the set, or why that is kept
    facts : what was done to it, size and date, a line each
    kept : whether it stays
    """

    picture: Picture
    verdict: str
    facts: tuple[str, ...]
    kept: bool = False


def duplicates_page(title: str, sets: Sequence[Sequence[Shown]], facts: Mapping[str, str]) -> str:
    """A self-contained HTML page: of each set what is kept, then its copies."""
    album = Album()
    rows = "".join(_row(album, shown, at) for at, shown in enumerate(sets))
    count = f"{len(sets)} picture{'' if len(sets) == 1 else 's'} in several files"
    body = (
        f'<header class="summary"><h1>{text(title)}</h1>{facts_list(facts)}</header><main>'
        f'<div class="above"><h2>{count}</h2></div>'
        f"{rows or '<p class=empty>No photo is a copy of another.</p>'}</main>"
    )
    return sheet(title, body, album)


def write_duplicates(
    path: str | os.PathLike[str],
    title: str,
    sets: Sequence[Sequence[Shown]],
    facts: Mapping[str, str],
) -> None:
    """Write the page; the file appears whole or not at all. Raises OSError."""
    write_text(path, duplicates_page(title, sets, facts))


def _row(album: Album, shown: Sequence[Shown], at: int) -> str:
    first, *others = shown
    items = "".join(
        f'<li><div class="card small">{album.figure(one.picture, one.picture.name)}'
        f'<span class="line">{_badge(one)}</span>{_lines(one.facts)}'
        f'<span class="line">{name(one.picture.name)}</span></div></li>'
        for one in others
    )
    figure = album.figure(first.picture, f"Kept: {first.picture.name}")
    return (
        f'<section class="example" aria-labelledby="d{at}"><figure>{figure}<figcaption>{name(first.picture.name)}<br>'
        f"{'<br>'.join(map(text, first.facts))}</figcaption></figure><div>"
        f'<h3 id="d{at}">{text(first.verdict)}</h3><ol class="strip many">{items}</ol></div></section>'
    )


def _lines(facts: Sequence[str]) -> str:
    return "".join(f'<span class="line">{text(fact)}</span>' for fact in facts)


def _badge(one: Shown) -> str:
    if one.kept:
        return f'<span class="badge ok">stays, {text(one.verdict)}</span>'
    return f'<span class="badge junk">{text(one.verdict)}</span>'
