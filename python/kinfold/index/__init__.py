"""Queries to a first ranking."""

METHODS: dict[str, str] = {
    "Flat": "kinfold.index.flat:FlatIndex",
    "KDTree": "kinfold.index.kd_tree:KDTree",
}
