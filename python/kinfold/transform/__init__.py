"""Descriptors to better descriptors: PCA, whitening, rotation, normalisation."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "PCA": "kinfold.transform.pca:PCA",
    "LearnedWhitening": "kinfold.transform.learned_whitening:LearnedWhitening",
    "Rotation": "kinfold.transform.rotation:Rotation",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    l2_normalize="kinfold.transform.normalize",
    power_normalize="kinfold.transform.normalize",
)
