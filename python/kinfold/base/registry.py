"""Finds methods by name. A room's ``__init__`` holds its catalogue: name -> "module:attribute".

Factory, command-line choices, saved kinds, documentation and the general tests are driven by the
catalogues, so a new method is one file and one line.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from kinfold.base.errors import FileFormatError

# Rooms whose METHODS can be saved; looked up by name so that this floor imports nothing above it.
ROOMS = ("transform", "quantize", "index", "graph", "manifold", "local", "features")
# Kinds that are saved but not chosen by name.
PARTS = {
    "index.Cells": "kinfold.index.cells:CellIndex",
    "index.Candidates": "kinfold.index.candidates:CandidateIndex",
    "index.Hamming": "kinfold.index.hamming:HammingIndex",
    "index.Trees": "kinfold.index.trees:TreeIndex",
    "index.KDForest": "kinfold.index.proposers.kd_forest:KDForest",
    "index.HashTables": "kinfold.index.proposers.hash_tables:HashTables",
    "index.Regional": "kinfold.index.regional:RegionalIndex",
    "index.SingleCell": "kinfold.index.coarse.single:SingleCell",
    "index.KMeansCells": "kinfold.index.coarse.kmeans:KMeansCells",
    "index.MultiCells": "kinfold.index.coarse.multi:MultiCells",
    "index.RawVectors": "kinfold.index.codecs.raw:RawVectors",
    "index.ByteVectors": "kinfold.index.codecs.raw:ByteVectors",
    "index.ProductCodes": "kinfold.index.codecs.product:ProductCodes",
    "index.LocalCodes": "kinfold.index.codecs.local:LocalCodes",
    "index.LocalHalves": "kinfold.index.codecs.local:LocalHalves",
    "gallery.Segment": "kinfold.gallery.segment:Segment",
    "gallery.Model": "kinfold.gallery.model:Model",
}


def resolve(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def catalogue(room: str) -> Mapping[str, str]:
    """The METHODS of a room."""
    methods: Mapping[str, str] = importlib.import_module(f"kinfold.{room}").METHODS
    return methods


def find(room: str, name: str) -> Any:
    """A room's method by name, or ValueError with the names that there are."""
    methods = catalogue(room)
    if name not in methods:
        raise ValueError(f"{room}: expected one of {', '.join(methods)}, got {name!r}")
    return resolve(methods[name])


def kinds() -> dict[str, str]:
    """All kinds that can be saved: kind -> "module:class"."""
    chosen = {
        f"{room}.{name}": target for room in ROOMS for name, target in catalogue(room).items()
    }
    return {**chosen, **PARTS}


def class_of(kind: str) -> Any:
    """The class of a saved kind such as "index.Flat"."""
    known = kinds()
    if kind not in known:
        raise FileFormatError(f"kind: this version of kinfold does not know {kind!r}")
    return resolve(known[kind])
