"""What routes share: the gallery, its lanes, the pictures, and what was asked lately."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from kinfold.gallery.hits import Hits
from kinfold.gallery.photo import Photo, known_file
from kinfold.gallery.query import Query, Received
from kinfold.images.digest import content_digest
from kinfold.report.content import Answer
from kinfold.serve.decoder import Decoder
from kinfold.serve.errors import Refused
from kinfold.serve.lanes import Lane, seconds_left
from kinfold.serve.limits import Limits
from kinfold.serve.opened import Held, OpenGallery
from kinfold.serve.pictures import Kept, Pictures
from kinfold.serve.shapes import Asked, Options
from kinfold.serve.told import hit_told, query_told

# Queries, and answers, that are kept: bytes, and a number.
_QUERY_BYTES, _ANSWERS = 128 << 20, 64
# Of what only looks alike, so many are listed where nothing shows the same thing and not all was asked for.
_NEAREST = 5


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
        self.started = time.time()
        self._uploads = Kept[str, Upload](limits.kept_bytes)
        self._queries = Kept[tuple[Any, ...], Query](_QUERY_BYTES)
        self._answers = Kept[tuple[Any, ...], Ranked](_ANSWERS)

    def close(self) -> None:
        """End everything that was started."""
        for lane in (self.searches, self.looks):
            lane.close()
        self.decoder.close()
        self.opened.close()

    def photo(self, held: Held, id: int) -> Photo:
        """A photo that is described. Raises Refused."""
        photo = held.gallery._table.by_ids([id]).get(id)
        if photo is None or photo.segment is None:
            raise Refused(404, f"id: there is no photo {id}", argument="id")
        return photo

    def kept(self, upload: Upload) -> str:
        """The token of a photo that was sent: by what it holds, and this server's alone."""
        token = content_digest(upload.data)
        self._uploads.put(token, upload, len(upload.data))
        return token

    def ranked(self, upload: Upload | None, options: Options) -> Ranked:
        """Search, or the answer that was found lately to the same question."""
        with self.opened.use() as held:
            token, id = self._source(held, upload, options)
            asked = options.model_dump(exclude={"hit", "all"})
            key = held.number, token, repr(asked)
            found = self._answers.get(key)
            if found is None:
                query = self._query(held, token, id, options.box)
                answer = held.gallery.rank(
                    query, rerank=options.rerank, verify_top=options.verify_top, top=options.top,
                    verify_seconds=seconds_left() / 2,
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
            photos = held.gallery._table.by_ids(hit.id for hit in listed)
        return {
            "query": query_told(found.query, found.id),
            "token": found.token,
            "verdict": str(hits),
            "found": len(hits.found),
            "unchecked": hits.unchecked,
            "hits": [hit_told(hit, photos[hit.id]) for hit in listed if hit.id in photos],
            "seconds": round(time.perf_counter() - began, 4),
        }

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
        token = asked.query if asked.query is not None else f"id-{asked.id}"
        if token.startswith("id-") and token[3:].isdigit():
            return token, self.photo(held, int(token[3:])).id
        if self._uploads.get(token) is None:
            raise Refused(
                404,
                "query: that photo is not kept any more; send it again",
                code="unknown_query",
                argument="query",
            )
        return token, None

    def _query(self, held: Held, token: str, id: int | None, box: Any) -> Query:
        """What is asked with, described."""
        key = held.number, token, box
        query = self._queries.get(key)
        if query is None:
            side = None if box is not None else held.gallery._reader.describer_of_queries().side
            query = held.gallery.describe(self._received(held, token, id, side), box=box)
            self._queries.put(key, query, query.pixels.nbytes + (1 << 20))
        return query

    def _received(self, held: Held, token: str, id: int | None, side: int | None) -> Received:
        """A photo, decoded in a process of its own."""
        if id is None:
            upload = self._uploads.get(token)
            if upload is None:
                raise Refused(404, "query: that photo is not kept any more; send it again")
            return Received(upload.name, self.decoder.decoded(upload.data, side), digest=token)
        photo = self.photo(held, id)
        file = known_file(held.gallery.root, photo)
        if file is None:
            raise Refused(
                404, "id: the photo's file is gone, or was changed", code="missing", argument="id"
            )
        return Received(file.name, self.decoder.decoded(file, side), file, photo.digest)
