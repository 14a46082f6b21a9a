"""Vectors to coordinates that follow the shape of the data."""

METHODS: dict[str, str] = {
    "Isomap": "kinfold.manifold.isomap:Isomap",
    "KernelPCA": "kinfold.manifold.kernel_pca:KernelPCA",
    "LaplacianEigenmaps": "kinfold.manifold.laplacian:LaplacianEigenmaps",
    "LLE": "kinfold.manifold.lle:LocallyLinearEmbedding",
    "LocalPCA": "kinfold.manifold.local_pca:LocalPCA",
}
