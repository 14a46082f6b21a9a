"""The k-nearest-neighbour classifier over any index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_choice
from kinfold.base.estimator import as_samples
from kinfold.base.metrics import as_metric
from kinfold.base.parameters import Count, Metric, Parameter
from kinfold.classify.estimator import Classifier, nearest, trained

WEIGHTS = ("uniform", "distance")


def _as_weights(x: Any, name: str) -> Any:
    return x if callable(x) else as_choice(x, name, WEIGHTS)


class KNNClassifier(Classifier):
    """The class with the most votes among the k nearest vectors; a tie goes to the class that sorts first.

    Follows scikit-learn's conventions, and its KNeighborsClassifier's answers where the index is exact.

    Parameters
    ----------
    spec : any index of `index_factory`; codes find and weigh by the distances to what they stand for
    n_neighbors : k; all vectors where there are fewer
    weights : "uniform", "distance" (one over the Euclidean distance; where some are at distance zero, they alone
        vote), or a function of distances (n, k) that returns as many weights
    metric : "l2", "ip" or "cosine" (whose distance is one minus the similarity; "ip" has none)
    options : of ``index.search``, such as {"nprobe": 8}
    seed : for the index

    Cover & Hart, IEEE Trans. Information Theory 1967; weights: Dudani, IEEE Trans. SMC 1976.

    Examples
    --------
    >>> x, y = [[0.0], [0.1], [1.0], [1.1]], ["a", "a", "b", "b"]
    >>> kf.KNNClassifier(n_neighbors=1).fit(x, y).predict([[0.2], [0.9]]).tolist()
    ['a', 'b']
    """

    n_neighbors = Count(most=1 << 24)
    weights: Any = Parameter(_as_weights, str, "'uniform', 'distance', function")
    metric = Metric()
    seed = Count(least=0)

    def __init__(
        self,
        spec: str = "Flat",
        *,
        n_neighbors: int = 5,
        weights: Any = "uniform",
        metric: str = "l2",
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.spec, self.n_neighbors, self.weights = spec, n_neighbors, weights
        self.metric, self.options, self.seed = metric, options, seed

    def fit(self, X: Any, y: Any) -> KNNClassifier:
        """Index vectors (n, d) with their classes (n,). Raises ValueError for what does not fit together."""
        self._check_params()
        if self.weights != "uniform" and as_metric(self.metric) == "ip":
            raise ValueError(
                'weights: expected "uniform" with the metric "ip", which has no distance'
            )
        vectors = as_samples(X)
        self._codes = self._learn_classes(y, len(vectors))
        self.index_ = trained(self.spec, vectors, self.metric, self.seed)
        self.index_.add(vectors)
        self.n_features_in_ = vectors.shape[1]
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each vector, (n,)."""
        votes = self._votes(X)
        classes: NDArray[Any] = self.classes_[votes.argmax(axis=1)]
        return classes

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share of the votes of each class, float64 (n, n_classes)."""
        votes = self._votes(X)
        shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
        return shares

    def _votes(self, X: Any) -> NDArray[np.float64]:
        vectors = self._samples(X)
        k = min(self.n_neighbors, len(self._codes))
        found = nearest(self.index_, vectors, k, self.options)
        weights = self._weights_of(found.distances)
        votes = np.zeros((len(vectors), len(self.classes_)))
        rows = np.repeat(np.arange(len(vectors)), k)
        np.add.at(votes, (rows, self._codes[found.ids.reshape(-1)]), weights.reshape(-1))
        votes[votes.sum(axis=1) == 0] = 1.0  # a function may give no weight at all
        return votes

    def _weights_of(self, distances: Vectors) -> NDArray[np.float64]:
        if isinstance(self.weights, str) and self.weights == "uniform":
            return np.ones(distances.shape)
        far = distances.astype(np.float64)
        far = np.sqrt(far) if as_metric(self.metric) == "l2" else np.maximum(1.0 - far, 0.0)
        if callable(self.weights):
            weights = np.asarray(self.weights(far), np.float64)
            if weights.shape != far.shape or not (np.isfinite(weights) & (weights >= 0)).all():
                raise ValueError(f"weights: expected finite numbers >= 0 of shape {far.shape}")
            return weights
        same = far == 0
        with np.errstate(divide="ignore"):
            return np.where(same.any(axis=1, keepdims=True), same, 1.0 / far)
