"""A folder of photos made searchable: the whole chain in one object.

    gallery     Gallery: open, create, close, and one line to each of the parts below
    overview    its questions beside search: matches, groups, locate, info
      write/      create  update = compare > keep (describe) > build (learn, index, graph)      changes files
      watch       update, whenever photos come, change or leave
      views/      judge  groups  locate  page  explain                                       looks at a snapshot
      matches     pairs of photos, verified: kept in the folder, gone on with          looks at a reader
      photo_filter  who may answer: by folder, date, id                               looks at the table
      search      describe > rank > second looks > judge > hits                        looks at a snapshot
      hits        the hits of a query, each with a verdict: found, alike, save, notebooks
        judge       confirmed by geometry, directly or through others; confidence, learnt in write/confident
        reader      Snapshot: parts, table, segments of one moment; Reader opens them
          parts       model + fused (vectors, the index under them, inverted files) + graph, of one manifest
          segments    local features, networks' descriptors and regions of a few dozen photos a file
          photos      the table: which files were seen, and where their features lie
            store       the folder: parts under the digest of their content, the manifest last; lock, own

What a photo becomes is for ``engines/`` to say, one file each; they are learnt together as a ``model`` and compared as
``fused``. Imports go down this page; nothing below ``gallery`` knows the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinfold.gallery.batches import BatchDescriber
    from kinfold.gallery.gallery import Gallery
    from kinfold.gallery.photo_filter import PhotoFilter

# What of a photo is compared: a vector, or a set in an inverted file. A new engine is one file and one line.
METHODS: dict[str, str] = {
    "bow": "kinfold.gallery.engines.bow:BoWEngine",
    "vlad": "kinfold.gallery.engines.vlad:VLADEngine",
    "fisher": "kinfold.gallery.engines.fisher:FisherEngine",
    "tembedding": "kinfold.gallery.engines.tembedding:TEmbeddingEngine",
    "cnn": "kinfold.gallery.engines.cnn:CNNEngine",
    "colour": "kinfold.gallery.engines.colour:ColourEngine",
    "regions": "kinfold.gallery.engines.regions:RegionsEngine",
    "asmk": "kinfold.gallery.engines.asmk:ASMKEngine",
}

# What of a gallery is saved.
SAVED: dict[str, str] = {
    "Model": "kinfold.gallery.model:Model",
    "Near": "kinfold.gallery.near:Near",
    "Added": "kinfold.gallery.added:Added",
    "VectorSearch": "kinfold.gallery.vector_search:VectorSearch",
    "Segment": "kinfold.gallery.segment:PhotoSegment",
    "Confidence": "kinfold.gallery.confidence:Confidence",
}

__all__ = ["METHODS", "BatchDescriber", "Gallery", "PhotoFilter"]


def __getattr__(name: str) -> Any:
    if name == "Gallery":
        from kinfold.gallery.gallery import Gallery

        return Gallery
    if name == "PhotoFilter":
        from kinfold.gallery.photo_filter import PhotoFilter

        return PhotoFilter
    if name == "BatchDescriber":
        from kinfold.gallery.batches import BatchDescriber

        return BatchDescriber
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
