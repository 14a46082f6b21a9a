"""State is arrays: whatever is fitted or built is a few parameters and named arrays.

Saving, loading, memory-mapping and comparing are then the same few lines for everything. A part
inside a part is a prefix: ``codec.codebooks``, ``coarse.centroids``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError

JSON: TypeAlias = Any
Arrays: TypeAlias = dict[str, NDArray[Any]]


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
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
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
