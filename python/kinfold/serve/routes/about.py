"""What is served: health, facts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

import kinfold
from kinfold.gallery.gallery import Gallery
from kinfold.gallery.lock import progress_of_writer
from kinfold.gallery.stages import STAGES, all_stages
from kinfold.serve.errors import Json
from kinfold.serve.limits import is_loopback
from kinfold.serve.opened import Held
from kinfold.serve.service import Service
from kinfold.serve.shapes import Health, Info, Progress

_PATHS = ("gallery", "photos_folder", "places")
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


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

    @routes.get("/metrics", response_class=Response, responses=_TEXT)
    async def metrics() -> Response:
        """What the server counts, in Prometheus's text format."""
        text = await service.looks.run(service.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/progress", response_model=Progress)
    async def progress() -> Json:
        """How far another process is that brings the gallery up to date; then the server opens it by itself."""
        found = await service.looks.run(progress_of_writer, service.opened.path)
        stage, done, of = found or ("", 0, 0)
        return Json({"updating": found is not None, "stage": stage, "done": done, "of": of})

    return routes


def _facts(service: Service) -> dict[str, Any]:
    with service.opened.use() as held:
        facts = service.once(held, "info", lambda gallery: gallery.info() | _listed(gallery))
        if not is_loopback(service.limits.host):  # where things lie is nobody's business there
            facts = {name: value for name, value in facts.items() if name not in _PATHS}
            facts |= {"gallery": held.gallery.path.name}
        return facts | {
            "engines": list(held.gallery.settings.engines),
            "rerank": _stages(held),
            "default_rerank": list(STAGES),
            "has_places": service.places(held).with_position > 0,
        }


def _stages(held: Held) -> list[str]:
    """The second looks that this gallery has what is needed for."""
    if "graph" in held.gallery._store.read().parts and held.gallery.parts.model.looks_at_regions:
        return list(all_stages())
    return [name for name in all_stages() if "region" not in name]


def _listed(gallery: Gallery) -> dict[str, Any]:
    """What the list of photos tells as a whole."""
    photos = gallery.photos
    folders = Counter(photo.path.partition("/")[0] + "/" for photo in photos if "/" in photo.path)
    days = sorted(photo.taken[:10] for photo in photos if photo.taken)
    return {
        "folders": [{"name": name, "photos": count} for name, count in sorted(folders.items())],
        "since": days[0] if days else None,
        "until": days[-1] if days else None,
    }
