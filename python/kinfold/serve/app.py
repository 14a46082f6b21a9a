"""The application: routes under ``/api``, the page at ``/``, a guard before both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

import kinfold
from kinfold import report
from kinfold.serve.errors import add_handlers
from kinfold.serve.guard import Guard
from kinfold.serve.routes import about, export, groups, photos, queries, search
from kinfold.serve.service import Service
from kinfold.serve.shapes import JSON_ANSWERS

PAGE = Path(__file__).parent / "page"
# Reports and the page have one look.
LOOK = Path(report.__file__).parent / "templates" / "page.css"
# Seconds between looks for a gallery that was brought up to date.
_EVERY = 1.0


def application(service: Service) -> Guard:
    """What answers; an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(_watch(service))
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="Kinfold",
        description="Finds every photo of the same thing.",
        version=kinfold.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    add_handlers(app)
    for routes in (about, photos, queries, search, groups, export):
        app.include_router(routes.router(service), prefix="/api", responses=JSON_ANSWERS)

    @app.get("/page/look.css", include_in_schema=False)
    async def look() -> FileResponse:
        return FileResponse(LOOK)

    app.mount("/page", StaticFiles(directory=PAGE), name="page")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    return Guard(app, service.limits, service.metrics.seen)


async def _watch(service: Service) -> None:
    """Prepare the first answer; then open the gallery anew whenever it is another."""
    with service.opened.use() as held:
        await asyncio.to_thread(service.opened.prepare, held.gallery)
    while True:
        await asyncio.sleep(_EVERY)
        try:
            await asyncio.to_thread(service.opened.look)
        except Exception:
            logging.getLogger("kinfold").exception("the gallery cannot be opened anew")
