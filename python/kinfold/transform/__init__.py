"""Descriptors to better descriptors: PCA, whitening, normalisation."""

METHODS: dict[str, str] = {
    "PCA": "kinfold.transform.pca:PCA",
}
