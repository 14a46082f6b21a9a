"""Pixels to local features; matching, spatial verification, and what is kept of it."""

from kinfold.base.offered import offered

METHODS = {"Matches": "kinfold.local.match_graph:MatchGraph"}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    KCF="kinfold.local.kcf",
    SIFT="kinfold.local.sift",
    root_sift="kinfold.local.sift",
    match_many="kinfold.local.match",
    match_words="kinfold.local.match",
    verify_many="kinfold.local.verify",
    match="kinfold.local.match",
    verify="kinfold.local.verify",
    hog="kinfold.local.hog",
    motion="kinfold.local.motion",
    # Where they were before they had rooms of their own.
    VisualWords="kinfold.words.words",
    ASMK="kinfold.words.asmk",
    BagOfWords="kinfold.words.bag_of_words",
    HammingEmbedding="kinfold.words.hamming_embedding",
    VLAD="kinfold.aggregate.vlad",
    FisherVector="kinfold.aggregate.fisher",
    TEmbedding="kinfold.aggregate.t_embedding",
)
