"""What is served: health, facts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter

import kinfold
from kinfold.gallery.stages import STAGES, all_stages
from kinfold.serve.errors import Json
from kinfold.serve.opened import Held
from kinfold.serve.service import Service
from kinfold.serve.shapes import Health, Info


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["server"])

    @routes.get("/health", response_model=Health)
    async def health() -> Json:
        """Whether the server answers, and for how many photos."""

        def count() -> int:
            with service.opened.use() as held:
                return len(held.gallery)

        photos = await service.looks.run(count)
        return Json({"status": "ok", "photos": photos, "version": kinfold.__version__})

    @routes.get("/info", response_model=Info)
    async def info() -> Json:
        """What is in the gallery, how it was made, and what can be asked of it."""
        return Json(await service.looks.run(_facts, service))

    return routes


def _facts(service: Service) -> dict[str, Any]:
    with service.opened.use() as held:
        return held.gallery.info() | {
            "engines": list(held.gallery.settings.engines),
            "rerank": _stages(held),
            "default_rerank": list(STAGES),
            **_listed(held),
        }


def _stages(held: Held) -> list[str]:
    """The second looks that this gallery has what is needed for."""
    if "graph" in held.gallery._store.read().parts and held.gallery.parts.model.looks_at_regions:
        return list(all_stages())
    return [name for name in all_stages() if "region" not in name]


def _listed(held: Held) -> dict[str, Any]:
    """What the list of photos tells as a whole."""
    photos = held.gallery.photos
    folders = Counter(photo.path.partition("/")[0] + "/" for photo in photos if "/" in photo.path)
    days = sorted(photo.taken[:10] for photo in photos if photo.taken)
    return {
        "has_places": any(photo.position for photo in photos),
        "folders": [{"name": name, "photos": count} for name, count in sorted(folders.items())],
        "since": days[0] if days else None,
        "until": days[-1] if days else None,
    }
