"""Local NBNN: one index for all classes, and only classes nearby are updated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.bags import Bags, as_bags
from kinfold.base.parameters import Count, Metric
from kinfold.classify.estimator import nearest, trained
from kinfold.classify.nbnn import METRICS, _Sums


class LocalNBNN(_Sums):
    """Of each descriptor's k + 1 nearest neighbours the last is the background; every class among the others
    is credited with the squared distance to its nearest, minus the background's.

    One search for each descriptor, where NBNN takes one for each descriptor and class.

    Parameters
    ----------
    spec : any index of `index_factory`, over the descriptors of all classes
    n_neighbors : k; one less than there are descriptors where those are fewer than k + 1
    metric : "l2" or "cosine"
    options : of ``index.search``, such as {"nprobe": 8}
    seed : for the index

    McCann & Lowe, CVPR 2012, algorithm 2; k = 10 as there.

    Examples
    --------
    >>> photos = [[[0.0, 0.1]], [[1.0, 1.1], [0.9, 1.0]]]  # descriptors of each
    >>> kf.LocalNBNN(n_neighbors=2).fit(photos, ["a", "b"]).predict([[[1.0, 1.0]]]).tolist()
    ['b']
    """

    n_neighbors = Count(most=(1 << 24) - 1)
    metric = Metric(METRICS)
    seed = Count(least=0)

    def __init__(
        self,
        spec: str = "Flat",
        *,
        n_neighbors: int = 10,
        metric: str = "l2",
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.spec, self.n_neighbors = spec, n_neighbors
        self.metric, self.options, self.seed = metric, options, seed

    def fit(self, X: Any, y: Any) -> LocalNBNN:
        """Index images, a list of arrays (n_i, d), with their classes (n,); n_i may be 0."""
        self._check_params()
        bags = as_bags(X)
        self._codes = self._learn_classes(y, bags.n)[bags.owner]
        self.index_ = trained(self.spec, bags.vectors, self.metric, self.seed)
        self.index_.add(bags.vectors)
        self.n_features_in_ = bags.vectors.shape[1]
        return self

    def _sums_of(self, bags: Bags) -> NDArray[np.float64]:
        classes = len(self.classes_)
        k = min(self.n_neighbors, len(self._codes) - 1)
        if k == 0 or not len(bags.vectors):
            # A single descriptor has no background: its class is all that can be near.
            sums = np.zeros((bags.n, classes))
            sums[:, self._codes[0]] -= np.bincount(bags.owner, minlength=bags.n)
            return sums
        found = nearest(self.index_, bags.vectors, k + 1, self.options)
        distances = self._squared(found.distances)
        # The first place of each class in a row is its nearest neighbour: rows are sorted by distance.
        keys = np.arange(len(bags.vectors))[:, None] * classes + self._codes[found.ids[:, :k]]
        pairs, first = np.unique(keys, return_index=True)
        rows, codes = np.divmod(pairs, classes)
        credit = distances[:, :k].reshape(-1)[first] - distances[rows, k]
        place = bags.owner[rows] * classes + codes
        totals = np.bincount(place, credit, minlength=bags.n * classes).astype(np.float64)
        return totals.reshape(bags.n, classes)
