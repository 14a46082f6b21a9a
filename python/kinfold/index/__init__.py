"""Queries to a first ranking."""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "Flat": Entry("kinfold.index.flat:FlatIndex", spelling="Flat"),
    "Trees": Entry("kinfold.index.trees:TreeIndex", spelling="KDTree"),
    "Cells": "kinfold.index.cells:CellIndex",
    "Candidates": "kinfold.index.candidates:CandidateIndex",
    "Hamming": "kinfold.index.hamming:HammingIndex",
    "Regional": "kinfold.index.regional:RegionalIndex",
    # As SciPy's, over an array that stays as it is; the index that "KDTree" spells is TreeIndex.
    "KDTree": "kinfold.index.kd_tree:KDTree",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    KDForest="kinfold.index.proposers.kd_forest",
    HashTables="kinfold.index.proposers.hash_tables",
    index_factory="kinfold.index.factory",
    from_faiss="kinfold.index.from_faiss",
    multi_sequence="kinfold.index.coarse.multi",
    cross_match="kinfold.index.regional",
    exact_neighbours="kinfold.base.neighbours",
)
