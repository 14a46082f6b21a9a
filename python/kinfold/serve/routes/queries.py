"""Photos that were sent to be searched with, for as long as they are kept: shown again to who sent them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from kinfold.serve.routes.photos import JPEG
from kinfold.serve.service import Service


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/queries", tags=["search"])

    @routes.get("/{token}/image", response_class=Response, responses=JPEG)
    async def image(
        token: Annotated[str, Path(max_length=200)],
        side: Annotated[int, Query(ge=32, le=4096)] = 1600,
    ) -> Response:
        """The photo upright as JPEG, whatever format it was sent in, of pixels alone."""

        def made() -> bytes:
            return service.pictures.of_sent(token, service.sent(token).data, side)

        data = await service.looks.run(made)
        # The token tells what was sent.
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(data, media_type="image/jpeg", headers=headers)

    return routes
