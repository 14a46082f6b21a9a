"""Kinfold finds every photo of the same thing.

Names are resolved when first used: ``import kinfold`` needs numpy alone.
"""

from __future__ import annotations

import importlib
from typing import Any

from kinfold.base.moved import forward

__version__ = "0.1.0"

# Public name -> module that holds it.
_PUBLIC = {
    "FileFormatError": "kinfold.base.errors",
    "GalleryError": "kinfold.base.errors",
    "KinfoldError": "kinfold.base.errors",
    "MissingExtraError": "kinfold.base.errors",
    "NotTrainedError": "kinfold.base.errors",
    "RecallError": "kinfold.base.errors",
    "ServerError": "kinfold.base.errors",
    "WorkerError": "kinfold.base.errors",
    "LocalFeatures": "kinfold.base.local_features",
    "exact_neighbours": "kinfold.base.neighbours",
    "Neighbours": "kinfold.base.ranking",
    "Ranking": "kinfold.base.ranking",
    "get_threads": "kinfold.base.threads",
    "set_threads": "kinfold.base.threads",
    "use_threads": "kinfold.base.threads",
    "show_config": "kinfold.base.config",
    "load": "kinfold.io.kin",
    "save": "kinfold.io.kin",
    "Index": "kinfold.index.base",
    "FlatIndex": "kinfold.index.flat",
    "CellIndex": "kinfold.index.cells",
    "CandidateIndex": "kinfold.index.candidates",
    "HammingIndex": "kinfold.index.hamming",
    "KDForest": "kinfold.index.proposers.kd_forest",
    "HashTables": "kinfold.index.proposers.hash_tables",
    "SignQuantizer": "kinfold.quantize.sign",
    "KDTree": "kinfold.index.kd_tree",
    "TreeIndex": "kinfold.index.trees",
    "RegionalIndex": "kinfold.index.regional",
    "from_faiss": "kinfold.index.from_faiss",
    "index_factory": "kinfold.index.factory",
    "ShardedIndex": "kinfold.shards.sharded",
    "KMeans": "kinfold.quantize.kmeans",
    "LocallyOptimizedPQ": "kinfold.quantize.local",
    "OPQ": "kinfold.quantize.optimized",
    "ProductQuantizer": "kinfold.quantize.product",
    "VectorQuantizer": "kinfold.quantize.vector",
    "Rotation": "kinfold.transform.rotation",
    "PCA": "kinfold.transform.pca",
    "LearnedWhitening": "kinfold.transform.learned_whitening",
    "KNNGraph": "kinfold.graph.knn",
    "KNNLists": "kinfold.graph.lists",
    "Diffusion": "kinfold.graph.diffusion",
    "OfflineDiffusion": "kinfold.graph.offline",
    "RandomWalk": "kinfold.graph.random_walk",
    "RegionalDiffusion": "kinfold.graph.regional",
    "SpectralRanking": "kinfold.graph.spectral",
    "TruncatedDiffusion": "kinfold.graph.truncated",
    "KNNClassifier": "kinfold.classify.knn",
    "NBNN": "kinfold.classify.nbnn",
    "LocalNBNN": "kinfold.classify.local_nbnn",
    "Isomap": "kinfold.manifold.isomap",
    "KernelPCA": "kinfold.manifold.kernel_pca",
    "LaplacianEigenmaps": "kinfold.manifold.laplacian",
    "LocallyLinearEmbedding": "kinfold.manifold.lle",
    "LocalPCA": "kinfold.manifold.local_pca",
    "ASMK": "kinfold.words.asmk",
    "BagOfWords": "kinfold.words.bag_of_words",
    "HammingEmbedding": "kinfold.words.hamming_embedding",
    "VisualWords": "kinfold.words.words",
    "FisherVector": "kinfold.aggregate.fisher",
    "TEmbedding": "kinfold.aggregate.t_embedding",
    "VLAD": "kinfold.aggregate.vlad",
    "SIFT": "kinfold.local.sift",
    "Adapter": "kinfold.learn.adapter",
    "DrLIM": "kinfold.learn.drlim",
    "Extractor": "kinfold.features.extract",
    "RegionalExtractor": "kinfold.features.regional",
    "Gallery": "kinfold.gallery",
    "Client": "kinfold.serve.client",
}
_ROOMS = (
    "aggregate", "base", "classify", "datasets", "evaluate", "features", "gallery", "graph", "images", "index",
    "io", "landmarks", "learn", "local", "manifold", "quantize", "report", "rerank", "serve", "shards", "transform",
    "words", "workers",
)  # fmt: skip

__all__ = [*_PUBLIC, "__version__"]


forward()


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return importlib.import_module(f"kinfold.{name}")
    raise AttributeError(f"module 'kinfold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
