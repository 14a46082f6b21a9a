"""State is arrays: whatever is fitted or built is a few parameters and named arrays.

Saving, loading, memory-mapping and comparing are then the same few lines for everything. A part
inside a part is a prefix: ``codec.codebooks``, ``coarse.centroids``.
"""

from __future__ import annotations

import copy
import functools
import inspect
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.locks import Lock

JSON: TypeAlias = Any
Arrays: TypeAlias = dict[str, NDArray[Any]]
_Method = TypeVar("_Method", bound=Callable[..., Any])
_LEARNS = ("fit", "fit_chunks", "partial_fit")


@runtime_checkable
class Stateful(Protocol):
    """What can be saved."""

    kind: ClassVar[str]

    def params(self) -> dict[str, JSON]:
        """Small, readable: what a user chose."""
        ...

    def arrays(self) -> Arrays:
        """Everything learned or stored."""
        ...

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """Check, then adopt without copying. Raises FileFormatError."""
        ...


def plain(value: Any) -> JSON:
    """A number or truth of numpy's as Python's own: for ``json.dumps(default=plain)``."""
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    raise TypeError(f"expected what JSON holds, got {type(value).__name__}")


class Restorable:
    """Makes what is stateful picklable and copyable: through its state, which is checked as that of a file is.

    A shallow copy is an object of its own, too: the two share arrays, which neither of them changes. What is not
    fitted yet, and so has no arrays, is copied attribute by attribute.

    Whatever learns does so ``at_once``.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _LEARNS:
            method = vars(cls).get(name)
            if inspect.isfunction(method):
                setattr(cls, name, at_once(method))

    def __reduce_ex__(self, protocol: Any) -> Any:
        state = _state_of(self)
        if state is None:
            return super().__reduce_ex__(protocol)
        params, arrays = state
        sums = {name: _checksum(array) for name, array in arrays.items()}
        return _from_pickle, (type(self), params, arrays, sums, _beside(self, params, arrays))

    def __copy__(self) -> Any:
        state = _state_of(self)
        if state is None:
            return copy.deepcopy(self)
        made = restored(type(self), *state)
        made._take_beside(copy.deepcopy(_beside(self, *state)))
        return made

    def _goes_on(self) -> bool:
        """Whether it holds what files do not keep, to go on from: then it is copied attribute by attribute, too."""
        return False

    def _take_beside(self, beside: Mapping[str, JSON]) -> None:
        """Take over what files do not keep: choices, and what the state knows nothing of. What was checked stays."""
        chosen, held = inspect.signature(type(self)).parameters, vars(self)
        held.update({name: v for name, v in beside.items() if name in chosen or name not in held})


def at_once(method: _Method) -> _Method:
    """A method that changes its object, and parts of it, all at once when it is done, or not at all.

    It works on a draft: an interrupt, an error, or a search beside it finds everything as it was before.
    """

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with getattr(self, "_lock", nullcontext()):
            held = vars(self)
            # What ends in an underscore was learnt: it is replaced, never changed.
            parts = [n for n, v in held.items() if isinstance(v, Restorable) and n[-1] != "_"]
            copies = {name: copy.copy(held[name]) for name in parts}
            draft = object.__new__(type(self))
            vars(draft).update(held, **copies)
            before = dict(vars(draft))
            answer = method(draft, *args, **kwargs)
            changed = {
                n: v for n, v in vars(draft).items() if n not in before or before[n] is not v
            }
            targets = [held, *(vars(held[name]) for name in parts)]
            values = [changed, *(_but_locks(vars(copies[name])) for name in parts)]
            # One call in C: neither an interrupt nor another thread comes between.
            deque(map(dict.update, targets, values), maxlen=0)
        return self if answer is draft else answer

    return cast(_Method, run)


def steady(read: _Method) -> _Method:
    """A method that reads what ``at_once`` replaces: where its object was trained anew meanwhile, it reads again."""

    @functools.wraps(read)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        while True:
            training = self._training
            try:
                answer = read(self, *args, **kwargs)
            except Exception:
                if self._training is training:
                    raise
                continue
            if self._training is training:
                return answer

    return cast(_Method, run)


def _but_locks(held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in held.items() if not isinstance(value, Lock)}


@contextmanager
def taken(what: str) -> Iterator[None]:
    """Whatever is refused within becomes FileFormatError."""
    try:
        yield
    except FileFormatError:
        raise
    except (
        ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    ) as error:  # fmt: skip
        raise FileFormatError(f"not a sound {what}: {error}") from error


def restored(cls: Any, params: Any, arrays: Any) -> Any:
    """An object of a class from its state; whatever the class refuses becomes FileFormatError."""
    with taken(cls.kind):
        return cls.from_state(params, arrays)


def _state_of(thing: Restorable) -> tuple[dict[str, JSON], Arrays] | None:
    """Parameters and arrays; None for what is not fitted, or no kind that can be saved."""
    if not isinstance(thing, Stateful) or thing._goes_on():
        return None
    try:
        params, arrays = thing.params(), thing.arrays()
    except NotTrainedError:
        return None
    # As a file gives them back. Plain arrays: a mapped one would be unpickled as a map of no file.
    params = json.loads(json.dumps(params, default=plain))
    return params, {name: np.asarray(array, order="C") for name, array in arrays.items()}


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(array.reshape(-1).view(np.uint8).data if array.size else b"")


def _from_pickle(cls: Any, params: Any, arrays: Any, sums: Any, beside: Any) -> Any:
    parts = (params, arrays, sums, beside)
    plain = all(isinstance(part, dict) for part in parts) and sums.keys() == arrays.keys()
    if not plain or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise FileFormatError("pickle: damaged: not the state of an object")
    arrays = {name: np.asarray(array) for name, array in arrays.items()}  # joblib maps them
    for name, array in arrays.items():
        if array.dtype.hasobject or _checksum(array) != sums[name]:
            raise FileFormatError(f"pickle: array '{name}' is damaged: its checksum is wrong")
    made = restored(cls, params, arrays)
    made._take_beside({name: value for name, value in beside.items() if _is_plain(value)})
    return made


def _beside(thing: Any, params: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, JSON]:
    """Plain attributes that files do not keep, such as ``verbose``."""
    return {
        name: value for name, value in vars(thing).items()
        if name not in params and name not in arrays and _is_plain(value)
    }  # fmt: skip


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, np.ndarray):  # names of features
        return value.dtype.hasobject and all(type(name) is str for name in value.flat)
    return value is None or type(value) in (bool, int, float, str)


def add_prefix(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of a part, under the part's name."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def strip_prefix(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of the part of that name, under their own names."""
    start = prefix + "."
    return {name[len(start) :]: a for name, a in arrays.items() if name.startswith(start)}


def take(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: Any, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """The named array after a check of type and shape; None stands for any length."""
    if name not in arrays:
        raise FileFormatError(f"array '{name}' is missing")
    array = arrays[name]
    wanted = np.dtype(dtype)
    fits = array.ndim == len(shape) and all(w is None or w == g for w, g in zip(shape, array.shape))
    if array.dtype != wanted or not fits:
        raise FileFormatError(
            f"array '{name}': expected {wanted} {shape}, got {array.dtype} {array.shape}"
        )
    return array


def take_param(params: Mapping[str, JSON], name: str, kind: type | tuple[type, ...]) -> JSON:
    """The named parameter after a check of its type."""
    if name not in params:
        raise FileFormatError(f"parameter '{name}' is missing")
    value = params[name]
    # A bool is an int to Python; here only where one is asked for.
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise FileFormatError(f"parameter '{name}': got {value!r}")
    return value


def check_only(given: Mapping[str, Any], known: set[str], what: str) -> None:
    """Refuse what this version does not know: ignoring it would answer wrongly in silence."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise FileFormatError(f"unknown {what}: {', '.join(unknown)}")


def check_starts(starts: NDArray[Any], n: int, name: str) -> None:
    """List starts are addresses: first 0, never falling, last n."""
    # Compared pairwise: differences would wrap around, and then hostile starts could seem to rise.
    falls = (starts[1:] < starts[:-1]).any()
    if len(starts) == 0 or starts[0] != 0 or starts[-1] != n or falls:
        raise FileFormatError(f"array '{name}': expected list starts rising from 0 to {n}")


def check_range(ids: NDArray[Any], n: int, name: str) -> None:
    """Positions are addresses: each in [0, n)."""
    if ids.size and (ids.min() < 0 or ids.max() >= n):
        raise FileFormatError(f"array '{name}': expected positions from 0 to {n - 1}")
