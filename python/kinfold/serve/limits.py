"""How much a server takes on, and who may reach it."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether only programs of the same machine reach this address.

    Examples
    --------
    >>> from kinfold.serve.limits import is_loopback
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Limits:
    """What bounds a server.

    host : the address that it listens at
    token : what every request must present; needed for any address that others reach
    names : further names by which it may be asked for, such as that of a proxy before it
    upload_bytes : of one request
    pixels : that a photo may claim which is sent
    decode_seconds : for one photo, after which its decoder is ended
    request_seconds : after which a request is answered with what it did not get
    threads : that search at once
    waiting : requests that wait for these at most; more are told to come again
    kept_bytes : of photos sent lately, so that they can be asked with again without being sent
    picture_bytes : of thumbnails kept
    drain_seconds : for what is being answered when the server is told to stop
    Raises ValueError for an address that others reach without a token.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    names: tuple[str, ...] = ()
    upload_bytes: int = 32 << 20
    pixels: int = 50_000_000
    decode_seconds: float = 20.0
    request_seconds: float = 60.0
    threads: int = field(default_factory=lambda: max(2, min(8, os.cpu_count() or 1)))
    waiting: int = 64
    kept_bytes: int = 256 << 20
    picture_bytes: int = 64 << 20
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.token is not None and not (
            len(self.token) >= 8 and self.token.isascii() and self.token.isalnum()
        ):
            raise ValueError("token: expected at least 8 letters and digits")
        if not is_loopback(self.host) and self.token is None:
            raise ValueError(
                f"host: {self.host} can be reached by others, so a token is needed (--token)"
            )
