"""Neighbours to a graph, and flows on it."""

METHODS: dict[str, str] = {
    "KNN": "kinfold.graph.knn:KNNGraph",
    "Offline": "kinfold.graph.offline:OfflineDiffusion",
    "Spectral": "kinfold.graph.spectral:SpectralRanking",
    "KNNLists": "kinfold.graph.lists:KNNLists",
}
