"""Who may ask, how much may be sent, and what every answer says of itself to browsers.

A page of anybody may make a browser ask ``127.0.0.1``, and a name of anybody may lead there (DNS rebinding). So the
name that is asked for has to be the server's own, and a page that asks, one of the server's.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
import time
from collections.abc import Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from kinfold.serve.errors import Refused, error_answer
from kinfold.serve.limits import LOOPBACK_NAMES, Limits, is_loopback

COOKIE = "kinfold_token"
# Nothing but what the page itself consists of: no script or style within it, nothing from elsewhere.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_MOST_HEADER = 8192

ASGI = Callable[..., Any]


class Guard:
    """Stands before the application.

    seen : is told of each answer: what was asked (ASGI's scope), status, seconds
    draining : set while the server stops: what comes then is refused
    """

    def __init__(
        self, app: ASGI, limits: Limits, seen: Callable[[Any, int, float], None] | None = None
    ) -> None:
        self._app, self._limits, self._seen = app, limits, seen
        self._names = _own_names(limits)
        self.draining = False

    async def __call__(self, scope: MutableMapping[str, Any], receive: ASGI, send: ASGI) -> None:
        """An ASGI application's call."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        began, status = time.perf_counter(), 500

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            response = self._refusal(scope)
        except Refused as refused:
            response = error_answer(refused)
        try:
            if response is not None:
                await response(scope, receive, answer)
            else:
                limits = self._limits
                bounded = _bounded(receive, limits.upload_bytes, limits.request_seconds)
                await self._app(scope, bounded, answer)
        finally:
            if self._seen is not None:
                self._seen(scope, status, time.perf_counter() - began)

    def _refusal(self, scope: MutableMapping[str, Any]) -> Response | None:
        """What is answered without asking the application. Raises Refused."""
        headers = Headers(scope=scope)
        if self.draining:
            raise Refused(503, "the server is stopping", code="stopping", wait=5)
        self._check_host(headers)
        self._check_origin(headers, scope)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limits.upload_bytes:
            raise _too_large(self._limits.upload_bytes)
        if self._limits.token is None:
            return None
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and asked:
            return self._signed_in(asked)
        if not self._knows_token(headers):
            raise Refused(401, "a token is needed: Authorization: Bearer …, or open /?token=…")
        return None

    def _check_host(self, headers: Headers) -> None:
        """The name that was asked for is one of the server's own."""
        given = headers.getlist("host")
        name = _name_of(given[0]) if len(given) == 1 else None
        if name is None or not (name in self._names or self._any_address(name)):
            raise Refused(403, "Host: expected a name of this server", code="bad_host")

    def _any_address(self, name: str) -> bool:
        """Whether it is an address where others than this machine reach it: no name, so none was rebound."""
        if is_loopback(self._limits.host):
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _check_origin(self, headers: Headers, scope: MutableMapping[str, Any]) -> None:
        """A page that asks is one of the server's own; a browser that names none may only open the page."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None:
            parts = urlsplit(origin)
            ours = parts.netloc.lower() == headers["host"].lower()
            if parts.scheme not in ("http", "https") or not ours:
                raise Refused(403, "Origin: expected a page of this server", code="bad_origin")
        if site not in ("none", "same-origin") and scope["path"] != "/":
            raise Refused(403, "pages of others may not ask this server", code="bad_origin")

    def _signed_in(self, token: str) -> Response:
        """The page, with the token in a cookie that no script reads and no other site sends."""
        if not self._equal(token):
            raise Refused(401, "this token is not the server's")
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
        return response

    def _knows_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._equal(given.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")[:_MOST_HEADER])
        except CookieError:
            return False
        return COOKIE in cookie and self._equal(cookie[COOKIE].value)

    def _equal(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), (self._limits.token or "").encode())


def _own_names(limits: Limits) -> set[str]:
    names = {*LOOPBACK_NAMES, limits.host.lower(), *(name.lower() for name in limits.names)}
    if not is_loopback(limits.host):
        names.add(socket.gethostname().lower())
    return names


def _name_of(host: str) -> str | None:
    """The name or address in a header Host, without the port; None for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return None if parts.path or parts.query or "@" in host else name


def _too_large(most: int) -> Refused:
    return Refused(413, f"expected at most {most:,} bytes", argument="photo")


def _bounded(receive: ASGI, most: int, seconds: float) -> ASGI:
    """What is received, until it is too much, whatever was announced, or takes too long to come."""
    received, whole, due = 0, False, time.monotonic() + seconds

    async def bounded() -> Any:
        nonlocal received, whole
        left = None if whole else max(0.0, due - time.monotonic())
        try:
            message = await asyncio.wait_for(receive(), left)
        except asyncio.TimeoutError:
            raise Refused(408, f"the request did not come within {seconds:g} seconds") from None
        received, whole = received + len(message.get("body", b"")), not message.get("more_body")
        if received > most:
            raise _too_large(most)
        return message

    return bounded
