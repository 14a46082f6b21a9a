"""Queries to a first ranking.

What an index is made of:

    Index (base)                  check, prepare, ask, wrap: search and range_search are written here, once
      ├─ FlatIndex                one block of vectors that grows, an 8-bit copy beside it
      └─ SegmentedIndex           rows in sealed segments, sorted by cell (rows); Keys of kinfold.store hold them
           ├─ CellIndex           transform ─► coarse ─► codec ─► second look: lists of codes
           │                        coarse/   which cell: SingleCell, KMeansCells, MultiCells
           │                        codecs/   what is kept: RawVectors, ByteVectors, ProductCodes, ...
           │                        fine      the vectors of the second look
           ├─ CandidateIndex      rows that a proposer names (proposers/: KDForest, HashTables), vectors of a codec
           ├─ HammingIndex        signs ─► bits, and a second look
           └─ TreeIndex           a k-d tree each segment
    RegionalIndex                 items of several vectors each; a shortlist may come from any of the above

How a query walks:

    index.search(x, k, nprobe=16)
      └─ base      options by name, x to float32 (n, d), the filter to marks of rows
           └─ _ask   x through the transform, then the compiled search: cells, rows, the k best, the second look
    Neighbours(distances, ids) ◄─ nearest first, ties by the smaller id

How a row walks:

    index.add(x)
      └─ segmented   pieces of x to rows (_encoded), rows sorted by cell and packed as the engine reads them (seal)
           └─ store    ids issued, segments of like size merged, and all of it swapped in at once
"""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "Flat": Entry("kinfold.index.flat:FlatIndex", slot="index", spelling="Flat"),
    "Trees": Entry("kinfold.index.trees:TreeIndex", slot="index", spelling="KDTree"),
    "Cells": "kinfold.index.cells:CellIndex",
    "Candidates": "kinfold.index.candidates:CandidateIndex",
    "Hamming": Entry("kinfold.index.hamming:HammingIndex", slot="index", spelling="BFlat"),
    "Regional": "kinfold.index.regional:RegionalIndex",
    # As SciPy's, over an array that stays as it is; the index that "KDTree" spells is TreeIndex.
    "KDTree": "kinfold.index.kd_tree:KDTree",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    Index="kinfold.index.base",
    KDForest="kinfold.index.proposers.kd_forest",
    HashTables="kinfold.index.proposers.hash_tables",
    index_factory="kinfold.index.factory",
    from_faiss="kinfold.index.from_faiss",
    multi_sequence="kinfold.index.coarse.multi",
    cross_match="kinfold.index.regional",
    exact_neighbours="kinfold.base.neighbours",
)
