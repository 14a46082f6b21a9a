"""A folder of photos made searchable: the whole chain in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery

# What of a photo becomes its one vector. A new engine is one file and one line.
METHODS: dict[str, str] = {
    "vlad": "kinfold.gallery.engines.vlad:VLADEngine",
    "cnn": "kinfold.gallery.engines.cnn:CNNEngine",
}

__all__ = ["METHODS", "Gallery"]


def __getattr__(name: str) -> Any:
    if name == "Gallery":
        from kinfold.gallery.gallery import Gallery

        return Gallery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
