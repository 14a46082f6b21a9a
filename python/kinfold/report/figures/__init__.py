"""The figures of the subject that are computations, drawn from what this package computes. Each is listed here."""

from __future__ import annotations

from dataclasses import dataclass

_HERE = "kinfold.report.figures."


@dataclass(frozen=True)
class Figure:
    """One figure.

    target : module:function that takes the path of a PNG; its documentation is the caption
    title : what it shows
    classes : the names that compute it
    weights : whether the function takes a network's weights, too
    moving : whether it also draws a GIF, where the path ends so
    """

    target: str
    title: str
    classes: tuple[str, ...]
    weights: bool = False
    moving: bool = False


FIGURES: dict[str, Figure] = {
    "ranked-list": Figure(
        _HERE + "ranked_list:ranked_list",
        "Average precision of a ranked list",
        ("evaluate.average_precision",),
    ),
    "kd-tree": Figure(_HERE + "trees:kd_tree", "The k-d tree", ("KDTree",)),
    "kd-forest": Figure(
        _HERE + "trees:kd_forest",
        "Randomized k-d trees and their queue",
        ("KDForest",),
    ),
    "hyperplanes": Figure(
        _HERE + "codes:hyperplanes", "Locality-sensitive hashing", ("SignQuantizer",)
    ),
    "quantizers": Figure(
        _HERE + "codes:quantizers",
        "Vector and product quantization",
        ("KMeans", "ProductQuantizer"),
    ),
    "inverted-lists": Figure(
        _HERE + "lists:inverted_lists", "Inverted lists and residuals", ("CellIndex",)
    ),
    "multi-index": Figure(
        _HERE + "lists:multi_index", "The inverted multi-index", ("index.multi_sequence",)
    ),
    "rotations": Figure(
        _HERE + "codes:rotations",
        "PCA, optimized and locally optimized product quantization",
        ("PCA", "OPQ", "LocallyOptimizedPQ"),
    ),
    "local-pca": Figure(_HERE + "codes:local_pca", "Local PCA", ("LocalPCA",)),
    "triangulation": Figure(
        _HERE + "triangulation:triangulation",
        "The geometry of triangulation embedding",
        ("TEmbedding",),
    ),
    "roll": Figure(
        _HERE + "embeddings:roll",
        "A roll unrolled",
        ("Isomap", "KernelPCA", "LocallyLinearEmbedding", "LaplacianEigenmaps", "PCA"),
    ),
    "poses": Figure(
        _HERE + "poses:poses",
        "An airplane's poses on a cylinder",
        ("DrLIM", "learn.similar.pose_pairs", "datasets.airplane"),
    ),
    "losses": Figure(
        _HERE + "losses:losses",
        "Contrastive and triplet losses",
        ("learn.losses.ContrastiveLoss", "learn.losses.TripletLoss"),
    ),
    "context": Figure(
        _HERE + "photos:context",
        "Patches whose relative position is learnt",
        ("learn.context_prediction",),
    ),
    "nearest-patches": Figure(
        _HERE + "patches:nearest_patches",
        "Patches, and those that networks find nearest",
        ("Extractor", "learn.context_prediction"),
        weights=True,
    ),
    "video-pairs": Figure(
        _HERE + "tracks:video_pairs",
        "Pairs that are tracked in a video",
        ("learn.mine.mine_tracks", "local.KCF", "local.motion"),
    ),
    "regions": Figure(
        _HERE + "photos:regions", "The regions of R-MAC", ("features.pool.rmac.RMAC",)
    ),
    "mac-match": Figure(
        _HERE + "photos:mac_match",
        "What makes two photos alike by MAC",
        ("features.explain_match",),
        weights=True,
    ),
    "channels": Figure(
        _HERE + "photos:channels",
        "Channels and places that CroW weighs",
        ("features.sparse_channels",),
        weights=True,
    ),
    "network-ranking": Figure(
        _HERE + "photos:network_ranking",
        "Photos ranked by each layer of a network",
        ("Extractor",),
        weights=True,
    ),
    "manifold-walk": Figure(
        _HERE + "flows:one_query",
        "Ranking on a manifold, frame by frame",
        ("RandomWalk", "Diffusion"),
        moving=True,
    ),
    "manifold-queries": Figure(
        _HERE + "flows:several_queries",
        "Ranking on a manifold from several queries",
        ("RandomWalk", "Diffusion"),
        moving=True,
    ),
    "mined-sets": Figure(
        _HERE + "flows:mined_sets",
        "Hard examples that a manifold tells",
        ("learn.mine.mine_on_manifold",),
    ),
}
