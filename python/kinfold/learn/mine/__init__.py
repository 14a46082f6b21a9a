"""What to learn from: pairs and triplets found among descriptors. Each miner is listed here.

A miner is called with descriptors (n, d) and labels (n,) of one batch, as tensors or arrays, and gives
``Triplets`` of rows, in order, or none. Distances are those of ``kf.FlatIndex``. What is random follows torch's
generator, which ``learn.loop`` seeds.
"""

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "all-valid": "kinfold.learn.mine.all_valid:AllValid",
    "hardest": "kinfold.learn.mine.hardest:Hardest",
    "semi-hard": "kinfold.learn.mine.semi_hard:SemiHard",
    "distance-weighted": "kinfold.learn.mine.distance_weighted:DistanceWeighted",
    "one-per-class": "kinfold.learn.mine.one_per_class:OnePerClass",
}

__getattr__, __dir__ = offered(
    __name__,
    METHODS,
    Pairs="kinfold.learn.mine.found",
    Triplets="kinfold.learn.mine.found",
    DescriptorQueue="kinfold.learn.mine.queue",
    HardNegatives="kinfold.learn.mine.hard_negatives",
    Matching="kinfold.learn.mine.matching",
    NonMatching="kinfold.learn.mine.non_matching",
    SfMTuples="kinfold.learn.mine.sfm_tuples",
    AcrossPairs="kinfold.learn.mine.across_pairs",
    TrackedPairs="kinfold.learn.mine.tracks",
    mine_tracks="kinfold.learn.mine.tracks",
    ManifoldSets="kinfold.learn.mine.on_manifold",
    find_anchors="kinfold.learn.mine.on_manifold",
    mine_on_manifold="kinfold.learn.mine.on_manifold",
    stationary_distribution="kinfold.learn.mine.on_manifold",
)
