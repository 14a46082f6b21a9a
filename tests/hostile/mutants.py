"""Parameters and arrays that lie: what a file with right checksums may hold instead of what was saved."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Change = Callable[[Array, np.random.Generator], Array]

MOST_ENTRIES = 48
HUGE = float(np.finfo(np.float32).max)
VALUES = (
    None, -1, 0, 1, 2, 3, 7, 2**16, 2**31, 2**40, 2**63, -0.5, 0.5, 1e300, "", "x", [], [1], {}, {"kind": 1}, True,
    False,
)  # fmt: skip
FLOATS = (np.nan, np.inf, -np.inf, HUGE, -HUGE, 1e-45, 0.0, -1.0)
DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")


class Mutant(NamedTuple):
    """What was changed, and what came of it."""

    what: str
    params: dict[str, Any]
    arrays: dict[str, Array]


def systematic(params: Mapping[str, Any], arrays: Mapping[str, Array]) -> Iterator[Mutant]:
    """Every change of every single thing, in one place of each array."""
    for seed, (name, array) in enumerate(arrays.items()):
        for what, change in changes(array):
            random = np.random.default_rng(seed)
            changed = change(array.copy(), random)
            yield Mutant(f"{name}: {what}", dict(params), {**arrays, name: changed})
        yield Mutant(f"{name}: missing", dict(params), _without(arrays, name))
        # Packed bytes and addresses: one wrong entry counts, wherever it stands.
        for at in range(min(array.size, MOST_ENTRIES) if array.dtype.kind in "iu" else 0):
            changed = array.copy()
            random = np.random.default_rng([seed, at])
            changed.flat[at] = random.choice(
                [changed.flat[at] ^ 1, changed.flat[at] // 2, *array.flat]
            )
            yield Mutant(f"{name}: entry {at}", dict(params), {**arrays, name: changed})
    yield Mutant("an extra array", dict(params), {**arrays, "extra": np.zeros(3)})
    for path in paths(params):
        for value in VALUES:
            yield Mutant(f"{path} = {value!r}", put(params, path, value), dict(arrays))
        yield Mutant(f"{path}: missing", drop(params, path), dict(arrays))
    yield Mutant("an extra parameter", {**params, "extra": 1}, dict(arrays))
    for size in sorted({s for array in arrays.values() for s in array.shape}):
        for other in {0, 1, size - 1, size + 1, 2 * size} - {size, -1}:
            yield resized(params, arrays, size, other, in_params=False)
            yield resized(params, arrays, size, other, in_params=True)


def random_one(
    params: Mapping[str, Any], arrays: Mapping[str, Array], random: np.random.Generator
) -> Mutant:
    """One to three changes at random places."""
    mutant = Mutant("", copy.deepcopy(dict(params)), dict(arrays))
    for _ in range(random.integers(1, 4)):
        mutant = _changed(mutant, random)
    return mutant


def _changed(mutant: Mutant, random: np.random.Generator) -> Mutant:
    what, params, arrays = mutant
    ways = paths(params)
    if ways and (not arrays or random.random() < 0.25):
        path = ways[random.integers(len(ways))]
        value = VALUES[random.integers(len(VALUES))]
        return Mutant(f"{what} {path} = {value!r};", put(params, path, value), arrays)
    names = list(arrays)
    if not names:
        return mutant
    name = names[random.integers(len(names))]
    if random.random() < 0.1:
        sizes = sorted({s for array in arrays.values() for s in array.shape})
        if sizes:
            size = sizes[random.integers(len(sizes))]
            other = max(0, size + int(random.integers(-2, 3)))
            one = resized(params, arrays, size, other, in_params=bool(random.integers(2)))
            return Mutant(f"{what} {one.what};", one.params, one.arrays)
    if random.random() < 0.05:
        other = names[random.integers(len(names))]
        swapped = {**arrays, name: arrays[other], other: arrays[name]}
        return Mutant(f"{what} {name} <-> {other};", params, swapped)
    # Values more often than shapes and types, which are looked at first and hide the rest.
    ways_of = [c for c in changes(arrays[name]) if random.random() < 0.1 or c[1] in _VALUES]
    if not ways_of:
        return mutant
    how, change = ways_of[random.integers(len(ways_of))]
    changed = change(arrays[name].copy(), random)
    return Mutant(f"{what} {name}: {how};", params, {**arrays, name: changed})


# --- one array -------------------------------------------------------------------------------------


def changes(array: Array) -> list[tuple[str, Change]]:
    """What can be done to an array, by name."""
    found = [*_SHAPES, *[(f"as {t}", _as(t)) for t in DTYPES if np.dtype(t) != array.dtype]]
    if not array.size:
        return found
    found += _ORDERS
    if array.dtype.kind == "f":
        return found + _FLOATS
    return found + _WHOLE


def _as(dtype: str) -> Change:
    def change(array: Array, _: np.random.Generator) -> Array:
        with np.errstate(all="ignore"):
            return array.astype(dtype)

    return change


def _one(value: Any) -> Change:
    """One entry set, to a value or to what a function makes of it."""

    def change(array: Array, random: np.random.Generator) -> Array:
        at = random.integers(array.size)
        with np.errstate(all="ignore"):
            new = value(array.flat[at], array) if callable(value) else value
            array.flat[at] = np.asarray(new).astype(array.dtype)
        return array

    return change


def _all(value: Any) -> Change:
    def change(array: Array, _: np.random.Generator) -> Array:
        return np.full_like(array, value(array.flat[0], array) if callable(value) else value)

    return change


def _least(_: Any, array: Array) -> Any:
    return np.iinfo(array.dtype).min


def _most(_: Any, array: Array) -> Any:
    return np.iinfo(array.dtype).max


def _shuffled(array: Array, random: np.random.Generator) -> Array:
    return random.permutation(array.reshape(-1)).reshape(array.shape)


def _drawn(array: Array, random: np.random.Generator) -> Array:
    """Other values from the same range."""
    low, high = int(array.min()), int(array.max())
    return random.integers(low, high, array.shape, endpoint=True, dtype=array.dtype)


def _bit(array: Array, random: np.random.Generator) -> Array:
    raw = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
    raw[random.integers(raw.size)] ^= np.uint8(1 << random.integers(8))
    return raw.view(array.dtype).reshape(array.shape)


def _last(array: Array, _: np.random.Generator) -> Array:
    array.flat[-1] = _most(0, array)
    return array


def _with_last_axis(array: Array, by: int) -> Array:
    if not array.ndim:
        return array
    size = max(array.shape[-1] + by, 0)
    return _fit(array, array.ndim - 1, size)


_ORDERS: list[tuple[str, Change]] = [
    ("reversed", lambda a, _: a[::-1].copy() if a.ndim else a),
    ("shuffled", _shuffled),
    ("sorted", lambda a, _: np.sort(a, axis=None).reshape(a.shape)),
    ("rolled", lambda a, _: np.roll(a, 1)),
    ("a bit", _bit),
]
_SHAPES: list[tuple[str, Change]] = [
    ("no rows", lambda a, _: a[:0] if a.ndim else a),
    ("a row less", lambda a, _: a[:-1] if a.ndim else a),
    ("twice the rows", lambda a, _: np.concatenate([a, a]) if a.ndim else a),
    ("no columns", lambda a, _: _fit(a, a.ndim - 1, 0) if a.ndim else a),
    ("a column less", lambda a, _: _with_last_axis(a, -1)),
    ("a column more", lambda a, _: _with_last_axis(a, 1)),
    ("transposed", lambda a, _: np.ascontiguousarray(a.T)),
    ("flat", lambda a, _: a.reshape(-1)),
    ("a column", lambda a, _: a.reshape(-1, 1)),
    ("an axis more", lambda a, _: a[None]),
]
_WHOLE: list[tuple[str, Change]] = [
    *((f"one {v}", _one(v)) for v in (-1, 0, 1, 7, 127, 2**31, 2**62)),
    ("one least", _one(_least)), ("one most", _one(_most)), ("one length", _one(lambda _, a: len(a))),
    ("one size", _one(lambda _, a: a.size)),
    ("one up", _one(lambda v, _: v + v.dtype.type(1))), ("one down", _one(lambda v, _: v - v.dtype.type(1))),
    ("one twice", _one(lambda _, a: a.flat[0])), ("the last most", _last),
    ("all 0", _all(0)), ("all most", _all(_most)), ("all least", _all(_least)), ("all one value", _all(lambda v, _: v)),
    ("drawn", _drawn), ("half of them", lambda a, _: a // a.dtype.type(2)),
]  # fmt: skip
_FLOATS: list[tuple[str, Change]] = [
    *((f"one {v:g}", _one(v)) for v in FLOATS),
    *((f"all {v:g}", _all(v)) for v in FLOATS),
    ("negated", lambda a, _: -a),
]
_VALUES = {change for _, change in (*_ORDERS, *_WHOLE, *_FLOATS)}


# --- all together ----------------------------------------------------------------------------------


def resized(
    params: Mapping[str, Any],
    arrays: Mapping[str, Array],
    size: int,
    other: int,
    *,
    in_params: bool,
) -> Mutant:
    """Every axis of a size given another, and every parameter of that value too."""
    new = {}
    for name, array in arrays.items():
        for axis in range(array.ndim):
            if array.shape[axis] == size:
                array = _fit(array, axis, other)
        new[name] = array
    changed = copy.deepcopy(dict(params))
    if in_params:
        for path in paths(params):
            if get(params, path) == size and not isinstance(get(params, path), bool):
                changed = put(changed, path, other)
    return Mutant(f"all {size} are {other}, parameters {in_params}", changed, new)


def _fit(array: Array, axis: int, size: int) -> Array:
    """Cut, or continued by repeating the last."""
    have = array.shape[axis]
    if size <= have or have == 0:
        shape = [s if a != axis else min(size, have) for a, s in enumerate(array.shape)]
        return np.ascontiguousarray(array[tuple(slice(s) for s in shape)])
    return np.take(array, np.minimum(np.arange(size), have - 1), axis=axis)


def _without(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    return {k: v for k, v in arrays.items() if k != name}


# --- parameters ------------------------------------------------------------------------------------


def paths(value: Any, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything inside dictionaries and lists."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:4])
    found = []
    for key, inner in items:
        found.append((*start, key))
        found.extend(paths(inner, (*start, key)))
    return found


def get(value: Any, path: tuple[Any, ...]) -> Any:
    """What lies there."""
    for key in path:
        value = value[key]
    return value


def put(params: Mapping[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with something else there."""
    changed = copy.deepcopy(dict(params))
    get(changed, path[:-1])[path[-1]] = copy.deepcopy(value)
    return changed


def drop(params: Mapping[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """A copy without it."""
    changed = copy.deepcopy(dict(params))
    del get(changed, path[:-1])[path[-1]]
    return changed
