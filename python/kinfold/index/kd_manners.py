"""What a k-d tree is asked, in SciPy's manners: points, ranks, norms, radii; and the shapes of its answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_count

Points = NDArray[Any]
NORMS = (1.0, 2.0, np.inf)


def as_points(x: Any, name: str) -> Points:
    """A C-contiguous matrix (n, d) of finite numbers, float32 if it came as float32 or less, else float64."""
    array = as_array(x, name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: expected points (n, d), got shape {array.shape}")
    small = array.dtype in (np.dtype(np.float16), np.dtype(np.float32))
    points = np.ascontiguousarray(array, dtype=np.float32 if small else np.float64)
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity in row {row}")
    return points


def as_ranks(k: Any) -> tuple[int, NDArray[np.int64] | None]:
    """The largest rank, and positions of the ranks that are asked for if k is a list."""
    if np.ndim(k) == 0:
        return as_count(k, "k", most=1 << 24), None
    ranks = [as_count(rank, "k", most=1 << 24) for rank in k]
    if not ranks:
        raise ValueError("k: expected at least one rank, got none")
    return max(ranks), np.array(ranks) - 1


def as_norm(p: Any) -> float:
    """Which Minkowski distance."""
    try:
        norm = float(p)
    except (TypeError, ValueError):
        norm = np.nan
    if norm not in NORMS:
        raise ValueError(f"p: expected 1, 2 or infinity, got {p!r}")
    return norm


def as_size(x: Any, name: str, *, finite: bool = False) -> float:
    """A number >= 0, infinity too unless it must be finite."""
    try:
        if isinstance(x, (str, bytes)):
            raise TypeError
        value = float(x)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: expected a number, got {x!r}") from None
    if not value >= 0 or (finite and np.isinf(value)):
        raise ValueError(f"{name}: expected a number >= 0, got {x!r}")
    return value


def as_radii(r: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One radius (nq,) for each query."""
    radii = as_array(r, name).astype(np.float64)
    if not (radii >= 0).all():
        raise ValueError(f"{name}: expected numbers >= 0")
    try:
        return np.ascontiguousarray(np.broadcast_to(radii, shape)).reshape(-1)
    except ValueError:
        raise ValueError(
            f"{name}: expected one radius, or radii of shape {shape}, got shape {radii.shape}"
        ) from None


def as_workers(workers: Any) -> int:
    """Threads as the engine counts them: 0 for the library's setting, which SciPy calls -1."""
    if workers == -1:
        return 0
    return as_count(workers, "workers", most=1024)


def padded(distances: Points, rows: NDArray[Any], k: int, n: int) -> tuple[Points, NDArray[Any]]:
    """Answers (nq, k): what is missing has infinity and n."""
    missing = k - distances.shape[1]
    if missing <= 0:
        return distances, rows
    width = ((0, 0), (0, missing))
    return (
        np.pad(distances, width, constant_values=np.inf),
        np.pad(rows, width, constant_values=n),
    )


def as_row_lists(starts: NDArray[np.int64], rows: NDArray[np.int64]) -> list[list[int]]:
    """The rows of each query, which begin at its start, as lists."""
    flat, ends = rows.tolist(), starts.tolist()
    return [flat[begin:end] for begin, end in pairwise(ends)]
