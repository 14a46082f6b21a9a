"""What all classifiers share: classes, accuracy, and state without compiled parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_array, as_ndarray
from kinfold.base.estimator import Estimator
from kinfold.base.extras import require
from kinfold.base.registry import class_of
from kinfold.index.factory import index_factory

# What a search may be told: none of it changes that there are k neighbours.
OPTIONS = ("nprobe", "budget", "refine_factor", "threads")


class Classifier(Estimator):
    """Parameters, classes and accuracy. A subclass stores its parameters as given and checks them in `fit`.

    Attributes
    ----------
    classes_ : the classes, sorted (n_classes,)
    """

    # Attributes that hold indexes: one, or a list with None where there is none.
    _INDEXES: tuple[str, ...] = ("index_",)

    classes_: NDArray[Any]
    _CHECKED_LATE = True

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of predictions that are right.

        sample_weight : (n,) what each counts, not all 0; None for one each
        Raises ValueError for weights that are not one for each.
        """
        predicted = self.predict(X)
        right = predicted == as_labels(y, len(predicted))
        if sample_weight is None:
            return float(np.mean(right))
        weights = as_array(sample_weight, "sample_weight").astype(np.float64)
        if weights.shape != right.shape:
            raise ValueError(
                f"sample_weight: expected {len(right)} numbers, one for each, got shape {weights.shape}"
            )
        if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
            raise ValueError("sample_weight: expected finite numbers >= 0, not all of them 0")
        return float(np.average(right, weights=weights / weights.max()))

    def _learn_classes(self, y: Any, n: int) -> Ids:
        """Positions among the sorted classes, which are kept."""
        self.classes_, codes = np.unique(as_labels(y, n), return_inverse=True)
        return codes.reshape(-1).astype(np.int64)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def __sklearn_tags__(self) -> Any:
        utils = require("sklearn.utils")
        return utils.Tags(
            estimator_type="classifier",
            target_tags=utils.TargetTags(required=True),
            classifier_tags=utils.ClassifierTags(),
            input_tags=utils.InputTags(),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Indexes as their parameters and arrays: what is compiled and what locks stays behind."""
        state = dict(self.__dict__)
        for name in self._INDEXES:
            if name in state:
                held = state[name]
                state[name] = [*map(_packed, held)] if isinstance(held, list) else _packed(held)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in self._INDEXES:
            if name in state:
                held = state[name]
                whole = [*map(_unpacked, held)] if isinstance(held, list) else _unpacked(held)
                setattr(self, name, whole)


def trained(spec: Any, x: Any, metric: str, seed: int) -> Any:
    """An index from a description, trained and still empty."""
    index = index_factory(spec, x.shape[1], metric=metric, seed=seed, verbose=False)
    index.train(x)
    return index


def nearest(index: Any, x: Any, k: int, options: Any) -> Any:
    """The k nearest of an index that holds as many: lists are visited until they are found."""
    given = dict(options or {})
    if not given.keys() <= set(OPTIONS):
        raise ValueError(
            f"options: expected {', '.join(OPTIONS)}, got {', '.join(map(str, given))}"
        )
    if "exhaust" in index.options:
        given["exhaust"] = True
    return index.search(x, k, **given)


def as_labels(y: Any, n: int) -> NDArray[Any]:
    """Classes (n,): whole numbers, booleans or texts; a column (n, 1) will do.

    Raises ValueError for other shapes, for numbers with fractions (a quantity is no class) and for NaN.
    """
    if y is None:
        raise ValueError(
            "y: expected a class for each, requires y to be passed, but the target y is None"
        )
    labels = as_ndarray(y, "y")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != n:
        raise ValueError(f"y: expected {n} classes, got shape {labels.shape}")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise ValueError("y: expected classes, got NaN or infinity")
        if (labels != np.floor(labels)).any():
            raise ValueError("y: expected classes. Unknown label type: continuous numbers")
    elif labels.dtype.kind not in "iubUSO":
        raise ValueError(f"y: expected classes, got dtype {labels.dtype}")
    return labels


def _packed(index: Any) -> Any:
    return None if index is None else (index.kind, index.params(), index.arrays())


def _unpacked(parts: Any) -> Any:
    if parts is None:
        return None
    kind, params, arrays = parts
    return class_of(kind).from_state(params, arrays)
