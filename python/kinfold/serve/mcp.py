"""A gallery as tools for models: the Model Context Protocol over standard input and output.

Every tool only reads, answers with facts as JSON and, where there are photos to see, with one picture of them. What a
tool is asked with is an id or a name in the gallery, or the whole path of a photo on this machine.
"""

from __future__ import annotations

import base64
import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

import kinfold
from kinfold.base.arrays import as_count
from kinfold.base.errors import KinfoldError
from kinfold.base.extras import require
from kinfold.gallery import Gallery, PhotoFilter
from kinfold.gallery.hit import Hit
from kinfold.gallery.query import Query
from kinfold.serve.contact_sheet import Tile, pair, sheet, tile_of
from kinfold.serve.opened import OpenGallery
from kinfold.serve.told import hit_told, photo_told, query_told

_ABOUT = """Finds photos of the same thing in one gallery of photos. A photo is named by its id or name in the \
gallery, or by the whole path of a file. Boxes are x0, y0, x1, y1 in pixels of the upright photo. Verdicts: \
an answer is sure only where geometry confirms it ("verified"); others only look alike."""
_MOST = 100  # photos of an answer
_SHEET = 24  # of them, in a picture
_SIDE = 240


class Tools:
    """What each tool does, on the gallery as it is now.

    path : the gallery's folder
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._opened = OpenGallery(path)

    def search_photos(
        self,
        photo: str,
        box: list[float] | None = None,
        top: int = 12,
        folder: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Any:
        """Find the photos that show the same thing as a photo, or as a box in it, best first.

        photo: an id or a name in the gallery, or the whole path of a photo. box: x0, y0, x1, y1 in its pixels, to
        search for that part alone. top: so many photos. folder, since, until: only photos in that folder, taken from
        and until these days (2024, 2024-05 or 2024-05-01). Each hit has its name, id, verdict, confidence, and
        place_found: where in that photo the thing is. The picture shows first what was asked with, then the hits.
        """
        count = as_count(top, "top", most=_MOST)
        with self._gallery() as gallery:
            chosen = None
            if folder is not None or since is not None or until is not None:
                chosen = PhotoFilter(folder=folder, since=since, until=until)
            query = _asked(gallery, photo, box)
            answer = gallery.rank(query, top=count, filter=chosen)
            hits = gallery.hits(query, answer, count)
            told = [hit_told(hit, gallery.photo(hit.id), gallery.root) for hit in hits]
            facts = {"query": query_told(query, None), "said": str(hits), "hits": told}
            tiles = [
                _tile(gallery, hit.id, f"{hit.rank}. {hit.verdict}", _places(one))
                for hit, one in zip(hits[:_SHEET], told)
            ]
            return _result(facts, sheet([_query_tile(query, _SIDE), *tiles], _SIDE))

    def explain_match(self, photo: str, other: str, box: list[float] | None = None) -> Any:
        """Say why another photo of the gallery shows the same thing as a photo, or that nothing confirms it.

        photo, box: as for search_photos. other: an id or a name in the gallery. Inliers are the places of both photos
        that agree on one transformation. The picture shows both photos with lines between these places.
        """
        with self._gallery() as gallery:
            query, id = _asked(gallery, photo, box), _id_in(gallery, other, "other")
            [hit] = gallery.hits(query, gallery.rank(query, top=1, filter=[id]), 1)
            matches = np.empty((0, 4)) if hit.matches is None else hit.matches
            told = hit_told(hit, gallery.photo(id), gallery.root)
            facts = {
                "query": query_told(query, None),
                "hit": told,
                "matches": matches.round(1).tolist(),
                "said": _said(hit),
            }
            right = tile_of(gallery.photo(id), gallery.root, hit.path, 480, _places(told))
            return _result(facts, pair(_query_tile(query, 480), right, matches))

    def list_groups(self, most: int = 20) -> Any:
        """List the sets of photos that show the same thing, as geometry confirms, the largest first.

        most: so many sets. The picture shows the photo of each that has most matches to the others. On a large gallery
        this takes a while.
        """
        count = as_count(most, "most", most=_MOST)
        with self._gallery() as gallery:
            found = sorted(gallery.groups(verbose=False), key=lambda group: -len(group.photos))
            groups = [
                {
                    "representative": {"id": group.photos[0].id, "name": group.photos[0].path},
                    "photos": [{"id": photo.id, "name": photo.path} for photo in group.photos],
                    "near_duplicates": sum(one.near_duplicate for one in group.pairs),
                }
                for group in found[:count]
            ]
            tiles = [
                _tile(gallery, group.photos[0].id, f"{number}. {len(group.photos)} photos")
                for number, group in enumerate(found[: min(count, _SHEET)], 1)
            ]
            facts = {"groups": groups, "all_groups": len(found)}
            return _result(facts, sheet(tiles, _SIDE) if tiles else None)

    def locate(self, photo: str, box: list[float] | None = None) -> Any:
        """Say where a photo was taken and what it shows, by the positions and tags of photos of the same thing.

        photo, box: as for search_photos. Where the evidence does not suffice, the reason says why. The picture shows
        the photos that geometry confirms.
        """
        with self._gallery() as gallery:
            found = gallery.locate(_photo_of(gallery, photo), box=box)
            facts = found.to_dict(gallery.root)
            tiles = [
                _tile(gallery, one.photo.id, one.state) for one in found.witnesses[: _SHEET - 1]
            ]
            return _result(facts, sheet([_query_tile(found.query, _SIDE), *tiles], _SIDE))

    def gallery_info(self, first: int = 0, names: int = 50) -> Any:
        """Tell how many photos the gallery holds, how it was made, what it can do, and the names of some photos.

        first, names: the photos from that one on, in the order of their names, and how many of them.
        """
        start, count = as_count(first, "first", least=0), as_count(names, "names", most=1000)
        with self._gallery() as gallery:
            photos = gallery.photos[start : start + count]
            shown = [photo_told(photo, gallery.root, photo.position) for photo in photos]
            return _result({**gallery.info(), "shown": shown}, None)

    def close(self) -> None:
        """Close the gallery."""
        self._opened.close()

    @contextmanager
    def _gallery(self) -> Iterator[Gallery]:
        with suppress(KinfoldError, OSError):  # until the new one is whole, the old one answers
            self._opened.look()
        with self._opened.use() as held:
            yield held.gallery


TOOLS = ("search_photos", "explain_match", "list_groups", "locate", "gallery_info")


def mcp_server(path: str | os.PathLike[str]) -> Any:
    """A server of the official SDK, ``mcp.server.mcpserver.MCPServer``, with a gallery's tools. Needs the extra mcp.

    Raises what ``Gallery.open`` raises, and MissingExtraError.
    """
    sdk, types = require("mcp.server.mcpserver"), require("mcp.types")
    tools = Tools(path)
    server = sdk.MCPServer(
        "kinfold", instructions=_ABOUT, version=kinfold.__version__, log_level="WARNING"
    )
    hints = types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    for name in TOOLS:
        act = _refusing(getattr(tools, name))
        server.tool(name=name, annotations=hints, structured_output=False)(act)
    return server


def serve_stdio(path: str | os.PathLike[str]) -> None:
    """Answer on standard input and output until the other side ends it."""
    mcp_server(path).run("stdio")


def _refusing(act: Callable[..., Any]) -> Callable[..., Any]:
    """The same, whose expected errors are one line for the model; others stay what they are."""
    error_of = require("mcp.server.mcpserver.exceptions").ToolError

    @functools.wraps(act)
    def acting(*given: Any, **named: Any) -> Any:
        try:
            return act(*given, **named)
        except (KinfoldError, ValueError, OSError) as error:
            raise error_of(" ".join(str(error).split())) from None

    return acting


def _result(facts: dict[str, Any], jpeg: bytes | None) -> Any:
    types = require("mcp.types")
    content = [types.TextContent(type="text", text=json.dumps(facts, default=str))]
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type="image/jpeg"))
    return types.CallToolResult(content=content, structured_content=facts)


def _photo_of(gallery: Gallery, photo: str) -> Any:
    """What ``Gallery.describe`` takes for an id, a name or a whole path."""
    return Path(photo) if os.path.isabs(photo) else _id_in(gallery, photo, "photo")


def _id_in(gallery: Gallery, photo: str, name: str) -> int:
    """The id of a photo of the gallery, by its id or its name."""
    [known] = gallery.ids_of([photo])
    if known is None and photo.isdecimal():
        with suppress(KeyError):
            known = gallery.photo(int(photo)).id
    if known is None:
        what = "an id or a name in the gallery"
        if name == "photo":
            what += ", or the whole path of a photo"
        raise ValueError(f"{name}: expected {what}, got {photo!r}")
    return known


def _asked(gallery: Gallery, photo: str, box: list[float] | None) -> Query:
    return gallery.describe(_photo_of(gallery, photo), box=box)


def _query_tile(query: Query, side: int) -> Tile:
    outlines = []
    if query.box is not None:
        x0, y0, x1, y1 = query.box
        outlines = [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)]
    return Tile(f"asked: {query.name}"[: side // 6], query.pixels, query.size, outlines)


def _tile(gallery: Gallery, id: int, words: str, outlines: Any = ()) -> Tile:
    return tile_of(gallery.photo(id), gallery.root, f"{words} (id {id})", _SIDE, outlines)


def _places(told: dict[str, Any]) -> list[Any]:
    """Where in a hit the thing was found, as an outline to draw."""
    place = told["place_found"]
    return [] if place is None else [np.array(place, np.float64)]


def _said(hit: Hit) -> str:
    if hit.matches is not None and hit.verified:
        return f"{hit.verdict}: {hit.inliers} places of both photos agree on one transformation"
    if hit.verdict.shows_it:
        return f"{hit.verdict}, though few places of both photos agree"
    return f"{hit.verdict}: geometry does not confirm that both show the same thing"
