"""Queries to a first ranking."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "Flat": "kinfold.index.flat:FlatIndex",
    "KDTree": "kinfold.index.kd_tree:KDTree",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    CellIndex="kinfold.index.cells",
    CandidateIndex="kinfold.index.candidates",
    HammingIndex="kinfold.index.hamming",
    RegionalIndex="kinfold.index.regional",
    KDForest="kinfold.index.proposers.kd_forest",
    HashTables="kinfold.index.proposers.hash_tables",
    index_factory="kinfold.index.factory",
    from_faiss="kinfold.index.from_faiss",
    multi_sequence="kinfold.index.coarse.multi",
    cross_match="kinfold.index.regional",
    exact_neighbours="kinfold.base.neighbours",
)
