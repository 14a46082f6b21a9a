"""Neighbours to a graph, and flows on it."""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "KNN": "kinfold.graph.knn:KNNGraph",
    "Offline": "kinfold.graph.offline:OfflineDiffusion",
    "Spectral": "kinfold.graph.spectral:SpectralRanking",
    "KNNLists": "kinfold.graph.lists:KNNLists",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    Diffusion="kinfold.graph.diffusion",
    RandomWalk="kinfold.graph.random_walk",
    TruncatedDiffusion="kinfold.graph.truncated",
    RegionalDiffusion="kinfold.graph.regional",
    connected_components="kinfold.graph.communities",
    communities="kinfold.graph.communities",
    members="kinfold.graph.communities",
    modularity="kinfold.graph.communities",
    suited_alpha="kinfold.graph.reach",
    suited_graph="kinfold.graph.reach",
)
