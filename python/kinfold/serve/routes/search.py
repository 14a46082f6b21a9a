"""Searches: with an upload, with a photo of the gallery, with what was asked before."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from kinfold.serve.errors import Json, Refused, invalid_option
from kinfold.serve.service import Service, Upload
from kinfold.serve.shapes import Answer, Asked, Explained, Explanation, Located, Options

O = TypeVar("O", bound=Asked)
_MOST_OPTIONS = 4 << 20
_MOST_NAME = 200


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["search"])

    @routes.post("/explain", response_model=Explanation, openapi_extra=body_of(Explained))
    async def explain(request: Request) -> Json:
        """Why a photo was found, whether it was among the first or not."""
        upload, options = await read(request, Explained)
        return Json(await service.searches.run(service.explanation, upload, options))

    @routes.post("/locate", response_model=Located, openapi_extra=body_of(Asked))
    async def locate(request: Request) -> Json:
        """Where a photo was taken and what it shows, by the photos of the same thing."""
        upload, asked = await read(request, Asked)
        return Json(await service.searches.run(service.located, upload, asked))

    @routes.post("/search", response_model=Answer, openapi_extra=body_of(Options))
    async def search(request: Request) -> Json:
        """The photos that are most alike, best first, each with a verdict and how sure that is."""
        upload, options = await read(request, Options)
        return Json(await service.searches.run(service.answer, upload, options))

    return routes


async def read(request: Request, shape: type[O]) -> tuple[Upload | None, O]:
    """The photo that was sent, if one was, and the options."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=1, max_part_size=_MOST_OPTIONS) as form:
            if strange := set(form) - {"photo", "options"}:
                raise Refused(400, f"{min(strange)}: expected the parts photo and options")
            photo, text = form.get("photo"), form.get("options", "{}")
            if not isinstance(photo, UploadFile) or not isinstance(text, str):
                raise Refused(400, "photo: expected a file, and options as text", argument="photo")
            upload = Upload(_name_of(photo.filename), await photo.read())
        return upload, _options(text, shape)
    if kind == "application/json":
        return None, _options((await request.body()).decode("utf-8", "replace"), shape)
    raise Refused(
        415,
        "Content-Type: expected multipart/form-data or application/json",
        code="bad_content_type",
    )


def _options(text: str, shape: type[O]) -> O:
    try:
        return shape.model_validate(json.loads(text))
    except ValidationError as error:
        raise invalid_option(error.errors()) from None
    except (ValueError, RecursionError):
        raise Refused(
            400, "options: expected an object in JSON", code="bad_options", argument="options"
        ) from None


def _name_of(given: str | None) -> str:
    """The last part of what a photo was called: to be shown, never to be opened."""
    name = (given or "").replace("\\", "/").rpartition("/")[2].strip()[:_MOST_NAME]
    return name or "query"


def body_of(shape: type[Asked]) -> dict[str, Any]:
    """How OpenAPI tells a body that is read here."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = {"photo": {"type": "string", "format": "binary"}, "options": {"type": "string"}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema},
                "multipart/form-data": {
                    "schema": {"type": "object", "required": ["photo"], "properties": parts}
                },
            },
        }
    }
