"""Photos of the same things, and where photos were taken."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from kinfold.serve.errors import Json
from kinfold.serve.service import Service
from kinfold.serve.shapes import Groups, Place


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["gallery"])

    @routes.get("/groups", response_model=Groups)
    async def groups() -> Json:
        """Photos of the same things, the largest group first; they are looked for when this is first asked."""
        return Json(await service.looks.run(service.groups.told))

    @routes.get("/places", response_model=list[Place])
    async def places() -> Json:
        """Where photos were taken: as their files say, or the table of places beside them."""
        return Json(await service.looks.run(_places, service))

    return routes


def _places(service: Service) -> list[dict[str, Any]]:
    with service.opened.use() as held:
        known = service.places(held)
        found = [(photo.id, known[photo.id].position) for photo in held.gallery.photos]
        return [{"id": id, "lat": at[0], "lon": at[1]} for id, at in found if at is not None]
