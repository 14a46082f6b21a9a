"""Tables with named columns, in and out, as scikit-learn's users know them. pandas and polars are never imported before
they are asked for."""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.base.warn import warn_caller

CONTAINERS = ("default", "pandas", "polars")


def column_names(X: Any) -> NDArray[np.object_] | None:
    """The names of a table's columns; None for what has none, or names that are no text."""
    columns = getattr(X, "columns", None)
    if columns is None or not hasattr(columns, "__len__"):
        return None
    names = np.asarray(list(columns), dtype=object)
    text = [isinstance(name, str) for name in names]
    if any(text) and not all(text):
        raise TypeError(
            "X: expected columns whose names are all text. Feature names are only supported if all input features "
            "have string names"
        )
    return names if len(names) and all(text) else None


def check_names(owner: str, fitted: NDArray[np.object_] | None, X: Any) -> None:
    """ValueError for columns of other names, or in another order, than those that were fitted; warns of none."""
    names = column_names(X)
    if fitted is None and names is None:
        return
    if names is None:
        warn_caller(
            f"X does not have valid feature names, but {owner} was fitted with feature names")  # fmt: skip
        return
    if fitted is None:
        warn_caller(
            f"X has feature names, but {owner} was fitted without feature names")  # fmt: skip
        return
    if len(fitted) == len(names) and (fitted == names).all():
        return
    said = "The feature names should match those that were passed during fit.\n"
    unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
    for title, some in (
        ("Feature names unseen at fit time", unseen),
        ("Feature names seen at fit time, yet now missing", missing),
    ):
        if some:
            more = ["- ..."] if len(some) > 5 else []
            said += "\n".join([f"{title}:", *(f"- {name}" for name in some[:5]), *more, ""])
    if not unseen and not missing:
        said += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(said)


def first_of(args: Any, options: Any) -> Any:
    """The first argument, by place or by name."""
    return args[0] if args else next(iter(options.values()), None)


def container_of(estimator: Any) -> str:
    """What `set_output` chose; else what scikit-learn is set to, where that is in use."""
    own = getattr(estimator, "_sklearn_output_config", {}).get("transform")
    theirs = sys.modules.get("sklearn")
    if own is None and theirs is not None and hasattr(theirs, "get_config"):
        own = theirs.get_config().get("transform_output")
    return own or "default"


def in_container(method: Any) -> Any:
    """`transform` or `fit_transform` whose answer comes as the table that was chosen."""

    @wraps(method)
    def wrapped(self: Any, *args: Any, **options: Any) -> Any:
        found = method(self, *args, **options)
        container = container_of(self)
        if container == "default" or not isinstance(found, np.ndarray) or found.ndim != 2:
            return found
        names = list(self.get_feature_names_out())
        if container == "polars":
            return require("polars").DataFrame(found, schema=names, orient="row")
        index: Any = getattr(first_of(args, options), "index", None)
        index = index if hasattr(index, "__len__") and len(index) == len(found) else None
        return require("pandas").DataFrame(found, columns=names, index=index, copy=False)

    return wrapped


def naming(method: Any) -> Any:
    """A method that learns, and then knows the columns' names, or forgets them."""

    @wraps(method)
    def wrapped(self: Any, *args: Any, **options: Any) -> Any:
        names = column_names(first_of(args, options))
        found = method(self, *args, **options)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return found

    return wrapped
