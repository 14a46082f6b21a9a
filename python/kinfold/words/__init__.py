"""Local features as visual words, and the inverted files of photos that share them."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "Words": "kinfold.words.words:VisualWords",
    "ASMK": "kinfold.words.asmk:ASMK",
    "BoW": "kinfold.words.bag_of_words:BagOfWords",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    HammingEmbedding="kinfold.words.hamming_embedding",
)
