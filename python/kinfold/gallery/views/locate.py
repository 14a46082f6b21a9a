"""Where a photo was taken and what it shows, from the positions and tags of the photos that geometry confirms."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.gallery import search
from kinfold.gallery.asked import source_of
from kinfold.gallery.matches import candidates, matches_of
from kinfold.gallery.photo import Photo
from kinfold.gallery.places import Known, Places, places_of
from kinfold.gallery.query import Query, Received, describe_query
from kinfold.gallery.reader import Reader, Snapshot
from kinfold.images.digest import content_digest
from kinfold.landmarks.location import Location, estimate_location
from kinfold.landmarks.tags import Tag, suggest_tags, usual_tags
from kinfold.local.match_graph import MatchGraph
from kinfold.rerank.stage import RankedList

# Many inliers tell the same thing better, but not without end: beyond these a near-duplicate would be all that counts.
MOST_INLIERS = 100


@dataclass(frozen=True)
class Witness:
    """A photo that shows the same thing.

    inliers : with the query; of the weaker pair, where the photo was reached through another one
    through : id of the photo that led to it; None where the query itself did
    known : its position, tags, user and title, as far as they are known
    state : "agrees" on the place, lies "elsewhere", is "unavailable", or "unsure" where no place was found
    distance : metres from the place; None where either is not known
    """

    photo: Photo
    inliers: int
    through: int | None
    known: Known
    state: str = "unavailable"
    distance: float | None = None

    def to_dict(self, root: Path) -> dict[str, Any]:
        """As JSON takes it."""
        position = self.known.position
        return {
            "path": self.photo.path,
            "file": str(root / self.photo.path),
            "inliers": self.inliers,
            "through": self.through,
            "id": self.photo.id,
            "state": self.state,
            "latitude": None if position is None else position[0],
            "longitude": None if position is None else position[1],
            "distance_m": None if self.distance is None else round(self.distance, 1),
            "tags": list(self.known.tags),
            "user": self.known.user,
            "title": self.known.title,
        }


@dataclass(frozen=True)
class Located:
    """What is known of a photo from those that show the same thing.

    location : None where the evidence does not suffice
    reason : why it does not; empty where it does
    witnesses : the photos that geometry confirms, best first
    suggested, frequent : tags, see ``landmarks.tags.suggest_tags``
    places : what was known of the gallery's photos
    query, ranked : as it was described, and what was found for it
    """

    location: Location | None
    reason: str
    witnesses: tuple[Witness, ...]
    suggested: tuple[Tag, ...]
    frequent: tuple[Tag, ...]
    places: Places
    query: Query
    ranked: RankedList

    def to_dict(self, root: Path) -> dict[str, Any]:
        """As JSON takes it. root : the folder of the gallery's photos"""
        location = self.location
        return {
            "located": location is not None,
            "latitude": None if location is None else round(location.latitude, 7),
            "longitude": None if location is None else round(location.longitude, 7),
            "radius_m": None if location is None else round(location.radius, 1),
            "agreeing_users": None if location is None else location.witnesses,
            "reason": self.reason or None,
            "suggested_tags": [_tag(tag) for tag in self.suggested],
            "frequent_tags": [_tag(tag) for tag in self.frequent],
            "table": None if self.places.path is None else str(self.places.path),
            "rows_without_photo": self.places.strangers,
            "photos": [witness.to_dict(root) for witness in self.witnesses],
        }


def locate(
    reader: Reader,
    query: Any,
    *,
    box: Any,
    places: str | os.PathLike[str] | None,
    least_inliers: int,
    verify_top: int,
    choices: Mapping[str, Any],
) -> Located:
    """Ask the photos of the same thing; see ``Gallery.locate``."""
    snapshot = reader.snapshot
    query = source_of(query, snapshot.table, snapshot.root)
    described = describe_query(query, box, reader.describer_of_queries(), snapshot.parts.model)
    photos = snapshot.table.described()
    known = places_of(places, photos, snapshot.root)
    ranked = search.rank(
        snapshot, described, rerank=("spatial",), verify_top=verify_top, top=verify_top
    )
    direct = {id: v.inliers for id, v in ranked.verified.items() if v.inliers >= least_inliers}
    pairs = _pairs_from(snapshot, direct)
    graph = matches_of(reader, pairs, verbose=False)
    found = _reached(direct, graph, pairs, least_inliers)
    witnesses = _witnesses({photo.id: photo for photo in photos}, found, known, _digest(query))
    return _told(described, ranked, witnesses, known, choices)


def _pairs_from(snapshot: Snapshot, ids: Collection[int]) -> Ids:
    """The pairs that the graph joins of which one is among these photos, int64 (m, 2) of ids."""
    edges = snapshot.ids[candidates(snapshot.parts.graph)]
    return edges[np.isin(edges, list(ids)).any(axis=1)]


def _reached(
    direct: Mapping[int, int], graph: MatchGraph, pairs: Ids, least_inliers: int
) -> dict[int, tuple[int, int | None]]:
    """These photos, and those that a confirmed pair joins with one of them: id -> inliers, through which; best first.

    Of ``pairs`` alone, so that the answer does not depend on what else was looked at before. The weaker of the two
    pairs on the way counts; of several ways the strongest.
    """
    found: dict[int, tuple[int, int | None]] = {id: (n, None) for id, n in direct.items()}
    places = graph.places(pairs)
    rows = graph.rows_of(places[(places >= 0).all(axis=1)])
    rows = rows[rows >= 0]
    rows = rows[graph.inliers[rows] >= least_inliers]
    for (a, b), inliers in zip(graph.ids[graph.tried[rows]].tolist(), graph.inliers[rows].tolist()):
        for near, far in ((a, b), (b, a)):
            if near in direct and far not in direct:
                weight = min(direct[near], inliers)
                if weight > found.get(far, (0, None))[0]:
                    found[far] = weight, near
    order = sorted(found, key=lambda id: (found[id][1] is not None, -found[id][0], id))
    return {id: found[id] for id in order}


def _witnesses(
    photos: Mapping[int, Photo],
    found: Mapping[int, tuple[int, int | None]],
    known: Places,
    own: str | None,
) -> list[Witness]:
    """The photos that were found. A photo is no witness for itself, and a copy says what the first said."""
    witnesses, seen = [], {own}
    for id, (inliers, through) in found.items():
        photo = photos.get(id)
        if photo is not None and (photo.digest is None or photo.digest not in seen):
            seen.add(photo.digest)
            witnesses.append(Witness(photo, inliers, through, known[id]))
    return witnesses


def _told(
    query: Query,
    ranked: RankedList,
    witnesses: list[Witness],
    known: Places,
    choices: Mapping[str, Any],
) -> Located:
    """What they say together."""
    tagged = [row for row, one in enumerate(witnesses) if one.known.position is not None]
    weights = [float(min(one.inliers, MOST_INLIERS)) for one in witnesses]
    users = [one.known.user for one in witnesses]
    positions = np.array([witnesses[row].known.position for row in tagged]).reshape(-1, 2)
    location = estimate_location(
        positions,
        np.array([weights[row] for row in tagged]),
        users=[users[row] for row in tagged],
        **choices,
    )
    for at, row in enumerate(tagged):
        state, away = "unsure", None
        if location is not None:
            state = "agrees" if at in location.agree else "elsewhere"
            away = float(location.distances(positions[at : at + 1])[0])
        witnesses[row] = replace(witnesses[row], state=state, distance=away)
    # What lies elsewhere may show something else: its words do not count.
    counted = [row for row, one in enumerate(witnesses) if one.state != "elsewhere"]
    others = known.but({one.photo.id for one in witnesses})
    suggested, frequent = suggest_tags(
        [witnesses[row].known.tags for row in counted],
        [weights[row] for row in counted],
        users=[users[row] for row in counted],
        usual=usual_tags(one.tags for one in others),
    )
    reason = "" if location is not None else _reason(query, len(witnesses), len(tagged))
    return Located(
        location, reason, tuple(witnesses), tuple(suggested), tuple(frequent), known, query, ranked
    )


def _reason(query: Query, witnesses: int, tagged: int) -> str:
    """Why there is no place."""
    if query.is_empty:
        return "no feature was found in the photo"
    if not witnesses:
        return "no photo of the gallery shows the same thing"
    photos = "1 photo shows" if witnesses == 1 else f"{witnesses} photos show"
    have = {0: "none has", 1: "only one has"}.get(tagged, f"{tagged} have")
    said = f"{photos} the same thing, and {have} a position"
    return said if tagged < 2 else f"{said}, but too few agree"


def _digest(query: Any) -> str | None:
    if isinstance(query, Received):
        return query.digest
    if isinstance(query, (str, os.PathLike)):
        with suppress(OSError):
            return content_digest(query)
    return None


def _tag(tag: Tag) -> dict[str, Any]:
    return {"tag": tag.text, "users": tag.users, "score": round(tag.score, 4)}
