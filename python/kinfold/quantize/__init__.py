"""Descriptors to codes: k-means, product quantization and its kin."""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "KMeans": "kinfold.quantize.kmeans:KMeans",
    "Sign": Entry("kinfold.quantize.sign:SignQuantizer", slot="signs", spelling="LSH{bits}"),
    "VQ": "kinfold.quantize.vector:VectorQuantizer",
    "PQ": "kinfold.quantize.product:ProductQuantizer",
    "OPQ": Entry("kinfold.quantize.optimized:OPQ", slot="transform", spelling="OPQ{m}[_{dim}]"),
    "LOPQ": "kinfold.quantize.local:LocallyOptimizedPQ",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    assign="kinfold.quantize.kmeans",
)
