"""Pictures of a gallery's photos: made when they are asked for, kept as far as there is room, without anything else."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from kinfold.gallery.photo import Photo, known_file
from kinfold.serve.decoder import Decoder
from kinfold.serve.errors import Refused

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """What was used last, by key, up to a size; values that are larger than all of it are not kept."""

    def __init__(self, most: int) -> None:
        self._most, self.size = most, 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep a value; what was used longest ago makes room."""
        with self._lock:
            self.size -= self._values.pop(key, (None, 0))[1]
            if size > self._most:
                return
            self._values[key] = value, size
            self.size += size
            while self.size > self._most:
                self.size -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._values.clear()
            self.size = 0

    def __len__(self) -> int:
        return len(self._values)


class Pictures:
    """Thumbnails, and larger pictures, of photos.

    most : bytes kept
    """

    def __init__(self, decoder: Decoder, most: int) -> None:
        self._decoder, self._kept = decoder, Kept[tuple[str, int], bytes](most)

    def of(self, photo: Photo, root: Path, side: int) -> bytes:
        """A JPEG file. Raises Refused for a photo whose file is gone or is another now, ImageError."""
        key = str(photo.digest), side
        made = self._kept.get(key)
        if made is None:
            file = known_file(root, photo)
            if file is None:
                raise Refused(
                    404,
                    "the photo's file is gone, or was changed since it was indexed",
                    code="missing",
                )
            made = self._decoder.thumbnail(file, side)
            self._kept.put(key, made, len(made))
        return made

    def of_sent(self, token: str, data: bytes, side: int) -> bytes:
        """A JPEG file of a photo that was sent. Raises ImageError."""
        key = f"sent {token}", side
        made = self._kept.get(key)
        if made is None:
            made = self._decoder.thumbnail(data, side)
            self._kept.put(key, made, len(made))
        return made

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._kept.size
