"""Second look along the graph of regions: diffusion among the regions of the first photos."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_number
from kinfold.base.neighbours import exact_neighbours
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.knn import KNNGraph
from kinfold.graph.regional import RegionalDiffusion, gmp_weights
from kinfold.rerank.regions import RegionalStage

SUMS = ("gmp", "sum")


class RegionalDiffusionStage(RegionalStage):
    """By diffusion among the regions of the first photos.

    k : neighbours of a region in their graph; k_query : regions that the diffusion starts from, for each of the
        query's; gamma, alpha : as of ``KNNGraph`` and ``Diffusion``
    pool : "gmp", generalised max pooling: a photo's regions count as alike; or their "sum"
    top, blend : as of ``RegionalStage``
    options : of the diffusion: iterations, tolerance
    The graph is of the regions of the first ``top`` photos alone, as for the truncated diffusion of large collections.
    Iscen, Tolias, Avrithis, Furon & Chum, CVPR 2017, sections 4.2 and 4.4.
    """

    def __init__(
        self,
        *,
        k: int = 50,
        k_query: int = 2,
        gamma: float = 3.0,
        alpha: float = 0.9,
        pool: str = "gmp",
        top: int = 100,
        blend: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(top=top, blend=blend)
        self._k, self._k_query = as_count(k, "k"), as_count(k_query, "k_query")
        self._gamma = as_number(gamma, "gamma", least=0, most=np.inf, open=True)
        self._pool = as_choice(pool, "pool", SUMS)
        self._options = {"alpha": alpha, **options}

    def scores(self, query: Vectors, regions: Vectors, starts: Ids) -> Vectors:
        """Scores of photos that the diffusion reaches are relative to the largest."""
        owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        graph = KNNGraph.build(regions, self._k, gamma=self._gamma)
        near = exact_neighbours(query, regions, min(self._k_query, len(regions)), metric="ip")
        flow = RegionalDiffusion(
            Diffusion(graph, **self._options),
            owners,
            gmp_weights(regions, owners) if self._pool == "gmp" else None,
        )
        scores = flow.scores(near.distances[None], near.ids[None])[0]
        return scores / max(float(scores.max(initial=0)), 1e-30)
