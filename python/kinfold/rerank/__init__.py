"""A second look: a ranking to a better ranking.

    stage        Stage: what it needs, and Ranking -> Ranking; Asked: the queries and what is at hand
      spatial, spatial_expansion                need photos: verified first; search again with what was verified
      confirmed                                 needs photos and their graph: what geometry confirms, first
      along_graph                               need a graph: diffusion, random walk
      query_expansion, k_reciprocal             need vectors: search again; shared neighbours
      regions, regional_diffusion               need the regions of queries and photos: all matched; their graph
    pipeline     stages by name, one after the other; each is refused, before any work, where what it needs is missing
    vectors      one of them, from the answer of an index

A stage that needs something new adds a field to ``Asked``; a new stage is one file and one line of ``METHODS``. The
functions beside the stages do one thing each and know nothing of them.
"""

from kinfold.base.offered import call_by_name, offered

METHODS: dict[str, str] = {
    "spatial": "kinfold.rerank.spatial:SpatialStage",
    "aqe": "kinfold.rerank.query_expansion:AverageExpansionStage",
    "alpha-qe": "kinfold.rerank.query_expansion:AlphaExpansionStage",
    "dba": "kinfold.rerank.query_expansion:AugmentationStage",
    "k-reciprocal": "kinfold.rerank.k_reciprocal:KReciprocalStage",
    "diffusion": "kinfold.rerank.along_graph:DiffusionStage",
    "diffusion-lecture": "kinfold.rerank.along_graph:LectureDiffusionStage",
    "random-walk": "kinfold.rerank.along_graph:RandomWalkStage",
    "expansion": "kinfold.rerank.spatial_expansion:ExpansionStage",
    "confirmed": "kinfold.rerank.confirmed:ConfirmedStage",
    "regions": "kinfold.rerank.regions:RegionsStage",
    "regional-diffusion": "kinfold.rerank.regional_diffusion:RegionalDiffusionStage",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    Asked="kinfold.rerank.stage",
    Stage="kinfold.rerank.stage",
    alpha_query_expansion="kinfold.rerank.query_expansion",
    average_query_expansion="kinfold.rerank.query_expansion",
    database_augmentation="kinfold.rerank.query_expansion",
    diffusion_rerank="kinfold.rerank.diffusion",
    expand_features="kinfold.rerank.spatial_expansion",
    k_reciprocal_rerank="kinfold.rerank.k_reciprocal",
    rerank="kinfold.rerank.vectors",
    rerank_by="kinfold.rerank.pipeline",
    spatial_rerank="kinfold.rerank.spatial",
)
call_by_name(__name__)
