"""The systems whose figures the lecture prints: rankings of a collection, learnt on another one.

Local features are OpenCV's SIFT where the papers had Hessian-affine regions: figures may differ by that. The
parentheses of the lecture are more descriptors a photo (ASMK), more dimensions (triangulation embedding), 21 regions
in place of one descriptor (diffusion), Paris in place of Oxford (mining).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from kinfold.aggregate.t_embedding import TEmbedding
from kinfold.base.neighbours import exact_neighbours
from kinfold.base.ranking import Ranking
from kinfold.datasets.collection import Collection
from kinfold.features.extract import Extractor
from kinfold.features.regional import RegionalExtractor
from kinfold.graph.regional import gmp_weights
from kinfold.index.regional import RegionalIndex
from kinfold.local.sift import SIFT, root_sift
from kinfold.transform.pca import PCA
from kinfold.words.words import VisualWords

Array = NDArray[np.float32]
SIDE, WORDS = 1024, 1 << 16


def _local(photos: Iterable[Any], most: int) -> list[Array]:
    sift = SIFT(max_features=most, max_side=SIDE)
    return [root_sift(sift.extract(pixels).descriptors) for pixels in photos]


def asmk(row: Any, weights: Path | None, collection: Collection, other: Collection) -> Ranking:
    """65,536 words, vectors, alpha 3, tau 0, five words of each descriptor of a query; dim: descriptors a photo."""
    learnt = np.concatenate(_local(other.photos(max_side=SIDE), row.dim))
    words = VisualWords(WORDS).fit(learnt)
    model = kf.ASMK(words, alpha=3, tau=0, multiple=5, binarize="none", centred=True).fit(learnt)
    model.add(_local(collection.photos(max_side=SIDE), row.dim))
    found = model.search(_local(collection.queries(max_side=SIDE), row.dim), k=len(model))
    return Ranking.from_ids(found.ids)


def t_embedding(
    row: Any, weights: Path | None, collection: Collection, other: Collection
) -> Ranking:
    """Democratic, turned to the axes of the other photos, as published."""
    photos = _local(other.photos(max_side=SIDE), 3000)
    model = TEmbedding(row.dim // 128 + 1, rotate=True)
    model.fit(np.concatenate(photos)[::8], photos)
    base = model.transform(_local(collection.photos(max_side=SIDE), 3000))
    asked = model.transform(_local(collection.queries(max_side=SIDE), 3000))
    return Ranking.from_ids(exact_neighbours(asked, base, len(base), metric="ip").ids)


def _regions(
    extractor: RegionalExtractor, row: Any, collection: Collection, other: Collection
) -> tuple[list[Array], list[Array]]:
    """Of photos and queries, whitened on the other collection's."""
    sample = np.concatenate(extractor.describe_all(other.photos(max_side=SIDE)))
    extractor = extractor.whitened(PCA(min(row.dim, len(sample) - 1), whiten=True).fit(sample))
    photos, queries = collection.photos(max_side=SIDE), collection.queries(max_side=SIDE)
    return extractor.describe_all(photos), extractor.describe_all(queries)


def _network(row: Any, weights: Path | None, layer: str) -> Extractor:
    return Extractor(
        weights, architecture=row.architecture, layer=layer, scales=(1.0,), max_side=SIDE
    )


def regional(row: Any, weights: Path | None, collection: Collection, other: Collection) -> Ranking:
    """30 square windows at 600 pixels, each query window against all of a photo, exhaustively."""
    extractor = RegionalExtractor(_network(row, weights, "conv5"), source="photo", side=600, grid=2)
    base, asked = _regions(extractor, row, collection, other)
    index = RegionalIndex(base[0].shape[1])
    index.add(base)
    return Ranking.from_ids(np.array([index.search(q, k=len(base)).ids for q in asked]))


def diffused(row: Any, weights: Path | None, collection: Collection, other: Collection) -> Ranking:
    """R-MAC and diffusion from 10 neighbours, alpha .99, mutual neighbours among 50."""
    base, asked = _regions(
        RegionalExtractor(_network(row, weights, "conv5")), row, collection, other
    )
    sums = [np.array([regions.sum(axis=0) for regions in side]) for side in (base, asked)]
    photos, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in sums)
    near = exact_neighbours(queries, photos, len(photos), metric="ip")
    flow = kf.Diffusion(kf.KNNGraph.build(photos, 50))
    found = kf.rerank.diffusion_rerank(flow.graph, near.distances, near.ids, k=len(photos))
    return Ranking.from_ids(found.ids)


def diffused_regions(
    row: Any, weights: Path | None, collection: Collection, other: Collection
) -> Ranking:
    """Regions, mutual neighbours among 200, generalised max pooling of what reaches a photo's."""
    base, asked = _regions(
        RegionalExtractor(_network(row, weights, "conv5")), row, collection, other
    )
    nodes = np.concatenate(base)
    owners = np.repeat(np.arange(len(base)), [len(regions) for regions in base])
    flow = kf.Diffusion(kf.KNNGraph.build(nodes, 200))
    pooled = kf.RegionalDiffusion(flow, owners, gmp_weights(nodes, owners))
    ranked = []
    for regions in asked:
        near = exact_neighbours(regions, nodes, 200, metric="ip")
        ranked.append(pooled.rank(near.distances[None], near.ids[None], k=len(base)).ids[0])
    return Ranking.from_ids(np.array(ranked))


SYSTEMS: dict[str, Callable[[Any, Path | None, Collection, Collection], Ranking]] = {
    "ASMK": asmk, "triangulation": t_embedding, "regional": regional,
    "R-MAC, diffusion": diffused, "regions, diffusion": diffused_regions,
}  # fmt: skip
