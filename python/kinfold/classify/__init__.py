"""Queries to classes, by the classes of their neighbours."""

METHODS: dict[str, str] = {
    "KNN": "kinfold.classify.knn:KNNClassifier",
    "NBNN": "kinfold.classify.nbnn:NBNN",
    "LocalNBNN": "kinfold.classify.local_nbnn:LocalNBNN",
}
