"""Pixels to local features; aggregation; spatial verification."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "VLAD": "kinfold.local.vlad:VLAD",
    "Words": "kinfold.local.words:VisualWords",
    "Fisher": "kinfold.local.fisher:FisherVector",
    "TEmbedding": "kinfold.local.t_embedding:TEmbedding",
    "ASMK": "kinfold.local.asmk:ASMK",
    "BoW": "kinfold.local.bag_of_words:BagOfWords",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    SIFT="kinfold.local.sift",
    root_sift="kinfold.local.sift",
    HammingEmbedding="kinfold.local.hamming_embedding",
    match_many="kinfold.local.match",
    match_words="kinfold.local.match",
    verify_many="kinfold.local.verify",
    match="kinfold.local.match",
    verify="kinfold.local.verify",
)
