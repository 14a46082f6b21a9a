"""A server in a thread, and what asks it: once for most tests, on a gallery of a dozen photos."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cv2")
pytest.importorskip("PIL")
for package in ("fastapi", "uvicorn", "python_multipart"):
    pytest.importorskip(package)

from ..gallery.conftest import view, write_photo

SCENES, VIEWS = 3, 4
QUICK = {"engine": "tembedding", "max_features": 300, "centroids": 2, "dim": 8}


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


@dataclass
class Asker:
    """Asks a server as it is told, headers and all."""

    host: str
    port: int
    server: Any = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __call__(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Answered:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, told, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answered:
        return self("GET", path, **headers)

    def post(self, path: str, options: Any, **headers: str) -> Answered:
        body = json.dumps(options).encode()
        return self("POST", path, body, **{"Content_Type": "application/json", **headers})

    def upload(self, path: str, photo: bytes, options: Any = None, name: str = "q.jpg") -> Answered:
        parts = [
            f'--X\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'.encode()
            + photo,
            b'--X\r\nContent-Disposition: form-data; name="options"\r\n\r\n'
            + json.dumps(options or {}).encode(),
        ]
        body = b"\r\n".join([*parts, b"--X--\r\n"])
        return self("POST", path, body, Content_Type="multipart/form-data; boundary=X")


@contextmanager
def serving(path: Path, **limits: Any) -> Iterator[Asker]:
    """A server of a gallery in a thread of this process."""
    from kinfold.serve.limits import Limits
    from kinfold.serve.run import prepared

    there, told = threading.Event(), []

    def ready(address: str) -> None:
        told.append(address)
        there.set()

    server = prepared(path, port=0, limits=Limits(**{"threads": 2, **limits}), ready=ready)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert there.wait(30)
        host, _, port = told[0].removeprefix("http://").rstrip("/").rpartition(":")
        yield Asker("127.0.0.1" if host == "0.0.0.0" else host, int(port), server)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of three things. Not to be changed."""
    folder = tmp_path_factory.mktemp("served") / "photos"
    for scene in range(SCENES):
        for number in range(VIEWS):
            write_photo(folder / f"scene{scene}" / f"view{number}.jpg", view(scene, number))
    return folder


@pytest.fixture(scope="session")
def city(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their gallery. Not to be changed."""
    from kinfold import Gallery

    path = tmp_path_factory.mktemp("served") / "city.kin"
    with Gallery.create(path, **QUICK) as gallery:
        gallery.update(scenes, verbose=False)
    return path


@pytest.fixture(scope="session")
def server(city: Path) -> Iterator[Asker]:
    """Asks a server of it."""
    with serving(city) as asker:
        yield asker


@pytest.fixture(scope="session")
def start() -> Callable[..., Any]:
    """A server with limits of its own, as a context."""
    return serving
