"""Queries to classes, by the classes of their neighbours."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "KNN": "kinfold.classify.knn:KNNClassifier",
    "NBNN": "kinfold.classify.nbnn:NBNN",
    "LocalNBNN": "kinfold.classify.local_nbnn:LocalNBNN",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
)
