"""The fingerprint of a file's content: equal bytes, equal digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def content_digest(path: str | os.PathLike[str] | bytes) -> str:
    """BLAKE2b of a file's bytes, 40 hexadecimal digits; or of bytes at hand. OSError where it cannot be read."""
    digest = hashlib.blake2b(digest_size=20)
    if isinstance(path, bytes):
        digest.update(path)
        return digest.hexdigest()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
