"""Asks a server of ``kinfold serve``, with the standard library alone, as ``Gallery`` is asked."""

from __future__ import annotations

import http.client
import io
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import ImageError, ServerError
from kinfold.base.extras import require
from kinfold.gallery.hit import Hit
from kinfold.gallery.photo_filter import PhotoFilter
from kinfold.gallery.stages import STAGES, checked_stages
from kinfold.gallery.verdict import Verdict
from kinfold.images.given import given_pixels


@dataclass(frozen=True, repr=False)
class ServedHit:
    """One photo of an answer, with the names of ``Gallery.search``'s hits.

    place : float64 (m, 2), the hull of what was found, in pixels of the photo; None if unverified
    box : float64 (4, 2), the query's corners in the photo; None if unverified
    size : width and height of the photo
    """

    rank: int
    id: int
    path: str
    score: float
    verdict: Verdict
    confidence: float
    verified: bool
    inliers: int | None
    is_query: bool
    through: int | None
    place: NDArray[np.float64] | None
    box: NDArray[np.float64] | None
    size: tuple[int, int]

    def __repr__(self) -> str:
        itself = ", the query itself" if self.is_query else ""
        return f"Hit({self.rank}, {self.path!r}, {self.verdict}, {self.confidence:.2f}{itself})"

    @property
    def found(self) -> bool:
        """Whether it is an answer: it shows the same thing, and is not the photo that was asked with."""
        return self.verdict.shows_it and not self.is_query


class ServedHits(list[ServedHit]):
    """The hits of one query, best first; printed, what they come to.

    token : stands for the query in later questions, as long as the server keeps it
    unchecked : whether geometry was asked of none of these
    """

    def __init__(self, hits: Iterable[ServedHit], told: str, token: str, unchecked: bool) -> None:
        super().__init__(hits)
        self._told, self.token, self.unchecked = told, token, unchecked

    @property
    def found(self) -> list[ServedHit]:
        """Those that show the same thing."""
        return [hit for hit in self if hit.found]

    @property
    def alike(self) -> list[ServedHit]:
        """Those that only look alike."""
        return [hit for hit in self if not hit.verdict.shows_it]

    def __str__(self) -> str:
        return self._told


class Client:
    """A gallery that another process serves; it may be asked from several threads.

    url : of the server, such as "http://127.0.0.1:8000"
    token : as it was given to ``kinfold serve --token``
    timeout : seconds for an answer; where the server is busy, it is asked again until then

    Every question raises ValueError for what the server refuses of it, ImageError for what is no photo, ServerError
    where there is no answer.

    Examples
    --------
    >>> client = kf.Client("http://127.0.0.1:8000")
    >>> client
    Client('http://127.0.0.1:8000')
    >>> client.search("query.jpg", top=5)  # doctest: +SKIP
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 60.0) -> None:
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"url: expected one such as http://127.0.0.1:8000, got {url!r}")
        self.url, self.timeout = url.rstrip("/"), timeout
        self._host, self._port, self._token = parts.hostname, parts.port, token
        secure = parts.scheme == "https"
        self._connection = http.client.HTTPSConnection if secure else http.client.HTTPConnection

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __len__(self) -> int:
        """How many photos there are."""
        return int(self._get("/api/health")["photos"])

    def info(self) -> dict[str, Any]:
        """What is in the gallery, how it was made, and what can be asked of it."""
        return dict(self._get("/api/info"))

    def search(
        self,
        query: Any,
        *,
        box: Any = None,
        top: int = 20,
        rerank: Sequence[str] | str | None = STAGES,
        verify_top: int = 100,
        verify_seconds: float | None = None,
        along: Mapping[str, Any] | None = None,
        filter: Any = None,
        like: Any = (),
        unlike: Any = (),
    ) -> ServedHits:
        """The photos that are most alike, best first; see ``Gallery.search`` for what the options mean.

        query : path of a photo, its bytes or an open file, an image of Pillow, an array of pixels; or the id of a photo
            of the gallery, a hit, or earlier hits, which stand for what was asked with
        filter : a ``PhotoFilter`` of one folder and dates
        """
        told = self._ask(
            "/api/search",
            query,
            {
                "box": None if box is None else [float(side) for side in box],
                "top": top,
                "rerank": list(checked_stages(rerank)),
                "verify_top": verify_top,
                "verify_seconds": verify_seconds,
                "along": None if along is None else dict(along),
                **_filter(filter),
                "like": _ids(like),
                "unlike": _ids(unlike),
            },
        )
        hits = [_hit(hit) for hit in told["hits"]]
        return ServedHits(hits, told["verdict"], told["token"], told["unchecked"])

    def explain(self, query: Any, hit: Any, *, box: Any = None) -> dict[str, Any]:
        """Why a photo was found: what agrees, the chain that leads there. hit : a hit, or an id"""
        options: dict[str, Any] = {"hit": _id(hit)}
        if box is not None:
            options["box"] = [float(side) for side in box]
        return dict(self._ask("/api/explain", query, options))

    def thumbnail(self, hit: Any, side: int = 256) -> bytes:
        """A small JPEG picture of a photo. hit : a hit, or an id"""
        _, data = self._answer("GET", f"/api/photos/{_id(hit)}/thumbnail?side={int(side)}")
        return data

    def _get(self, path: str) -> Any:
        return json.loads(self._answer("GET", path)[1])

    def _ask(self, path: str, query: Any, options: dict[str, Any]) -> Any:
        """What the server says to a question about a photo."""
        named = _named(query)
        if named is not None:
            body, kind = json.dumps({**named, **options}).encode(), "application/json"
        else:
            body, kind = _form(*_photo(query), json.dumps(options))
        return json.loads(self._answer("POST", path, body, kind)[1])

    def _answer(
        self, method: str, path: str, body: bytes | None = None, kind: str | None = None
    ) -> tuple[int, bytes]:
        headers = {} if kind is None else {"Content-Type": kind}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        due = time.monotonic() + self.timeout
        while True:
            status, wait, data = self._once(method, path, body, headers, due - time.monotonic())
            if status < 400:
                return status, data
            if status != 429 or time.monotonic() + wait >= due:
                raise _error(self.url, status, data)
            time.sleep(wait)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float
    ) -> tuple[int, float, bytes]:
        """Status, seconds after which to come again, and what was answered."""
        connection = self._connection(self._host, self._port, timeout=max(seconds, 0.001))
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            wait = response.getheader("Retry-After", "1")
            return response.status, float(wait) if wait.isdigit() else 1.0, response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ServerError(f"{self.url}: no answer: {reason}") from error
        finally:
            connection.close()


def _filter(given: Any) -> dict[str, str]:
    """Folder and dates as the server takes them."""
    if given is None:
        return {}
    if not isinstance(given, PhotoFilter) or not isinstance(given.folder or "", (str, os.PathLike)):
        raise ValueError(f"filter: expected a PhotoFilter of one folder, got {given!r:.80}")
    bounds = {name: getattr(given, name) for name in ("folder", "since", "until")}
    return {name: str(value) for name, value in bounds.items() if value is not None}


def _ids(given: Any) -> list[int]:
    """Ids of one or several photos or hits."""
    several: Any = given if isinstance(given, (list, tuple, np.ndarray)) else [given]
    return [_id(one) for one in several]


def _id(given: Any) -> int:
    """Of a hit, or an id itself."""
    return given.id if isinstance(given, (ServedHit, Hit)) else int(given)


def _hit(told: dict[str, Any]) -> ServedHit:
    return ServedHit(
        told["rank"], told["id"], told["name"], told["score"], Verdict(told["verdict"]), told["confidence"],
        told["verified"], told["inliers"], told["is_query"], told["through"], _points(told["place_found"]),
        _points(told["frame"]), (told["width"], told["height"]),
    )  # fmt: skip


def _points(told: Any) -> NDArray[np.float64] | None:
    return None if told is None else np.array(told, np.float64).reshape(-1, 2)


def _named(query: Any) -> dict[str, Any] | None:
    """How a query is named that the server has; None for one that is to be sent."""
    if isinstance(query, ServedHits):
        return {"query": query.token}
    if isinstance(query, (ServedHit, Hit)):
        return {"id": query.id}
    if isinstance(query, (int, np.integer)) and not isinstance(query, bool):
        return {"id": int(query)}
    return None


def _photo(query: Any) -> tuple[str, bytes]:
    """The name and the bytes of a photo."""
    if isinstance(query, (str, os.PathLike)):
        return Path(query).name, Path(query).read_bytes()
    if hasattr(query, "read"):
        query = query.read()
    if isinstance(query, (bytes, bytearray, memoryview)):
        return "query", bytes(query)
    # What has no file yet becomes one that loses nothing.
    file = io.BytesIO()
    require("PIL.Image").fromarray(given_pixels(query, "query")).save(file, "PNG", compress_level=1)
    return "query", file.getvalue()


def _form(name: str, photo: bytes, options: str) -> tuple[bytes, str]:
    """A body of two parts, and its type."""
    bound = secrets.token_hex(16)
    plain = name.encode("ascii", "replace").decode().replace('"', "?").replace("\\", "?")
    plain = "".join(letter if letter.isprintable() else "?" for letter in plain)
    head = f"--{bound}\r\nContent-Disposition: form-data; name="
    body = (
        f'{head}"options"\r\n\r\n{options}\r\n{head}"photo"; filename="{plain}"\r\n\r\n'.encode()
        + photo
        + f"\r\n--{bound}--\r\n".encode()
    )
    return body, f"multipart/form-data; boundary={bound}"


def _error(url: str, status: int, data: bytes) -> Exception:
    """What a refusal is raised as."""
    try:
        told = json.loads(data)["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, LookupError, TypeError):
        return ServerError(f"{url}: answered {status}, and not as kinfold serve does", status)
    if status == 415:
        return ImageError(message)
    if status in (400, 404, 422):
        return ValueError(message)
    return ServerError(f"{url}: {message}", status, code)
