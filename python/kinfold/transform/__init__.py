"""Descriptors to better descriptors: PCA, whitening, rotation, normalisation."""

METHODS: dict[str, str] = {
    "PCA": "kinfold.transform.pca:PCA",
    "Rotation": "kinfold.transform.rotation:Rotation",
}
