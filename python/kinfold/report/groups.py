"""Groups of photos of the same thing, a row each, as an HTML page in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.io.atomic import write_text
from kinfold.report.answer import HINT
from kinfold.report.content import Answer, Match, Picture, Result, matching
from kinfold.report.match_view import view
from kinfold.report.page import Album, facts_list, name, sheet, text


@dataclass(frozen=True)
class Member:
    """A photo of a group.

    beside : the photo that it was matched with, which stands before it in the group; None for the first
    match : between that photo and this
    near_duplicate : the two are nearly the same picture
    facts : size and date, a line each
    """

    picture: Picture
    beside: Picture | None = None
    match: Match | None = None
    near_duplicate: bool = False
    facts: tuple[str, ...] = ()


def groups_page(title: str, groups: Sequence[Sequence[Member]], facts: Mapping[str, str]) -> str:
    """A self-contained HTML page: each group's first photo stands for it, the others follow.

    Each photo opens a view of what it has in common with the photo that it was matched with. Where some are duplicates,
    a switch shows these alone.
    """
    album = Album()
    rows, views = [], []
    for at, members in enumerate(groups):
        rows.append(_row(album, members, at))
        views.append(_views(album, members, at))
    shown = "".join(rows) or '<p class="empty">No two photos show the same thing.</p>'
    count = f"{len(groups)} group{'' if len(groups) == 1 else 's'}"
    body = (
        f'<header class="summary"><h1>{text(title)}</h1>{facts_list(facts)}</header><main>'
        f'<div class="above"><h2>{count}</h2>{HINT if groups else ""}{_switch(groups)}</div>{shown}</main>'
    )
    return sheet(title, body + "".join(views), album)


def write_groups(
    path: str | os.PathLike[str],
    title: str,
    groups: Sequence[Sequence[Member]],
    facts: Mapping[str, str],
) -> None:
    """Write the page of groups; the file appears whole or not at all. Raises OSError."""
    write_text(path, groups_page(title, groups, facts))


def _switch(groups: Sequence[Sequence[Member]]) -> str:
    """What leaves only duplicates to be seen, where there are some; the style sheet does it."""
    if not any(member.near_duplicate for members in groups for member in members):
        return ""
    return (
        '<label class="switch"><input type="checkbox" id="duplicates-only"> duplicates only</label>'
    )


def _row(album: Album, members: Sequence[Member], at: int) -> str:
    first = members[0].picture
    items = "".join(
        f'<li{_marked("", member.near_duplicate)}><a class="card small" id="g{at}-{i}-card" href="#g{at}-{i}">'
        f"{album.figure(member.picture, member.picture.name)}"
        f'<span class="line">{matching(member.match)}</span>{_duplicate(member)}'
        f'<span class="about">{_about(member)}</span></a></li>'
        for i, member in enumerate(members[1:])
    )
    figure = album.figure(first, f"Group {at + 1}: {first.name}")
    some = any(member.near_duplicate for member in members)
    return (
        f'<section{_marked("example", some)} aria-labelledby="g{at}-h"><figure>{figure}'
        f'<figcaption class="about">{_about(members[0])}</figcaption></figure>'
        f'<div><h3 id="g{at}-h">{len(members)} photos</h3><ol class="strip many">{items}</ol></div></section>'
    )


def _marked(classes: str, duplicates: bool) -> str:
    """A class attribute that says whether duplicates are there."""
    return f' class="{" ".join(filter(None, (classes, "duplicate" if duplicates else "single")))}"'


def _about(member: Member) -> str:
    """Name, size and date of a photo."""
    return "<br>".join([name(member.picture.name), *map(text, member.facts)])


def _duplicate(member: Member) -> str:
    if not member.near_duplicate:
        return ""
    badge = '<span class="badge junk"><span aria-hidden="true">≈</span> duplicate</span>'
    return f'<span class="line">{badge}</span>'


def _views(album: Album, members: Sequence[Member], at: int) -> str:
    """What each photo has in common with the one that it was matched with."""
    places = [f"g{at}-{i}" for i in range(len(members) - 1)]
    views = []
    for i, member in enumerate(members[1:]):
        assert member.beside is not None
        result = Result(i + 2, member.picture, None, member.match)
        before, after = places[i - 1] if i else "", places[i + 1] if i + 1 < len(places) else ""
        views.append(view(album, Answer(member.beside), result, places[i], before, after))
    return "".join(views)
