"""Descriptors to better descriptors: PCA, whitening, rotation, normalisation."""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "PCA": Entry("kinfold.transform.pca:PCA", slot="transform", spelling="PCA{dim}|PCAW{dim}"),
    "LearnedWhitening": "kinfold.transform.learned_whitening:LearnedWhitening",
    "Rotation": Entry(
        "kinfold.transform.rotation:Rotation", slot="transform", spelling="RR[{dim}]"
    ),
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    l2_normalize="kinfold.transform.normalize",
    power_normalize="kinfold.transform.normalize",
)
