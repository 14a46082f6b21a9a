"""Descriptors to codes: k-means, product quantization and its kin."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "KMeans": "kinfold.quantize.kmeans:KMeans",
    "Sign": "kinfold.quantize.sign:SignQuantizer",
    "VQ": "kinfold.quantize.vector:VectorQuantizer",
    "PQ": "kinfold.quantize.product:ProductQuantizer",
    "OPQ": "kinfold.quantize.optimized:OPQ",
    "LOPQ": "kinfold.quantize.local:LocallyOptimizedPQ",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    assign="kinfold.quantize.kmeans",
)
