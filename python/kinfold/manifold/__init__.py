"""Vectors to coordinates that follow the shape of the data."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "Isomap": "kinfold.manifold.isomap:Isomap",
    "KernelPCA": "kinfold.manifold.kernel_pca:KernelPCA",
    "LaplacianEigenmaps": "kinfold.manifold.laplacian:LaplacianEigenmaps",
    "LLE": "kinfold.manifold.lle:LocallyLinearEmbedding",
    "LocalPCA": "kinfold.manifold.local_pca:LocalPCA",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
)
