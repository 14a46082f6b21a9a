"""Regions that a network proposes, drawn on photos, as an HTML page in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.io.atomic import write_text
from kinfold.report.page import Album, facts_list, number, sheet, text
from kinfold.report.pictures import Box, Picture


@dataclass(frozen=True)
class Proposed:
    """A photo with regions.

    regions : the best first, as many as are drawn
    box : where matches say that the object is, or None
    overlap : of the box with the region that covers it best, whether drawn or not; None without a box
    """

    picture: Picture
    regions: Sequence[Box]
    box: Box | None = None
    overlap: float | None = None


def proposals_page(title: str, photos: Sequence[Proposed], facts: Mapping[str, str]) -> str:
    """A self-contained HTML page: each photo with its regions, dashed, and the object's box, solid."""
    album = Album()
    cards = "".join(_card(album, one) for one in photos)
    shown = (
        f'<ol class="cards">{cards}</ol>' if cards else '<p class="empty">There is no photo.</p>'
    )
    body = (
        f'<header class="summary"><h1>{text(title)}</h1>{facts_list(facts)}</header><main>'
        f'<div class="above"><p>Solid: the box that matches gave. Dashed: the best regions.</p></div>{shown}</main>'
    )
    return sheet(title, body, album)


def write_proposals(
    path: str | os.PathLike[str], title: str, photos: Sequence[Proposed], facts: Mapping[str, str]
) -> None:
    """Write the page; the file appears whole or not at all. Raises OSError."""
    write_text(path, proposals_page(title, photos, facts))


def _card(album: Album, one: Proposed) -> str:
    figure = album.figure(one.picture, one.picture.name, box=one.box, regions=one.regions)
    told = (
        "" if one.overlap is None else f'<span class="line">overlap {number(one.overlap, 2)}</span>'
    )
    return f'<li><div class="card">{figure}<span class="line">{text(one.picture.name)}</span>{told}</div></li>'
