"""From hits to what a page shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinfold.base.errors import ImageError
from kinfold.gallery.photos import Photo, known_file
from kinfold.gallery.query import Query
from kinfold.images.decode import decode, thumbnail_jpeg
from kinfold.report.content import Answer, Link, Mark, Match, Picture, Result
from kinfold.report.groups import Member

if TYPE_CHECKING:
    from kinfold.gallery.explain import Explainer
    from kinfold.gallery.groups import Pair, PhotoGroup
    from kinfold.gallery.hit import Hit

# Long enough to see what matched.
_SIDE = 480
# Lines that are drawn between two photos; more are a blur and make the page heavy.
_MOST_LINES = 80
# Results that the network explains: each takes a pass through it.
_EXPLAINED = 12


@dataclass(frozen=True)
class Truth:
    """What a ground truth says of one query: ids that should be found, and ids that do not count."""

    positives: Collection[int]
    junk: Collection[int]
    average_precision: float | None = None

    def mark(self, id: int) -> Mark:
        """What a hit is."""
        return "ok" if id in self.positives else "junk" if id in self.junk else "wrong"


def page_content(
    query: Query,
    hits: Sequence[Hit],
    chains: Sequence[tuple[list[int], list[float]]],
    photos: Callable[[int], Photo],
    root: Path,
    facts: dict[str, str],
    truth: Truth | None,
    explainer: Explainer | None = None,
) -> Answer:
    """A page's content; photos whose files are gone or changed are shown as grey areas.

    explainer : of the gallery's network; it explains the query and the first results
    """
    seen: dict[int, Picture] = {}

    def picture(id: int) -> Picture:
        if id not in seen:
            seen[id] = _picture(photos(id), root)
        return seen[id]

    width, height = query.size
    explained = [] if explainer is None else [photos(hit.id) for hit in hits[:_EXPLAINED]]
    components = explainer.components([known_file(root, p) for p in explained]) if explainer else []
    results = []
    for hit, (ids, similarities), common in zip_longest(hits, chains, components):
        links = tuple(Link(picture(id), s) for id, s in zip(ids, similarities))
        mark = None if truth is None else truth.mark(hit.id)
        results.append(
            Result(hit.rank, picture(hit.id), hit.score, _match(hit), links, mark, common)
        )
    return Answer(
        Picture(query.name, thumbnail_jpeg(query.pixels, _SIDE), width, height),
        query.box,
        tuple(results),
        f"Photos like {query.name}",
        facts,
        None if truth is None else truth.average_precision,
        None if explainer is None else explainer.attention(),
    )


def group_content(group: PhotoGroup, root: Path) -> list[Member]:
    """A group's content, the representative first; photos whose files are gone or changed are shown as grey areas."""
    pictures = {photo.id: _picture(photo, root) for photo in group.photos}
    members = [Member(pictures[group.representative.id])]
    for photo, link in zip(group.photos[1:], group.links):
        match = link if link.second == photo.id else link.turned()
        beside = pictures[match.first]
        members.append(Member(pictures[photo.id], beside, _match(match), link.near_duplicate))
    return members


def _match(found: Hit | Pair) -> Match | None:
    if found.matches is None or not np.isfinite(found.matches).all():
        return None
    step = max(1, len(found.matches) // _MOST_LINES)
    outline = found.box if found.box is not None and np.isfinite(found.box).all() else None
    others = getattr(found, "rejected", None)
    if others is not None:
        others = others[:: max(1, len(others) // _MOST_LINES)]
    return Match(
        found.matches[::step, :2], found.matches[::step, 2:], outline, len(found.matches), others
    )


def _picture(photo: Photo, root: Path) -> Picture:
    width, height = photo.width or 1, photo.height or 1
    path, pixels = known_file(root, photo), None
    if path is not None:
        with suppress(ImageError):
            pixels = decode(path, max_side=_SIDE).pixels
    if pixels is None:
        shape = (
            max(1, _SIDE * height // max(width, height)),
            max(1, _SIDE * width // max(width, height)),
            3,
        )
        pixels = np.full(shape, 160, np.uint8)
    return Picture(photo.path, thumbnail_jpeg(pixels, _SIDE), width, height)
