"""A second look: a ranking to a better ranking."""

from kinfold.base.offered import call_by_name, offered

METHODS: dict[str, str] = {
    "spatial": "kinfold.rerank.spatial:spatial_rerank",
    "diffusion": "kinfold.rerank.diffusion:diffusion_rerank",
    "k-reciprocal": "kinfold.rerank.k_reciprocal:k_reciprocal_rerank",
    "vectors": "kinfold.rerank.vectors:rerank",
    "aqe": "kinfold.rerank.query_expansion:average_query_expansion",
    "alpha-qe": "kinfold.rerank.query_expansion:alpha_query_expansion",
    "dba": "kinfold.rerank.query_expansion:database_augmentation",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    expand_features="kinfold.rerank.spatial_expansion",
)
call_by_name(__name__)
