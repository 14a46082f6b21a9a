"""Naive-Bayes nearest neighbour: images against classes, not against images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.bags import Bags, as_bags
from kinfold.base.metrics import as_metric
from kinfold.base.parameters import Count, Metric
from kinfold.classify.estimator import Classifier, nearest, trained

# A similarity makes no sum of squared distances.
METRICS = ("l2", "cosine")


class _Sums(Classifier):
    """The class of the least sum over an image's descriptors; a tie goes to the class that sorts first."""

    metric: str

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each image, (n,). One without descriptors has the class that sorts first."""
        sums = self.sums(X)
        classes: NDArray[Any] = self.classes_[sums.argmin(axis=1)]
        return classes

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The sums with a minus sign, float64 (n, n_classes): larger is likelier."""
        return -self.sums(X)

    def sums(self, X: Any) -> NDArray[np.float64]:
        """What is minimised, float64 (n, n_classes), of images: a list of arrays (n_i, d)."""
        self._check_fitted()
        return self._sums_of(as_bags(X, dim=self.n_features_in_))

    def _sums_of(self, bags: Bags) -> NDArray[np.float64]:
        raise NotImplementedError

    def _squared(self, distances: Any) -> NDArray[np.float64]:
        """Squared distances; between vectors of length one they are 2 - 2 times the similarity."""
        values: NDArray[np.float64] = distances.astype(np.float64)
        return values if as_metric(self.metric) == "l2" else np.maximum(2.0 - 2.0 * values, 0.0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


class NBNN(_Sums):
    """Naive-Bayes nearest neighbour: argmin over classes c of the sum over descriptors x of |x - NN_c(x)|².

    One index for each class, all with the parts that are learnt from the descriptors of all classes, so that
    small classes are no obstacle to codes.

    Parameters
    ----------
    spec : any index of `index_factory`; codes measure distances to what they stand for
    metric : "l2" or "cosine"
    options : of ``index.search``, such as {"nprobe": 8}
    seed : for the index

    Boiman, Shechtman & Irani, CVPR 2008, algorithm NBNN (equation 10).

    Examples
    --------
    >>> photos = [[[0.0, 0.1]], [[1.0, 1.1], [0.9, 1.0]]]  # descriptors of each
    >>> kf.NBNN().fit(photos, ["a", "b"]).predict([[[1.0, 1.0]]]).tolist()
    ['b']
    """

    _INDEXES = ("indexes_",)

    metric = Metric(METRICS)
    seed = Count(least=0)

    def __init__(
        self,
        spec: str = "Flat",
        *,
        metric: str = "l2",
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.spec, self.metric, self.options, self.seed = spec, metric, options, seed

    def fit(self, X: Any, y: Any) -> NBNN:
        """Index images, a list of arrays (n_i, d), with their classes (n,); n_i may be 0.

        A class whose images have no descriptor is infinitely far from every descriptor.
        """
        self._check_params()
        bags = as_bags(X)
        codes = self._learn_classes(y, bags.n)[bags.owner]
        template = trained(self.spec, bags.vectors, self.metric, self.seed)
        params, arrays = template.params(), template.arrays()
        self.indexes_: list[Any] = []
        for c in range(len(self.classes_)):
            own = bags.vectors[codes == c]
            index = type(template).from_state(params, arrays) if len(own) else None
            if index is not None:
                index.add(own)
            self.indexes_.append(index)
        self.n_features_in_ = bags.vectors.shape[1]
        return self

    def _sums_of(self, bags: Bags) -> NDArray[np.float64]:
        sums = np.zeros((bags.n, len(self.classes_)))
        for c, index in enumerate(self.indexes_):
            if index is None:
                sums[np.unique(bags.owner), c] = np.inf
            elif len(bags.vectors):
                near = self._squared(nearest(index, bags.vectors, 1, self.options).distances[:, 0])
                sums[:, c] = np.bincount(bags.owner, near, minlength=bags.n)
        return sums
