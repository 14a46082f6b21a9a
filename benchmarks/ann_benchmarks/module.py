"""Kinfold's indexes in the harness of ann-benchmarks. See the README beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

import kinfold as kf

from ..base.module import BaseANN

# The harness's names of metrics, and ours.
METRICS = {"euclidean": "l2", "angular": "cosine"}
# Vectors to train with.
SAMPLE = 300_000


class Kinfold(BaseANN):
    """One index of `kinfold.index_factory`.

    metric : "euclidean" or "angular"
    spec : such as "IVF1024,PQ16,RFlat"; "{d}", "{d/2}", "{d/4}" and "{d/8}" become shares of the dimension
    """

    def __init__(self, metric: str, spec: str) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}")
        self.metric, self.spec = METRICS[metric], spec
        self.index: Any = None
        self.options: dict[str, Any] = {}
        self.results: list[Any] = []
        self._before = 0.0  # rows scanned before the present arguments
        self._name()

    def fit(self, X: Any) -> None:
        """Train on a sample and add all; ids are row numbers."""
        base = np.ascontiguousarray(X, np.float32)
        spec = self.spec
        for share in (2, 4, 8):
            spec = spec.replace(f"{{d/{share}}}", str(base.shape[1] // share))
        spec = spec.replace("{d}", str(base.shape[1]))
        index = kf.index_factory(spec, base.shape[1], metric=self.metric, verbose=False)
        sample = base
        if len(base) > SAMPLE:
            rows = np.random.default_rng(0).choice(len(base), SAMPLE, replace=False)
            sample = base[np.sort(rows)]
        index.train(sample)
        index.add(base)
        self.index = index

    def set_query_arguments(
        self, effort: int | None = None, refine_factor: int | None = None
    ) -> None:
        """effort : cells to visit, or a multi-index's rows to meet; refine_factor : of the second look."""
        coarse = getattr(self.index, "coarse", None)
        name = "budget" if coarse is not None and coarse.counts_rows else "nprobe"
        given = {name: effort, "refine_factor": refine_factor}
        self.options = {key: value for key, value in given.items() if value is not None}
        self._before = self._counted()
        self._name()

    def query(self, q: Any, n: int) -> Any:
        """The rows of the n nearest of one query (d,)."""
        ids = self.index.search(q, n, threads=1, **self.options).ids
        # The harness looks every answer up: -1, which stands for none, would be its last vector.
        return ids if ids[-1] >= 0 else ids[ids >= 0]

    def batch_query(self, X: Any, n: int) -> None:
        """Answer all queries (q, d) with all threads; `get_batch_results` hands the answers over."""
        self.results = self.index.search(X, n, **self.options).ids

    def get_batch_results(self) -> Any:
        """The rows found for each query."""
        return [ids[ids >= 0] for ids in self.results]

    def get_additional(self) -> dict[str, float]:
        """Distances computed by the searches with these arguments."""
        return {"dist_comps": self._counted() - self._before}

    def freeIndex(self) -> None:
        """Let go of the index."""
        self.index = None

    done = freeIndex

    def _counted(self) -> float:
        if self.index is None or "per_query" not in self.index.stats():
            return 0.0
        stats = self.index.stats()
        return float(stats["queries"] * stats["per_query"]["rows"])

    def _name(self) -> None:
        chosen = "".join(f", {name}={value}" for name, value in self.options.items())
        self.name = f"Kinfold({self.spec}{chosen})"

    def __str__(self) -> str:
        return self.name
