"""Neighbours to a graph, and flows on it."""

METHODS: dict[str, str] = {
    "KNN": "kinfold.graph.knn:KNNGraph",
}
