"""What routes share: the gallery, its lanes, the pictures, and what was asked lately."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from kinfold.base.errors import FileFormatError
from kinfold.gallery.asked import query_of_vectors
from kinfold.gallery.gallery import Gallery
from kinfold.gallery.hits import Hits
from kinfold.gallery.photo import Photo, known_file
from kinfold.gallery.photo_filter import PhotoFilter
from kinfold.gallery.places import Places, places_of
from kinfold.gallery.query import Query, Received
from kinfold.images.digest import content_digest
from kinfold.report.content import Answer
from kinfold.serve.decoder import Decoder
from kinfold.serve.errors import Refused
from kinfold.serve.explained import explained
from kinfold.serve.grouped import Groups
from kinfold.serve.lanes import Lane, seconds_left
from kinfold.serve.limits import Limits, is_loopback
from kinfold.serve.metrics import Metrics
from kinfold.serve.opened import Held, OpenGallery
from kinfold.serve.pictures import Kept, Pictures
from kinfold.serve.shapes import Asked, Explained, Filtered, Options
from kinfold.serve.told import hit_told, photo_told, query_told

T = TypeVar("T")
# Queries, and answers, that are kept: bytes, and a number.
_QUERY_BYTES, _ANSWERS = 128 << 20, 64
# Of what only looks alike, so many are listed where nothing shows the same thing and not all was asked for.
_NEAREST = 5
# Facts of whole galleries: what is told of an older one makes room for what is told of the newer.
_ONCE = 8
# How tokens of vectors begin.
_VECTOR = "vector-"


@dataclass(frozen=True)
class Upload:
    """A photo that was sent."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Ranked:
    """A query with its answer, as both were found in one gallery."""

    token: str
    id: int | None
    query: Query
    answer: Answer
    hits: Hits


class Service:
    """One gallery, served.

    path : of the gallery
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits) -> None:
        self.limits = limits
        self.opened = OpenGallery(path)
        self.decoder = Decoder(limits.threads, limits.decode_seconds, limits.pixels)
        self.pictures = Pictures(self.decoder, limits.picture_bytes)
        seconds = limits.request_seconds
        self.searches = Lane("search", limits.threads, limits.waiting, seconds)
        # What is quick does not wait for what is not.
        self.looks = Lane("look", limits.threads, 4 * limits.waiting, seconds)
        self.groups = Groups(self.opened)
        self._uploads = Kept[str, Upload](limits.kept_bytes)
        self._queries = Kept[tuple[Any, ...], Query](_QUERY_BYTES)
        self._answers = Kept[tuple[Any, ...], Ranked](_ANSWERS)
        self._once = Kept[tuple[int, str], Any](_ONCE)
        lanes = {lane.name: lane for lane in (self.searches, self.looks)}
        self.metrics = Metrics(
            {f"{name}_held": (f"Requests that wait or run: {name}", partial(getattr, lane, "held"))
             for name, lane in lanes.items()}
            | {f"{name}_refused": (f"Requests refused for want of room: {name}", partial(getattr, lane, "refused"))
               for name, lane in lanes.items()}
            | {"photos": ("Photos in the gallery", self._count),
               "kept_picture_bytes": ("Pictures kept", lambda: self.pictures.size),
               "kept_upload_bytes": ("Uploads kept", lambda: self._uploads.size)}
        )  # fmt: skip

    def _count(self) -> int:
        with self.opened.use() as held:
            return len(held.gallery)

    def close(self) -> None:
        """End everything that was started."""
        self.groups.close()
        for lane in (self.searches, self.looks):
            lane.close()
        self.decoder.close()
        self.opened.close()

    def photo(self, held: Held, id: int, argument: str = "id") -> Photo:
        """A photo that is described. Raises Refused."""
        photo = held.gallery._table.by_ids([id]).get(id)
        if photo is None or photo.segment is None:
            raise Refused(404, f"{argument}: there is no photo {id}", argument=argument)
        return photo

    def once(self, held: Held, name: str, made: Callable[[Gallery], T]) -> T:
        """What is made of all photos together, once for each gallery that is opened."""
        kept = self._once.get((held.number, name))
        if kept is None:
            kept = made(held.gallery)
            self._once.put((held.number, name), kept, 1)
        value: T = kept
        return value

    def places(self, held: Held) -> Places:
        """What is known of the photos beside what their files say, as it was when the gallery was opened."""
        return self.once(held, "places", _places)

    def told(self, held: Held, photo: Photo) -> dict[str, Any]:
        """A photo as JSON takes it, see ``shapes.Photo``."""
        return photo_told(photo, held.gallery.root, self.places(held)[photo.id].position)

    def path(self, photo: Photo, root: Path) -> str:
        """A photo's whole path for programs of this machine, its name in the gallery for others."""
        return str(root / photo.path) if is_loopback(self.limits.host) else photo.path

    def kept(self, upload: Upload, kind: str = "") -> str:
        """The token of what was sent: by what it holds."""
        token = kind + content_digest(upload.data)
        self._uploads.put(token, upload, len(upload.data))
        return token

    def ranked(self, upload: Upload | None, options: Options) -> Ranked:
        """Search, or the answer that was found lately to the same question."""
        with self.opened.use() as held:
            token, id = self._source(held, upload, options)
            asked = options.model_dump(exclude={"hit", "all", "vector"})
            key = held.number, token, repr(asked)
            found = self._answers.get(key)
            if found is None:
                query = self._query(held, token, id, options.box)
                answer = held.gallery.rank(
                    query, rerank=options.rerank, verify_top=options.verify_top, top=options.top,
                    verify_seconds=_within(options.verify_seconds), along=options.along, filter=chosen(options),
                    like=options.like, unlike=options.unlike,
                )  # fmt: skip
                hits = held.gallery.hits(query, answer, options.top)
                found = Ranked(token, id, query, answer, hits)
                self._answers.put(key, found, 1)
            return found

    def answer(self, upload: Upload | None, options: Options) -> dict[str, Any]:
        """An answer to a search, see ``shapes.Answer``."""
        began = time.perf_counter()
        found = self.ranked(upload, options)
        hits = found.hits
        listed = [hit for hit in hits if options.all or hits.unchecked or hit.verdict.shows_it]
        if not hits.found and not options.all and not hits.unchecked:
            listed += hits.alike[:_NEAREST]
        with self.opened.use() as held:
            photos, root = held.gallery._table.by_ids(hit.id for hit in listed), held.gallery.root
        return {
            "query": query_told(found.query, found.id),
            "token": found.token,
            "verdict": str(hits),
            "found": len(hits.found),
            "unchecked": hits.unchecked,
            "hits": [hit_told(hit, photos[hit.id], root) for hit in listed if hit.id in photos],
            "seconds": round(time.perf_counter() - began, 4),
        }

    def explanation(self, upload: Upload | None, options: Explained) -> dict[str, Any]:
        """Why a photo was found, see ``shapes.Explanation``."""
        found = self.ranked(upload, options)
        with self.opened.use() as held:
            gallery = held.gallery
            photo = self.photo(held, options.hit, "hit")
            return {
                "query": query_told(found.query, found.id),
                "token": found.token,
                "hit": self.told(held, photo),
                **explained(gallery, found.query, found.answer, photo.id),
            }

    def located(self, upload: Upload | None, asked: Asked) -> dict[str, Any]:
        """What ``Gallery.locate`` says."""
        with self.opened.use() as held:
            gallery = held.gallery
            token, id = self._source(held, upload, asked)
            side = None if asked.box is not None else gallery._reader.describer_of_queries().side
            found = gallery.locate(self._received(held, token, id, side), box=asked.box)
            told = found.to_dict(gallery.root)
            for photo in told["photos"]:
                del photo["file"]  # photos are named by their ids
            return {name: value for name, value in told.items() if name != "table"}

    def _source(self, held: Held, upload: Upload | None, asked: Asked) -> tuple[str, int | None]:
        """The token of what is asked with, and its id in the gallery if it is one of its photos."""
        ways = [upload, asked.id, asked.query, asked.vector]
        if sum(way is not None for way in ways) != 1:
            raise Refused(
                400,
                "query: expected a photo, or one of id, query and vector",
                code="bad_query",
                argument="query",
            )
        if upload is not None:
            return self.kept(upload), None
        if asked.vector is not None:
            if asked.box is not None:
                raise Refused(400, "box: a vector has none", code="bad_box", argument="box")
            return self.kept(Upload("vector", json.dumps(asked.vector).encode()), _VECTOR), None
        token = asked.query if asked.query is not None else f"id-{asked.id}"
        if token.startswith("id-") and token[3:].isdigit():
            return token, self.photo(held, int(token[3:])).id
        self.sent(token)
        return token, None

    def sent(self, token: str) -> Upload:
        """A photo that was sent lately. Raises Refused."""
        upload = self._uploads.get(token)
        if upload is None:
            raise Refused(
                404,
                "query: that photo is not kept any more; send it again",
                code="unknown_query",
                argument="query",
            )
        return upload

    def _query(self, held: Held, token: str, id: int | None, box: Any) -> Query:
        """What is asked with, described."""
        key = held.number, token, box
        query = self._queries.get(key)
        if query is None and token.startswith(_VECTOR):
            upload = self._uploads.get(token)
            vectors = json.loads(b"{}" if upload is None else upload.data)
            query = query_of_vectors(held.gallery._reader.snapshot, vectors)
        elif query is None:
            side = None if box is not None else held.gallery._reader.describer_of_queries().side
            query = held.gallery.describe(self._received(held, token, id, side), box=box)
            self._queries.put(key, query, query.pixels.nbytes + (1 << 20))
        return query

    def _received(self, held: Held, token: str, id: int | None, side: int | None) -> Received:
        """A photo, decoded in a process of its own."""
        if token.startswith(_VECTOR):
            raise Refused(400, "vector: expected a photo", code="bad_vector", argument="vector")
        if id is None:
            upload = self.sent(token)
            return Received(upload.name, self.decoder.decoded(upload.data, side), digest=token)
        photo = self.photo(held, id)
        file = known_file(held.gallery.root, photo)
        if file is None:
            raise Refused(
                404, "id: the photo's file is gone, or was changed", code="missing", argument="id"
            )
        return Received(file.name, self.decoder.decoded(file, side), file, photo.digest)


def _within(seconds: float | None) -> float:
    """The time for verifications: what is asked for, and no more than leaves time for the rest of the answer."""
    most = seconds_left() / 2
    return most if seconds is None else min(seconds, most)


def chosen(options: Filtered) -> PhotoFilter | None:
    """The photos that may answer; None for all."""
    folder, since, until = options.folder or None, options.since or None, options.until or None
    return None if folder is since is until is None else PhotoFilter(folder, since, until)


def _places(gallery: Gallery) -> Places:
    photos, root = gallery.photos, gallery.root
    try:
        return places_of(None, photos, root)
    except (FileFormatError, OSError) as error:
        logging.getLogger("kinfold").warning("places: %s", error)
        return Places(None, {}, photos, root)
