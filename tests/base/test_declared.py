"""Whatever is declared holds for every class: what is refused, what files keep, and what they are held to."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
from tiny import FACTORIES

import kinfold as kf
from kinfold.base.declared import Declared
from kinfold.base.learnt import Extra, Learnt, Part, Slot, Stored
from kinfold.base.parameters import Choice, Count, Flag, Maybe, Metric, Number, Parameter, Text
from kinfold.base.registry import kinds, resolve

# Those whose classes need no more than numpy.
KINDS = [
    kind for kind, target in kinds().items()
    if not kind.startswith(("gallery.", "features.", "learn.")) and issubclass(resolve(target), Declared)
]  # fmt: skip

# Parameters that shapes follow from otherwise than by name, and those that files of former versions lack.
SHAPING = ("bits", "m", "dim", "k", "tables", "vocabularies", "branch", "checks", "paths")
# Choices that go with what else was chosen, or with what rows hold.
TOGETHER = {
    "index.Cells": ("refine", "metric"),
    "index.Candidates": ("metric",),
    "index.Hamming": ("refine",),
    "index.LocallyAdaptiveCodes": ("second",),
    "index.ProductCodes": ("metric", "residual"),
    "local.ASMK": ("binarize", "rotate"),
    "local.BoW": ("scoring", "sigma"),
}
SINCE = {
    "transform.PCA": ("solver", "seed"),
    "local.VLAD": ("vocabularies",),
    "local.Words": ("checks", "paths"),
    "local.TEmbedding": ("rotate",),
    "quantize.OPQ": ("start",),
    "index.KDForest": ("split",),
}


def chosen(thing: Any) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in inspect.signature(type(thing)).parameters}


def stored(thing: Any) -> list[Stored[Any, Any]]:
    return [held for held in type(thing)._HELD.values() if isinstance(held, Stored)]


def others(parameter: Parameter[Any], value: Any) -> list[Any]:
    """Values that a parameter may have as well."""
    tried = [not value if isinstance(value, bool) else None, 1, 2, 4, 8, 0.5, 0.25, 3.0, None, True]
    tried += [text.strip("'") for text in parameter.expected.split(", ")]
    found = []
    for other in tried:
        try:
            parameter.from_params({parameter.name: other})
        except kf.FileFormatError:
            continue
        if other != value or type(other) is not type(value):
            found.append(other)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_named(kind: str) -> None:
    thing = FACTORIES[kind]()
    signature = inspect.signature(type(thing)).parameters
    for name, parameter in type(thing)._PARAMETERS.items():
        for bad in (object(), 1j if isinstance(parameter, Text) else "no such", math.nan):
            with pytest.raises(ValueError, match=rf"^{name}: expected"):
                if name in signature:
                    type(thing)(**{**chosen(thing), name: bad})._check_params()
                else:
                    setattr(thing, name, bad)


@pytest.mark.parametrize("kind", KINDS)
def test_files_keep_every_parameter(kind: str) -> None:
    """Each at another value: kept, or refused where arrays are of other shapes."""
    thing = FACTORIES[kind]()
    params, arrays = thing.params(), thing.arrays()
    for name, parameter in type(thing)._saved_parameters().items():
        kept = 0
        for other in others(parameter, params.get(name)):
            changed = {**params, name: other}
            try:
                again = type(thing).from_state(changed, arrays)
            except kf.FileFormatError:
                continue
            assert getattr(again, name) == other
            kept += again.params().get(name, other) == other
        shaping = [side for d in stored(thing) for side in d.shape]
        assert kept or name in (*shaping, *SHAPING, *TOGETHER.get(kind, ())), (
            f"{name} is never kept"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_parameters(kind: str) -> None:
    thing = FACTORIES[kind]()
    params, arrays = thing.params(), thing.arrays()
    with pytest.raises(kf.FileFormatError, match="unknown parameters: made up"):
        type(thing).from_state({**params, "made up": 1}, arrays)
    for name, parameter in type(thing)._saved_parameters().items():
        if name in SINCE.get(kind, ()):
            continue
        with pytest.raises(kf.FileFormatError, match=f"parameter '{name}' is missing"):
            type(thing).from_state({n: v for n, v in params.items() if n != name}, arrays)
        for bad in ([1], 1 if isinstance(parameter, Text) else "no such", {}):
            with pytest.raises(kf.FileFormatError, match=f"parameter '?{name}"):
                type(thing).from_state({**params, name: bad}, arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_arrays(kind: str) -> None:
    thing = FACTORIES[kind]()
    params, arrays = thing.params(), thing.arrays()
    with pytest.raises(kf.FileFormatError, match="unknown arrays: made up"):
        type(thing).from_state(params, {**arrays, "made up": np.zeros(3)})
    for held in stored(thing):
        name = held.saved
        if name not in arrays:
            continue
        if not held.optional:
            with pytest.raises(kf.FileFormatError, match=f"array '{name}' is missing"):
                type(thing).from_state(params, {n: a for n, a in arrays.items() if n != name})
        for bad in (arrays[name][..., None], arrays[name].astype(np.complex64)):
            with pytest.raises(kf.FileFormatError, match=f"array '{name}': expected"):
                type(thing).from_state(params, {**arrays, name: bad})


class Tiny(Declared):
    """One of each."""

    count = Count(most=9)
    number = Maybe(Number(0, 1))
    choice = Choice(4, 8)
    metric = Metric()
    flag = Flag().unsaved()
    rows = Learnt(np.float32, ("n", "count"), finite=True)
    square = Learnt(np.float32, ("n", "n"))

    def __init__(self, count: int, number: Any = None, choice: int = 4, flag: bool = True) -> None:
        self.count, self.number, self.choice, self.flag = count, number, choice, flag
        self.metric = "euclidean"


def tiny() -> Tiny:
    made = Tiny(2, 0.5)
    made.rows, made.square = np.ones((3, 2), np.float32), np.ones((3, 3), np.float32)
    return made


def test_a_class_of_declarations_alone() -> None:
    made = tiny()
    assert repr(made) == "Tiny(count=2, number=0.5)"
    assert made.params() == {"count": 2, "number": 0.5, "choice": 4, "metric": "l2"}
    again = Tiny.from_state(made.params(), made.arrays())
    assert again.params() == made.params() and again.flag is True
    with pytest.raises(ValueError, match="choice: expected 4 or 8, got 5"):
        made.choice = 5
    assert made.choice == 4


def test_what_is_not_learnt_says_so() -> None:
    made = Tiny(2)
    assert not hasattr(made, "rows")
    with pytest.raises(kf.NotTrainedError, match="Tiny: is not fitted; call fit first"):
        made.arrays()


def test_a_parameter_that_was_changed_since_is_not_saved() -> None:
    made = tiny()
    made.count = 3
    with pytest.raises(kf.NotTrainedError, match="parameters changed since it learnt"):
        made.arrays()


@pytest.mark.parametrize(
    ("name", "shape"), [("rows", (0, 2)), ("rows", (3, 3)), ("square", (3, 2)), ("square", (2, 2))]
)
def test_shapes_are_said_in_names(name: str, shape: tuple[int, ...]) -> None:
    made = tiny()
    with pytest.raises(kf.FileFormatError, match=f"array '{name}': expected"):
        Tiny.from_state(made.params(), {**made.arrays(), name: np.ones(shape, np.float32)})


def test_numbers_are_finite_where_that_is_said() -> None:
    made = tiny()
    rows = np.full((3, 2), np.nan, np.float32)
    with pytest.raises(kf.FileFormatError, match="array 'rows': expected finite numbers"):
        Tiny.from_state(made.params(), {**made.arrays(), "rows": rows})


class Whole(Declared):
    """Parts of every sort."""

    dim = Count()
    turned = Flag()
    tiny = Part(Tiny)
    other: Part[Tiny | None] = Part(Tiny, optional=True)
    signs = Slot(optional=True)
    own = Part(Tiny, name="mine", bare=True)
    extra = Extra(np.float32, ("dim",), when="turned")

    def __init__(
        self, dim: int, tiny: Tiny, other: Any = None, signs: Any = None, turned: bool = False
    ) -> None:
        self.dim, self.tiny, self.other, self.signs, self.turned = dim, tiny, other, signs, turned
        self.own = Tiny(dim)


def whole(**choices: Any) -> Whole:
    made = Whole(2, tiny(), **choices)
    made.own.rows, made.own.square = np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32)
    if made.turned:
        made.extra = np.array([1, 2], np.float32)
    return made


def test_parts() -> None:
    signs = kf.SignQuantizer(8).fit(np.eye(3))
    for made in (whole(), whole(other=tiny(), signs=signs, turned=True)):
        params, arrays = made.params(), made.arrays()
        assert params.keys() == {"dim", "turned", "tiny", "other", "signs"}
        again = Whole.from_state(params, arrays)
        assert again.params() == params and again.arrays().keys() == arrays.keys()
        np.testing.assert_array_equal(again.own.rows, made.own.rows)
    # Both are what the loop ended with.
    assert params["signs"] == {"kind": "quantize.Sign", "params": signs.params()}
    assert {"tiny.rows", "other.rows", "signs.mean", "mine.rows", "extra"} <= arrays.keys()
    for name, bad in {
        "signs": {"kind": "quantize.KMeans", "params": {}}, "tiny": None, "other": [], "dim": 3,
    }.items():  # fmt: skip
        with pytest.raises(kf.FileFormatError):
            Whole.from_state({**params, name: bad}, arrays)
    for name in ("other", "signs"):
        with pytest.raises(kf.FileFormatError, match="unknown arrays"):
            Whole.from_state({**params, name: None}, arrays)
    with pytest.raises(kf.FileFormatError, match="unknown arrays: extra"):
        Whole.from_state({**params, "turned": False}, arrays)
    with pytest.raises(kf.FileFormatError, match="array 'extra' is missing"):
        Whole.from_state(params, {n: a for n, a in arrays.items() if n != "extra"})
