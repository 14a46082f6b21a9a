"""Pixels to local features; aggregation; spatial verification."""

METHODS: dict[str, str] = {
    "VLAD": "kinfold.local.vlad:VLAD",
    "Words": "kinfold.local.words:VisualWords",
    "ASMK": "kinfold.local.asmk:ASMK",
}
