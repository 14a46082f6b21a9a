"""What pages show of an answer and of groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from shlex import quote

import numpy as np

from kinfold.base.errors import ImageError
from kinfold.base.text import size_text
from kinfold.gallery import search
from kinfold.gallery.describe import Describer
from kinfold.gallery.hit import Hit, hit_of, unchecked
from kinfold.gallery.photo import Photo, known_file
from kinfold.gallery.query import Query
from kinfold.gallery.reader import Snapshot
from kinfold.gallery.views.dedup import Duplicates
from kinfold.gallery.views.explain import explainer_of
from kinfold.gallery.views.groups import Pair, PhotoGroup
from kinfold.gallery.views.locate import Located, Witness
from kinfold.images.decode import decode, thumbnail_jpeg
from kinfold.local.verify import hull
from kinfold.report.content import Answer, Link, Mark, Match, Picture, Result
from kinfold.report.duplicates import Shown
from kinfold.report.groups import Member
from kinfold.report.location import Place, Spot, metres
from kinfold.report.notebook import Row, table_of
from kinfold.rerank.stage import RankedList

# Long enough to see what matched; the first that show the same thing are larger, and those far down small.
_SIDE, _LARGE, _SMALL = 480, 960, 144
_MOST_LARGE, _MOST_MIDDLE = 12, 60
# Lines that are drawn between two photos; more are a blur and make the page heavy.
_MOST_LINES = 80
# Results that the network explains: each takes a pass through it.
_EXPLAINED = 12
# Missing photos that are named.
_NAMED = 5
# Photos of a gallery that a notebook lists.
_LISTED = 8


@dataclass(frozen=True)
class Truth:
    """What a ground truth says of one query: ids that should be found, and ids that do not count."""

    positives: Collection[int]
    junk: Collection[int]
    average_precision: float | None = None

    def mark(self, id: int) -> Mark:
        """What a hit is."""
        return "ok" if id in self.positives else "junk" if id in self.junk else "wrong"


def answer_content(
    snapshot: Snapshot,
    describer: Describer,
    query: Query,
    ranked: RankedList,
    hits: Sequence[Hit],
    facts: Mapping[str, str],
    truth: Truth | None,
) -> Answer:
    """What a page shows of an answer; photos whose files are gone or changed are grey areas.

    A network of the gallery explains the query and the first results.
    """
    chains = [search.chain(snapshot, ranked, hit.id) for hit in hits]
    photos = snapshot.by_ids({hit.id for hit in hits} | {id for ids, _ in chains for id in ids})
    # A photo on the way that was deleted meanwhile cannot be shown.
    chains = [(ids, s) if photos.keys() >= set(ids) else ([], []) for ids, s in chains]
    root = snapshot.root
    pictures = _Pictures(photos, root, _sides(hits))
    explainer = explainer_of(snapshot.parts.model, describer, query)
    explained = [photos[hit.id] for hit in hits[:_EXPLAINED]] if explainer else []
    components = explainer.components(known_file(root, p) for p in explained) if explainer else []
    search_with = f"kinfold search {quote(str(snapshot.store.folder.resolve()))}"
    results, judged = [], not unchecked(hits)
    for hit, (ids, similarities), common in zip_longest(hits, chains, components):
        picture = pictures(hit.id)
        results.append(
            Result(
                hit.rank,
                picture,
                hit.score,
                _match(hit),
                tuple(Link(pictures(id), s) for id, s in zip(ids, similarities)),
                None if truth is None else truth.mark(hit.id),
                common,
                shows=hit.verdict.shows_it if judged else None,
                itself=hit.is_query,
                verdict=str(hit.verdict),
                confidence=hit.confidence,
                file=str(hit.file),
                missing=hit.id in pictures.missing,
                command=f"{search_with} {quote(str(hit.file))}",
            )
        )
    width, height = query.size
    return Answer(
        Picture(query.name, thumbnail_jpeg(query.pixels, _LARGE), width, height),
        query.box,
        tuple(results),
        f"Photos like {query.name}",
        {**_facts(snapshot), "Compared by": snapshot.parts.manifest.settings.engine, **facts},
        None if truth is None else truth.average_precision,
        _missing(pictures, root, snapshot.store.folder),
        None if explainer is None else explainer.attention(),
        ranked,
    )


def _sides(hits: Sequence[Hit]) -> dict[int, int]:
    """How large each hit's picture is."""
    large = [hit.id for hit in hits if hit.verdict.shows_it][:_MOST_LARGE]
    sides = {hit.id: _SIDE if at < _MOST_MIDDLE else _SMALL for at, hit in enumerate(hits)}
    return sides | dict.fromkeys(large, _LARGE)


def _missing(pictures: _Pictures, root: Path, folder: Path) -> tuple[str, ...]:
    """A remark on photos whose files are gone."""
    gone = list(pictures.missing.values())
    if not gone:
        return ()
    some = ", ".join(gone[:_NAMED]) + (", …" if len(gone) > _NAMED else "")
    verb = "photo is" if len(gone) == 1 else "photos are"
    way = f"kinfold index FOLDER -o {quote(str(folder))} finds them again where they are now"
    return (f"{len(gone)} {verb} no longer in {root}, or changed: {some}. {way}.",)


def gallery_table(folder: Path, photos: Sequence[Photo], root: Path) -> str:
    """What a notebook shows of a gallery: its first photos."""
    some = photos[:_LISTED]
    pictures = _Pictures({photo.id: photo for photo in some}, root)
    rows = [
        Row(str(photo.id), pictures(photo.id), photo.path, None, f"{photo.width} × {photo.height}")
        for photo in some
    ]
    if len(photos) > len(some):
        rows.append(Row("…", None, f"{len(photos) - len(some)} more"))
    return table_of(f"{folder}: {len(photos)} photos of {root}", None, rows)


def groups_content(
    snapshot: Snapshot, groups: Sequence[PhotoGroup], facts: Mapping[str, str]
) -> tuple[str, list[list[Member]], dict[str, str]]:
    """What a page shows of groups: title, groups, the representative of each first, and facts."""
    grouped = sum(len(group.photos) for group in groups)
    return (
        "Photos of the same thing",
        [_members(group, snapshot.root) for group in groups],
        {**_facts(snapshot), "In groups": str(grouped), **facts},
    )


def duplicates_content(
    snapshot: Snapshot, found: Duplicates
) -> tuple[str, list[list[Shown]], dict[str, str]]:
    """What a page shows of duplicates: title, sets and facts."""
    photos = [
        photo for held in found.sets for photo in (held.keep, *(c.photo for c in held.copies))
    ]
    picture = _Pictures({photo.id: photo for photo in photos}, found.root)
    sets = []
    for held in found.sets:
        first = Shown(picture(held.keep.id), f"keep: {held.why}", _seen(held.keep), True)
        others = [
            Shown(
                picture(copy.photo.id),
                str(copy.verdict),
                (*([", ".join(copy.edits)] if copy.edits else []), *_seen(copy.photo)),
                copy.kept,
            )
            for copy in held.copies
        ]
        sets.append([first, *others])
    spare = found.spare
    facts = _facts(snapshot) | {
        "Could go": f"{len(spare)} photos, {size_text(sum(photo.size for photo in spare))}",
        "Other shots of the same things": f"{len(found.shots)} pairs, which stay",
    }
    return "Copies", sets, facts


def _seen(photo: Photo) -> tuple[str, ...]:
    """Size and date of a photo, for people."""
    facts = (f"{photo.width} × {photo.height}", size_text(photo.size))
    return (*facts, photo.taken[:10]) if photo.taken else facts


def location_content(snapshot: Snapshot, found: Located) -> tuple[Answer, Place]:
    """What a page shows of where a photo was taken: the answer with the photos that tell it, and the place."""
    spots = tuple(
        Spot(one.photo.path, one.known.position, one.state)
        for one in found.witnesses
        if one.known.position is not None
    )
    location, query, ranked = found.location, found.query, found.ranked
    place = Place(
        None if location is None else (location.latitude, location.longitude),
        0.0 if location is None else location.radius,
        found.reason,
        spots,
        len(found.witnesses) - len(spots),
        tuple((tag.text, tag.users) for tag in found.suggested),
        tuple((tag.text, tag.users) for tag in found.frequent),
    )
    photos = {one.photo.id: one.photo for one in found.witnesses}
    pictures = _Pictures(photos, snapshot.root)
    results = []
    for rank, one in enumerate(found.witnesses, 1):
        match, way = None, ""
        if one.through is None:
            hit = hit_of(
                rank, one.photo, one.inliers, query, ranked, snapshot.segments, snapshot.root
            )
            match = _match(hit)
        else:
            way = f", through {photos[one.through].path}" if one.through in photos else ""
        picture = pictures(one.photo.id)
        results.append(Result(rank, picture, None, match, note=f"{_whereabouts(one)}{way}"))
    facts = {"With a position": f"{len(spots)} of {len(found.witnesses)} photos of the same thing"}
    if found.places.path is not None:
        facts["Table"] = str(found.places.path)
    width, height = query.size
    picture = Picture(query.name, thumbnail_jpeg(query.pixels, _SIDE), width, height)
    title = f"Where {query.name} was taken"
    return Answer(picture, query.box, tuple(results), title, {**_facts(snapshot), **facts}), place


def _whereabouts(witness: Witness) -> str:
    """What a card says of a photo's position."""
    if witness.distance is None:
        return "has a position" if witness.state == "unsure" else "no position"
    away = metres(witness.distance)
    return f"{away} away" if witness.state == "agrees" else f"{away} away: elsewhere"


def _facts(snapshot: Snapshot) -> dict[str, str]:
    return {"Gallery": str(snapshot.store.folder), "Photos": str(snapshot.table.count())}


class _Pictures:
    """The pictures of photos by id, each made once.

    sides : of pictures by id, where these are not of the usual size
    missing : the names of those whose files are gone or others, by id
    """

    def __init__(
        self, photos: Mapping[int, Photo], root: Path, sides: Mapping[int, int] | None = None
    ) -> None:
        self._photos, self._root, self._sides = photos, root, sides or {}
        self._made: dict[int, Picture] = {}
        self.missing: dict[int, str] = {}

    def __call__(self, id: int) -> Picture:
        if id not in self._made:
            self._made[id] = self._picture(self._photos[id], self._sides.get(id, _SIDE))
        return self._made[id]

    def _picture(self, photo: Photo, side: int) -> Picture:
        width, height = photo.width or 1, photo.height or 1
        path, pixels = known_file(self._root, photo), None
        if path is not None:
            with suppress(ImageError):
                pixels = decode(path, max_side=side).pixels
        if pixels is None:
            self.missing[photo.id] = photo.path
            size = [max(1, _SMALL * length // max(width, height)) for length in (height, width)]
            pixels = np.full((*size, 3), 160, np.uint8)
        return Picture(photo.path, thumbnail_jpeg(pixels, side), width, height)


def _members(group: PhotoGroup, root: Path) -> list[Member]:
    picture = _Pictures({photo.id: photo for photo in group.photos}, root)
    first = group.representative
    members = [Member(picture(first.id), facts=_seen(first))]
    for photo, link in zip(group.photos[1:], group.links):
        match = link if link.second == photo.id else link.turned()
        members.append(
            Member(
                picture(photo.id),
                picture(match.first),
                _match(match),
                link.near_duplicate,
                _seen(photo),
            )
        )
    return members


def _match(confirmed: Hit | Pair) -> Match | None:
    matches, rejected = confirmed.matches, confirmed.rejected
    if matches is None or not np.isfinite(matches).all():
        return None
    step = max(1, len(matches) // _MOST_LINES)
    return Match(
        matches[::step, :2],
        matches[::step, 2:],
        hull(matches[:, 2:]),
        len(matches),
        None if rejected is None else rejected[:: max(1, len(rejected) // _MOST_LINES)],
    )
