"""Downloads of a choice of photos: their paths, what is known of them, or a page of links with thumbnails."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from kinfold.base.errors import ImageError
from kinfold.gallery.photo import Photo
from kinfold.serve.errors import Refused
from kinfold.serve.service import Service
from kinfold.serve.shapes import Export

_TYPES = {"list": ("photos.txt", "text/plain; charset=utf-8"), "csv": ("photos.csv", "text/csv; charset=utf-8"),
          "zip": ("photos.zip", "application/zip")}  # fmt: skip
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}
                      for kind in ("text/plain", "text/csv", "application/zip")}}
}  # fmt: skip
_SIDE = 256
# What a spreadsheet takes for a formula when it is the first of a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["photos"])

    @routes.post("/export", response_class=Response, responses=_FILE)
    async def export(asked: Export) -> Response:
        """Photos as a list of paths, as CSV, or as an archive of links and thumbnails; never the photos themselves."""
        name, kind = _TYPES[asked.kind]
        data = await service.searches.run(exported, service, asked)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type=kind, headers=headers)

    return routes


def exported(service: Service, asked: Export) -> bytes:
    """The file."""
    with service.opened.use() as held:
        found, root = held.gallery._table.by_ids(asked.ids), held.gallery.root
        missing = [id for id in asked.ids if id not in found]
        if missing:
            raise Refused(404, f"ids: there is no photo {missing[0]}", argument="ids")
        photos = [found[id] for id in dict.fromkeys(asked.ids)]
        if asked.kind == "list":
            return _bytes("".join(f"{service.path(photo, root)}\n" for photo in photos))
        if asked.kind == "csv":
            return _bytes(table([(photo, service.path(photo, root)) for photo in photos]))
        return _archive(service, photos, root)


def table(photos: Sequence[tuple[Photo, str]]) -> str:
    """What is known of photos, and their paths, as CSV; no cell begins as a formula does."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\r\n")
    lines.writerow(["id", "path", "width", "height", "taken", "latitude", "longitude", "tags"])
    for photo, path in photos:
        latitude, longitude = photo.position or ("", "")
        tags = (photo.tags or "").replace("\n", ";")
        texts = [_plain(text) for text in (path, photo.taken or "", tags)]
        lines.writerow(
            [photo.id, texts[0], photo.width, photo.height, texts[1], latitude, longitude, texts[2]]
        )
    return file.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _archive(service: Service, photos: Sequence[Photo], root: Path) -> bytes:
    """A page of links and its thumbnails."""
    file, lines = io.BytesIO(), list[str]()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for photo in photos:
            picture = ""
            try:
                archive.writestr(
                    f"thumbnails/{photo.id}.jpg", service.pictures.of(photo, root, _SIDE)
                )
                picture = f'<img src="thumbnails/{photo.id}.jpg" alt="">'
            except (Refused, ImageError):  # the file is gone: its path is all that there is
                pass
            lines.append(
                f"<li>{_link(Path(service.path(photo, root)), picture, escape(photo.path))}</li>"
            )
        page = (
            '<!doctype html><meta charset="utf-8"><title>Photos</title><ul>'
            + "\n".join(lines)
            + "</ul>"
        )
        archive.writestr("photos.html", _bytes(page))
    return file.getvalue()


def _link(path: Path, picture: str, name: str) -> str:
    """A photo that leads to its file, where that is on the same machine."""
    shown = f"{picture}<br>{name}"
    return f'<a href="{escape(path.as_uri())}">{shown}</a>' if path.is_absolute() else shown


def _bytes(text: str) -> bytes:
    """Names as their bytes are."""
    return text.encode("utf-8", "surrogateescape")
