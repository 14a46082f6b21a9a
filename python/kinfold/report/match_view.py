"""Why a photo was found: it and the query side by side, what corresponds, and the chain between them."""

from __future__ import annotations

import numpy as np

from kinfold.report.content import MARKS, Answer, Result, matching, sureness
from kinfold.report.network_view import components_view
from kinfold.report.page import Album, link_to, name, number, path_of, polygon, text, within
from kinfold.report.pictures import Picture, Points

# More lines than these hide the photos. Every shade takes its share of them.
MOST_LINES = 64
MOST_REJECTED = 32
SHADES = 4


def badge(result: Result) -> str:
    """What the ground truth says of a result: a sign, a word and a colour."""
    if result.mark is None:
        return ""
    sign, word = MARKS[result.mark]
    return f'<span class="badge {result.mark}"><span aria-hidden="true">{sign}</span> {word}</span>'


def outline_in(result: Result) -> Points | None:
    """Where in a result the query was found; None where nothing of that lies in the photo."""
    if result.match is None or result.match.outline is None:
        return None
    inside = within(result.match.outline, result.picture.width, result.picture.height)
    return inside if len(inside) else None


def score(result: Result) -> str:
    """What a result is ranked by; where it was judged, that says more."""
    if result.score is None or result.shows is not None:
        return ""
    return f'<span class="score">{number(result.score)}</span>'


def views_of(album: Album, answer: Answer, prefix: str, shown: int) -> str:
    """The views of an answer's first results, each with a way to its neighbours."""
    places = [f"{prefix}{i}" for i in range(min(shown, len(answer.results)))]
    return "".join(
        view(album, answer, result, place, before, after)
        for result, place, before, after in zip(
            answer.results, places, ["", *places], [*places[1:], ""]
        )
    )


def view(album: Album, answer: Answer, result: Result, place: str, before: str, after: str) -> str:
    """The sheet that opens over the page for one result. ``place`` and the others are ids on the page."""
    match = result.match
    notes = ["Solid line: the region asked for."] if answer.box is not None else []
    if outline_in(result) is not None:
        notes.append("Dashed line: around all that matches.")
    if match is not None and match.rejected is not None and len(match.rejected):
        notes.append("Grey: look alike, but do not fit.")
    drawn = 0 if match is None else min(MOST_LINES, len(match.query_points))
    if match is not None and len(match) > drawn:
        notes.append(f"{drawn} of {len(match)} correspondences are drawn.")
    note = f'<p class="note">{" ".join(notes)}</p>' if notes else ""
    pictures = "".join(
        _side_by_side(album, answer, result, stacked=stacked) for stacked in (False, True)
    )
    arrows = "".join(
        f'<a class="turn" href="#{text(target)}" rel="{rel}" aria-label="{label}">{sign}</a>'
        for target, rel, label, sign in (
            (before, "prev", "Previous result", "‹"),
            (after, "next", "Next result", "›"),
        )
        if target
    )
    return (
        f'<section class="view" id="{text(place)}" role="dialog" aria-labelledby="{text(place)}-h" '
        f'tabindex="-1"><div class="bar"><h2 id="{text(place)}-h"><span class="rank">{result.rank}</span> '
        f'{name(result.picture.name)}</h2><p class="tags">{badge(result)}'
        f"{_words(result)}{score(result)}</p><nav>{arrows}"
        f'<a class="turn close" href="#{text(place)}-card" aria-label="Close">×</a></nav></div>'
        f"{_actions(result)}{pictures}{note}{components_view(album, answer, result)}"
        f"{chain(album, answer, result)}</section>"
    )


def _words(result: Result) -> str:
    words = " · ".join(filter(None, (sureness(result), matching(result.match))))
    return f"<span>{text(words)}</span>" if words else ""


def _actions(result: Result) -> str:
    """What can be done with a result: open its file, copy its path, search on with it."""
    if result.missing:
        return f'<p class="actions">The file is no longer there: {name(result.file)}</p>'
    actions = ""
    if link := link_to(result.file):
        actions += (
            f'<a class="act" href="{text(link)}" target="_blank" rel="noopener">Open the photo</a>'
        )
    if result.file:
        actions += _copying("Copy its path", result.file)
    if result.command:
        actions += _copying("Copy the command that searches with this photo", result.command)
    return f'<p class="actions">{actions}</p>' if actions else ""


def _copying(label: str, copied: str) -> str:
    """A button that copies, and beside it the same to be read, for pages without scripts."""
    return (
        f'<span class="copying"><button class="act" type="button" data-copy="{text(copied)}">{label}</button>'
        f"<code>{text(copied)}</code></span>"
    )


def chain(album: Album, answer: Answer, result: Result) -> str:
    """The photos along the graph that lead from the query to a result."""
    if not result.chain:
        return ""
    steps = f"<li>{album.figure(answer.picture, 'Query', box=answer.box)}<span>query</span></li>"
    for link in result.chain:
        picture = album.figure(link.picture, link.picture.name)
        steps += (
            f'<li class="edge"><span class="similarity">{number(link.similarity, 2)}</span>'
            f'<span class="arrow" aria-hidden="true"></span></li>'
            f"<li>{picture}<span>{name(link.picture.name)}</span></li>"
        )
    return f'<h3>The way through the graph</h3><ol class="chain">{steps}</ol>'


def _side_by_side(album: Album, answer: Answer, result: Result, *, stacked: bool) -> str:
    """One drawing of both photos at one height, or above each other at one width, with lines between."""
    query, photo = answer.picture, result.picture
    if stacked:
        scales = 1000 / query.width, 1000 / photo.width
        offset = np.array([0.0, query.height * scales[0] + 16])
        size = 1000.0, offset[1] + photo.height * scales[1]
    else:
        scales = 750 / query.height, 750 / photo.height
        offset = np.array([query.width * scales[0] + 16, 0.0])
        size = offset[0] + photo.width * scales[1], 750.0
    corners = None
    if answer.box is not None:
        x0, y0, x1, y1 = answer.box
        corners = polygon(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float), "box")
    match = result.match
    inside = outline_in(result)
    outline = None if inside is None else polygon(inside, "outline")
    drawn = _placed(album, query, scales[0], np.zeros(2), corners)
    drawn += _placed(album, photo, scales[1], offset, outline)
    if match is not None:
        if match.rejected is not None:
            first, second = match.rejected[:, :2], match.rejected[:, 2:]
            drawn += _rejected(first * scales[0], second * scales[1] + offset)
        drawn += _lines(match.query_points * scales[0], match.photo_points * scales[1] + offset)
    count = "" if match is None else f", {len(match)} correspondences"
    return (
        f'<svg class="pair {"stacked" if stacked else "beside"}" viewBox="0 0 {size[0]:.1f} {size[1]:.1f}" '
        f'role="img" aria-label="Query and {text(photo.name)}{count}">{drawn}</svg>'
    )


def _placed(album: Album, picture: Picture, scale: float, offset: Points, over: str | None) -> str:
    """A photo and what is drawn on it, cut off at its edges."""
    x, y = offset
    width, height = picture.width, picture.height
    return (
        f'<svg x="{x:.1f}" y="{y:.1f}" width="{width * scale:.1f}" height="{height * scale:.1f}" '
        f'viewBox="0 0 {width} {height}">{album.use(picture)}{over or ""}</svg>'
    )


def _rejected(start: Points, end: Points) -> str:
    """Thin grey lines, under the others."""
    kept = np.linspace(0, len(start) - 1, min(len(start), MOST_REJECTED)).round().astype(int)
    ways = "".join(f"M{path_of(start[[i]])}L{path_of(end[[i]])}" for i in kept)
    return f'<path class="line out" d="{ways}"/>' if ways else ""


def _lines(start: Points, end: Points) -> str:
    """Lines between corresponding points, shaded from left to right so that an eye can follow one."""
    if not len(start):
        return ""
    order = np.argsort(start[:, 0], kind="stable")
    # Spread evenly over the query, since neighbouring points repeat each other.
    kept = order[np.linspace(0, len(order) - 1, min(len(order), MOST_LINES)).round().astype(int)]
    parts = []
    for shade, rows in enumerate(np.array_split(kept, min(SHADES, len(kept)))):
        ways = [f"M{path_of(start[[i]])}L{path_of(end[[i]])}" for i in rows]
        ends = [f"M{path_of(p[[i]])}h0" for i in rows for p in (start, end)]
        parts.append(
            f'<path class="rim" d="{"".join(ways)}"/><path class="line s{shade}" d="{"".join(ways)}"/>'
            f'<path class="dot s{shade}" d="{"".join(ends)}"/>'
        )
    return "".join(parts)
