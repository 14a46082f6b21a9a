"""From options to a server that answers until it is told to stop, and what is being answered then."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from kinfold.base.extras import require
from kinfold.serve.limits import Limits


def serve(
    path: str | os.PathLike[str],
    *,
    port: int = 8000,
    limits: Limits | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a gallery until SIGTERM or SIGINT: what is being answered then is answered, what comes later is refused.

    path : of the gallery
    port : 0 for any that is free
    ready : is told the address, once it answers
    Raises what ``Gallery.open`` raises; OSError where the port is taken; MissingExtraError.
    """
    prepared(path, port=port, limits=limits, ready=ready).run()


def prepared(
    path: str | os.PathLike[str],
    *,
    port: int,
    limits: Limits | None = None,
    ready: Callable[[str], None] | None = None,
) -> Any:
    """What ``serve`` runs: a uvicorn.Server that has its socket; it stops once its ``should_exit`` is set."""
    uvicorn: Any = require("uvicorn")
    for module in ("fastapi", "python_multipart", "prometheus_client"):
        require(module)
    from kinfold.serve.app import application
    from kinfold.serve.service import Service

    limits = limits or Limits()
    listening = _listening(limits.host, port)
    try:
        app = application(Service(path, limits))
    except BaseException:
        listening.close()
        raise
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=int(limits.drain_seconds), backlog=512, h11_max_incomplete_event_size=32 << 10,
        proxy_headers=False,
    )  # fmt: skip

    class Server(uvicorn.Server):  # type: ignore[misc]
        def run(self, sockets: Any = None) -> None:
            super().run(sockets=sockets or [listening])

        async def startup(self, sockets: Any = None) -> None:
            host, bound = listening.getsockname()[:2]
            await super().startup(sockets=sockets)
            if ready is not None:
                ready(f"http://{f'[{host}]' if ':' in host else host}:{bound}/")

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.draining = True
            super().handle_exit(sig, frame)
            if sig == signal.SIGTERM:  # the end that was asked for is no failure
                self._captured_signals.clear()

    return Server(config)


def _listening(host: str, port: int) -> socket.socket:
    """A socket at an address. Raises OSError that names it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise OSError(f"{host}:{port}: {error.strerror or error}") from error
    return listening
