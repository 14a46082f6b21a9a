"""What became of the photos of classes that were cleaned, as an HTML page in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.io.atomic import write_text
from kinfold.report.page import Album, facts_list, name, sheet, text
from kinfold.report.pictures import Box, Picture

# How a photo's state is marked.
_BADGES = {"prototypical": "ok", "kept": "ok", "left out": "wrong", "copy": "junk"}
# A class of thousands is not looked at photo by photo.
_MOST = 40


@dataclass(frozen=True)
class Cleaned:
    """A photo of a class.

    state : "prototypical", "kept", "left out" or "copy"
    matched : with how many photos of its class it is matched
    box : where the object is in it, or None
    """

    picture: Picture
    state: str
    matched: int
    box: Box | None = None


def cleaning_page(
    title: str,
    classes: Mapping[str, Sequence[Cleaned]],
    histogram: Mapping[int, int],
    facts: Mapping[str, str],
) -> str:
    """A self-contained HTML page: how large sets of matched photos are, then each class, what is kept first.

    classes : name -> its photos; of each state the best matched come first, and at most 40 are shown
    histogram : photos of a set -> sets of that many
    """
    album = Album()
    rows = "".join(_row(album, of, photos, at) for at, (of, photos) in enumerate(classes.items()))
    shown = rows or '<p class="empty">No class has a photo.</p>'
    body = (
        f'<header class="summary"><h1>{text(title)}</h1>{facts_list(facts)}</header><main>'
        f"{_histogram(histogram)}{shown}</main>"
    )
    return sheet(title, body, album)


def write_cleaning(
    path: str | os.PathLike[str],
    title: str,
    classes: Mapping[str, Sequence[Cleaned]],
    histogram: Mapping[int, int],
    facts: Mapping[str, str],
) -> None:
    """Write the page; the file appears whole or not at all. Raises OSError."""
    write_text(path, cleaning_page(title, classes, histogram, facts))


def _row(album: Album, of: str, photos: Sequence[Cleaned], at: int) -> str:
    order = list(_BADGES)
    listed = sorted(
        photos, key=lambda one: (order.index(one.state), -one.matched, one.picture.name)
    )
    counts = ", ".join(
        f"{sum(one.state == state for one in listed)} {state}"
        for state in order
        if any(one.state == state for one in listed)
    )
    items, left = "", 0
    for state in order:
        some = [one for one in listed if one.state == state]
        items += "".join(_card(album, one) for one in some[:_MOST])
        left += len(some[_MOST:])
    more = f"<p>and {left} more</p>" if left else ""
    return (
        f'<section aria-labelledby="c{at}-h"><h3 id="c{at}-h">{text(of)}</h3><p>{text(counts)}</p>'
        f'<ol class="strip many">{items}</ol>{more}</section>'
    )


def _card(album: Album, one: Cleaned) -> str:
    figure = album.figure(one.picture, f"{one.state}: {one.picture.name}", box=one.box)
    mark = {"ok": "\N{CHECK MARK}", "wrong": "\N{MULTIPLICATION SIGN}", "junk": "="}[
        _BADGES[one.state]
    ]
    return (
        f'<li><div class="card small" title="{text(one.picture.name)}">{figure}<span class="line">'
        f'<span class="badge {_BADGES[one.state]}"><span aria-hidden="true">{mark}</span> {one.state}</span></span>'
        f'<span class="line">matches {one.matched}</span>{name(one.picture.name)}</div></li>'
    )


def _histogram(histogram: Mapping[int, int]) -> str:
    """Bars: how many sets of photos that matches connect have each size."""
    if not histogram:
        return ""
    wide, tall, step = max(histogram.values()), 22, 24
    bars = ""
    for at, (size, count) in enumerate(sorted(histogram.items())):
        y = at * step
        bars += (
            f'<text x="90" y="{y + 16}" text-anchor="end">{size} photo{"" if size == 1 else "s"}</text>'
            f'<rect x="100" y="{y + 2}" width="{max(400 * count / wide, 2):.0f}" height="{tall - 4}"/>'
            f'<text x="{105 + 400 * count / wide:.0f}" y="{y + 16}">{count}</text>'
        )
    return (
        '<section><div class="above"><h2>Sets of photos that matches connect</h2></div><svg class="bars" role="img" '
        f'aria-label="How many sets there are of each size" viewBox="0 0 600 {step * len(histogram)}" '
        f'width="600" height="{step * len(histogram)}" fill="currentColor">{bars}</svg></section>'
    )
