"""Pixels to local features; aggregation; spatial verification."""

METHODS: dict[str, str] = {
    "VLAD": "kinfold.local.vlad:VLAD",
    "Words": "kinfold.local.words:VisualWords",
    "Fisher": "kinfold.local.fisher:FisherVector",
    "TEmbedding": "kinfold.local.t_embedding:TEmbedding",
    "ASMK": "kinfold.local.asmk:ASMK",
    "BoW": "kinfold.local.bag_of_words:BagOfWords",
}
