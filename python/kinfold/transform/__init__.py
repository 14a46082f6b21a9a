"""Descriptors to better descriptors: PCA, whitening, rotation, normalisation."""

METHODS: dict[str, str] = {
    "PCA": "kinfold.transform.pca:PCA",
    "LearnedWhitening": "kinfold.transform.learned_whitening:LearnedWhitening",
    "Rotation": "kinfold.transform.rotation:Rotation",
}
