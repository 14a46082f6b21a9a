"""What goes wrong, as the API tells it: a status, a code that programs compare, one sentence for people."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from kinfold.base.errors import GalleryError, ImageError, KinfoldError, MissingExtraError
from kinfold.base.state import plain
from kinfold.base.text import shown

_ARGUMENT = re.compile(r"([a-z_]+): (.*)", re.DOTALL)
_CODES = {
    400: "bad_request", 401: "no_token", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 408: "too_slow",
    413: "too_large", 415: "not_a_photo", 422: "bad_option", 429: "busy", 500: "failed", 503: "not_ready",
    504: "too_slow",
}  # fmt: skip


class Refused(Exception):
    """A request that is not answered.

    argument : the option at fault, if any; wait : seconds after which to come again
    """

    def __init__(
        self, status: int, message: str, *, code: str | None = None, argument: str | None = None,
        wait: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.message, self.argument, self.wait = status, message, argument, wait
        self.code = code or _CODES[status]


class Json(Response):
    """JSON in ASCII: names of files hold what UTF-8 has no bytes for, and stand as JSON's escapes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of an answer."""
        return json.dumps(content, allow_nan=False, separators=(",", ":"), default=plain).encode()


def error_answer(error: Refused) -> Json:
    """The answer that tells it."""
    headers = {} if error.wait is None else {"Retry-After": str(error.wait)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    told = {"code": error.code, "message": shown(error.message), "argument": error.argument}
    return Json({"error": told}, status_code=error.status, headers=headers)


def refused_of(error: Exception) -> Refused:
    """What an exception of the library comes to."""
    text = " ".join(str(error).split()) or type(error).__name__
    match = _ARGUMENT.fullmatch(text)
    argument = match[1] if match else None
    if isinstance(error, Refused):
        return error
    if isinstance(error, ImageError):
        return Refused(415, f"the photo cannot be read: {text}", argument="photo")
    if isinstance(error, (GalleryError, MissingExtraError)):
        return Refused(503, text)
    if isinstance(error, (ValueError, TypeError)) and not isinstance(error, KinfoldError):
        code = None if argument is None else f"bad_{argument}"
        return Refused(400, text, code=code, argument=argument)
    logging.getLogger("kinfold").exception("a request failed", exc_info=error)
    # What else went wrong is for the log of whoever serves: it may name files.
    return Refused(500, "the server failed to answer this; its log says why")


def add_handlers(app: FastAPI) -> None:
    """Let every error be told in the one way."""

    async def told(_: Request, error: Exception) -> Response:
        return error_answer(refused_of(error))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_answer(invalid_option(error.errors()))

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return error_answer(
            Refused(
                error.status_code, str(error.detail), code=_CODES.get(error.status_code, "refused")
            )
        )

    for expected in (Refused, KinfoldError, ValueError, TypeError):
        app.add_exception_handler(expected, told)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, told)


def invalid_option(errors: Any) -> Refused:
    """The first of what pydantic found wrong."""
    first = errors[0]
    place = [str(part) for part in first["loc"] if part not in ("query", "path", "body")]
    name = place[0] if place else None
    where = f"{'.'.join(place)}: " if place else ""
    return Refused(422, f"{where}{first['msg']}", argument=name)
