"""Ranking on the manifold: diffusion from a query, solved as a linear system."""

from __future__ import annotations

from typing import Any

from kinfold.base.arrays import Vectors
from kinfold.graph.flow import Flow
from kinfold.graph.knn import KNNGraph
from kinfold.graph.query_vector import QueryVectors


class Diffusion(Flow):
    """Scores f = (1 - alpha) (I - alpha W)^-1 y by conjugate gradients, W the normalised graph.

    graph : KNNGraph
    alpha : share that flows on at each step, in [0, 1); the nearer to 1, the further it reaches
    iterations : at most so many of conjugate gradients; 20 are about 300 steps of the random walk
    tolerance : a query stops where |y - L f| <= tolerance |y|
    query_vector : "formula" or "reference", how several points of a query are put together
    storage : "float32", or "float16": weights are rounded to 11 bits, a third less memory is read; the
        matrix changes by at most 2^-11 of its norm, scores by at most alpha / (1 - alpha) times that

    The query need not be in the graph: it enters by its nearest neighbours alone. Scores are the same
    for any number of threads, and for a query alone or among others.
    Iscen, Tolias, Avrithis, Furon & Chum, CVPR 2017, eq. 5-8.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> graph = kf.KNNGraph(10, reciprocal=False).fit(x)
    >>> scores, ids = kf.Diffusion(graph).rank([0.9, 0.8], [3, 5], k=4)
    >>> ids.shape
    (4,)
    """

    def __init__(
        self,
        graph: KNNGraph,
        *,
        alpha: float = 0.99,
        iterations: int = 20,
        tolerance: float = 1e-6,
        query_vector: str = "formula",
        storage: str = "float32",
    ) -> None:
        super().__init__(
            graph,
            alpha=alpha,
            iterations=iterations,
            tolerance=tolerance,
            query_vector=query_vector,
            storage=storage,
        )

    def _run(self, sides: QueryVectors, start: Vectors | None) -> Any:
        return self._system.conjugate_gradient(
            *sides, self.alpha, self.iterations, self.tolerance, start
        )
