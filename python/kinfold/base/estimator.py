"""What follows scikit-learn's conventions: parameters kept as given and checked in `fit`.

scikit-learn itself is never imported before it asks for something of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_choice, as_ndarray, as_vectors
from kinfold.base.declared import Declared
from kinfold.base.errors import not_trained as not_trained
from kinfold.base.extras import require
from kinfold.base.frames import CONTAINERS, check_names, in_container, naming


class Estimator(Declared):
    """Parameters by name. A subclass stores them as given and checks them in `fit`, or all in its constructor.

    Attributes
    ----------
    n_features_in_ : dimension of the vectors
    feature_names_in_ : the columns' names, where `fit` was given a table with names
    """

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("fit", "fit_transform", "partial_fit"):
            method = vars(cls).get(name)
            if method is not None:
                setattr(cls, name, naming(method))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        names = list(inspect.signature(type(self)).parameters)
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> Any:
        """Change parameters; ValueError for one that there is not, or that a constructor refuses."""
        known = self.get_params()
        for name in params:
            if name not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {name!r}")
        changed = type(self)(**{**known, **params})
        for name in params:
            setattr(self, name, getattr(changed, name))
        return self

    def _settle(self, sides: Mapping[str, Any]) -> None:
        if "n_features_in_" in sides:
            self.n_features_in_ = sides["n_features_in_"]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise not_trained(f"{type(self).__name__}: is not fitted; call fit first")

    def _samples(self, X: Any, *, long: bool = False) -> Vectors:
        """Vectors of the dimension that was fitted."""
        self._check_fitted()
        vectors = as_samples(X, long=long)
        self._check_names(X)
        return self._of_fitted_dimension(vectors)

    def _check_names(self, X: Any) -> None:
        check_names(type(self).__name__, getattr(self, "feature_names_in_", None), X)

    def _of_fitted_dimension(self, vectors: Vectors) -> Vectors:
        if vectors.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {vectors.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input: vectors of dimension {self.n_features_in_}"
            )
        return vectors


class Transformer(Estimator):
    """An estimator that turns vectors into others."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("transform", "fit_transform"):
            method = vars(cls).get(name)
            if method is not None:
                setattr(cls, name, in_container(method))

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn from vectors (n, d); y is ignored."""
        raise NotImplementedError

    def transform(self, X: Any) -> Any:
        """What becomes of vectors (n, d)."""
        raise NotImplementedError

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """fit, then transform the same vectors."""
        return self.fit(X, y).transform(X)

    @property
    def _n_features_out(self) -> int:
        """The columns of `transform`, of what is fitted."""
        raise NotImplementedError

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`: the class's in small letters, and a number.

        input_features : must be the names that were fitted, where there are such; has no influence
        Raises ValueError for ``input_features`` that are not those of fit. Returns object (n,).
        """
        self._check_fitted()
        if input_features is not None:
            given, fitted = list(input_features), getattr(self, "feature_names_in_", None)
            if fitted is not None and given != list(fitted):
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(given) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to {self.n_features_in_}, got {len(given)}"
                )
        prefix = type(self).__name__.lower()
        return np.asarray([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Any:
        """What `transform` and `fit_transform` answer with: "default" arrays, or tables of "pandas" or "polars".

        None changes nothing.
        """
        if transform is not None:
            self._sklearn_output_config = {
                "transform": as_choice(transform, "transform", CONTAINERS)
            }
        return self

    def __sklearn_tags__(self) -> Any:
        utils = require("sklearn.utils")
        return utils.Tags(
            estimator_type=None,
            target_tags=utils.TargetTags(required=False),
            transformer_tags=utils.TransformerTags(preserves_dtype=["float32"]),
            input_tags=utils.InputTags(),
        )


def as_samples(X: Any, *, least: int = 1, long: bool = False) -> Vectors:
    """At least so many vectors (n, d) from what scikit-learn's users pass; its tests look for some of its words.

    long : as for `as_vectors`
    """
    if hasattr(X, "toarray"):
        raise ValueError("X: expected a dense array, got a sparse matrix; X.toarray() makes one")
    array = as_ndarray(X, "X")
    if array.dtype.kind == "c":
        raise ValueError("X: expected real numbers. Complex data not supported")
    if array.dtype.kind == "O":
        array = array.astype(np.float64)
    if array.ndim == 1:
        raise ValueError(
            f"X: expected vectors (n, d), got shape {array.shape}. Reshape your data: X.reshape(1, -1) "
            "for one vector, X.reshape(-1, 1) for one dimension"
        )
    if array.ndim == 2 and array.shape[1] == 0:
        raise ValueError(
            f"X: found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    vectors = as_vectors(array, "X", long=long)
    if len(vectors) < least:
        raise ValueError(f"X: expected at least {least} vectors, got n_samples = {len(vectors)}")
    return vectors
