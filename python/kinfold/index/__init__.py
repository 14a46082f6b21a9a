"""Queries to a first ranking."""

METHODS: dict[str, str] = {"Flat": "kinfold.index.flat:FlatIndex"}
