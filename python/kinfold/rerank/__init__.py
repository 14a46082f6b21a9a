"""A second look: a ranking to a better ranking."""

METHODS: dict[str, str] = {
    "spatial": "kinfold.rerank.spatial:spatial_rerank",
    "diffusion": "kinfold.rerank.diffusion:diffusion_rerank",
    "k-reciprocal": "kinfold.rerank.k_reciprocal:k_reciprocal_rerank",
    "vectors": "kinfold.rerank.vectors:rerank",
    "aqe": "kinfold.rerank.query_expansion:average_query_expansion",
    "alpha-qe": "kinfold.rerank.query_expansion:alpha_query_expansion",
    "dba": "kinfold.rerank.query_expansion:database_augmentation",
}
