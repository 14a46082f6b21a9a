"""Photos of the gallery: listed, one by one, and as pictures. They are named by numbers: no request holds a path."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from kinfold.serve.errors import Json
from kinfold.serve.limits import is_loopback
from kinfold.serve.service import Service, chosen
from kinfold.serve.shapes import Filtered, PhotoFacts, Photos

Id = Annotated[int, Path(ge=1, lt=1 << 60)]
_IDS = "^[0-9]{1,18}(,[0-9]{1,18})*$"
JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/photos", tags=["photos"])

    @routes.get("", response_model=Photos)
    async def photos(
        offset: Annotated[int, Query(ge=0, lt=1 << 40)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        folder: Annotated[str, Query(max_length=4096)] = "",
        since: Annotated[str, Query(max_length=32)] = "",
        until: Annotated[str, Query(max_length=32)] = "",
        order: Literal["name", "date"] = "name",
        ids: Annotated[str | None, Query(max_length=8000, pattern=_IDS)] = None,
    ) -> Json:
        """A page of the photos that are described; or those with these ids, in this order, without what is gone."""
        if ids is not None:
            return Json(await service.looks.run(by_ids, [int(id) for id in ids.split(",")]))

        def listed() -> dict[str, Any]:
            with service.opened.use() as held:
                table = held.gallery._table
                by = "path" if order == "name" else "taken"
                ids = service.once(held, by, lambda gallery: gallery._table.ordered(by))
                wanted = chosen(Filtered(folder=folder, since=since, until=until))
                if wanted is not None:
                    ids = ids[np.isin(ids, wanted.ids(table, held.gallery.root))]
                page = ids[offset : offset + limit].tolist()
                found = table.by_ids(page)
                told = [service.told(held, found[id]) for id in page if id in found]
                return {"total": len(ids), "photos": told}

        return Json(await service.looks.run(listed))

    def by_ids(ids: list[int]) -> dict[str, Any]:
        with service.opened.use() as held:
            known = held.gallery._table.by_ids(ids)
            found = [known[id] for id in ids if id in known and known[id].segment is not None]
            return {"total": len(found), "photos": [service.told(held, one) for one in found]}

    @routes.get("/{id}", response_model=PhotoFacts)
    async def photo(id: Id) -> Json:
        """All that is known of a photo."""

        def facts() -> dict[str, Any]:
            with service.opened.use() as held:
                found, root = service.photo(held, id), held.gallery.root
                return service.told(held, found) | {
                    "tags": found.tags.split("\n") if found.tags else [],
                    "title": found.title,
                    "user": found.user,
                    "camera": found.camera,
                    "bytes": found.size,
                    "file": str(root / found.path) if is_loopback(service.limits.host) else None,
                }

        return Json(await service.looks.run(facts))

    @routes.get("/{id}/thumbnail", response_class=Response, responses=JPEG)
    async def thumbnail(
        request: Request, id: Id, side: Annotated[int, Query(ge=32, le=512)] = 256
    ) -> Response:
        """A small JPEG picture, of pixels alone."""
        return await picture(request, id, side)

    @routes.get("/{id}/image", response_class=Response, responses=JPEG)
    async def image(
        request: Request, id: Id, side: Annotated[int, Query(ge=32, le=4096)] = 1600
    ) -> Response:
        """A larger JPEG picture, of pixels alone."""
        return await picture(request, id, side)

    async def picture(request: Request, id: int, side: int) -> Response:
        tag = ""

        def made() -> bytes | None:
            nonlocal tag
            with service.opened.use() as held:
                found = service.photo(held, id)
                tag = f'"{found.digest}-{side}"'
                if request.headers.get("if-none-match") == tag:
                    return None
                return service.pictures.of(found, held.gallery.root, side)

        data = await service.looks.run(made)
        # A photo that changes gets another id.
        headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
        if data is None:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="image/jpeg", headers=headers)

    return routes
