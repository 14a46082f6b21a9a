"""A folder of photos made searchable: the whole chain in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery

# What of a photo is compared: a vector, or a set in an inverted file. A new engine is one file and one line.
METHODS: dict[str, str] = {
    "bow": "kinfold.gallery.engines.bow:BoWEngine",
    "vlad": "kinfold.gallery.engines.vlad:VLADEngine",
    "tembedding": "kinfold.gallery.engines.tembedding:TEmbeddingEngine",
    "cnn": "kinfold.gallery.engines.cnn:CNNEngine",
    "colour": "kinfold.gallery.engines.colour:ColourEngine",
    "asmk": "kinfold.gallery.engines.asmk:ASMKEngine",
}

# What of a gallery is saved.
SAVED: dict[str, str] = {
    "Model": "kinfold.gallery.model:Model",
    "Segment": "kinfold.gallery.segment:Segment",
}
# Networks that a gallery may describe photos by.
MOST_NETWORKS = 4
# The way back from a gallery that this version cannot go on with.
REMAKE = "kinfold index PHOTOS -o GALLERY --remake makes it anew from the photos"

__all__ = ["METHODS", "Gallery"]


def __getattr__(name: str) -> Any:
    if name == "Gallery":
        from kinfold.gallery.gallery import Gallery

        return Gallery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
