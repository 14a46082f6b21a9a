"""Indexes tried out on one's own vectors: which to try, what each costs, and which to take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfold.base.arrays import Vectors, as_count, as_vectors
from kinfold.base.errors import RecallError
from kinfold.base.random import generator
from kinfold.index.base import Index
from kinfold.index.factory import index_factory
from kinfold.index.tune import Setting, tune

# Vectors to train with, for each cell and at least.
_SAMPLE_OF_CELL, _SAMPLE = 64, 32768


@dataclass(frozen=True)
class Trial:
    """One index, built and tuned.

    spec : as `index_factory` reads it
    n : vectors that it holds
    memory : bytes of all that it keeps: codes, ids, codebooks, and what serves only the search
    build_seconds : training and adding
    reached : whether ``setting`` has the recall that was wanted; else it is the nearest to it
    """

    spec: str
    n: int
    memory: int
    build_seconds: float
    setting: Setting
    reached: bool

    @property
    def bytes_per_vector(self) -> float:
        """The memory's share of a vector."""
        return self.memory / max(1, self.n)


def suggest(n: int, dim: int) -> list[str]:
    """Descriptions of indexes that are worth a try for n vectors of a dimension, the largest first.

    About 4 sqrt(n) cells, a power of two, as is usual for inverted indexes; product codes with 8 and, of four
    bits, 2 dimensions to a subquantizer, or what divides the dimension next to that.
    """
    n, dim = as_count(n, "n"), as_count(dim, "dim")
    if n < 1024:  # a scan of so few takes no time, and fewer than 256 teach no codebook
        return ["Flat", "SQ8"]
    cells = 1 << round(np.log2(min(4 * np.sqrt(n), n / 32)))
    specs = ["Flat", f"IVF{cells},Flat", f"IVF{cells},SQ8"]
    small, wide = _subquantizers(dim, 8), _subquantizers(dim, 2, even=True)
    if wide:
        specs.append(f"IVF{cells},PQ{wide}x4fs,RSQ8")
    if small:
        specs.append(f"IVF{cells},PQ{small},RSQ8")
        if n >= 500_000 and dim % 2 == 0 and small % 2 == 0:
            bits = round(np.log2(n) / 2)
            specs.append(f"IMI2x{bits},PQ{small},RSQ8")
        specs += [f"IVF{cells},PQ{small}", f"OPQ{small},IVF{cells},PQ{small}"]
    return specs


def attempt(
    spec: str,
    base: Any,
    queries: Any,
    truth: Any,
    k: int = 10,
    *,
    recall: float = 0.9,
    metric: str = "l2",
    seed: int = 0,
    verbose: bool = True,
    clock: Callable[[], float] = time.perf_counter,
    **choices: Any,
) -> Trial:
    """Build an index of the base vectors (n, d) and tune it; ids are row numbers.

    choices : of `kinfold.index.tune.tune`
    Raises ValueError for a spec that means nothing, or wants more vectors to train with.
    """
    vectors = as_vectors(base, "base")
    index = index_factory(spec, vectors.shape[1], metric=metric, seed=seed, verbose=verbose)
    sample = _sample(vectors, index.n_centroids, seed)
    start = clock()
    index.fit(sample)
    index.add(vectors)
    built = clock() - start
    try:
        setting, reached = (
            tune(index, queries, truth, k, recall=recall, verbose=verbose, clock=clock, **choices),
            True,
        )
    except RecallError as error:
        setting, reached = error.best, False
    return Trial(spec, len(index), memory_of(index), built, setting, reached)


def memory_of(index: Index) -> int:
    """Bytes of the arrays of an index, and of the copy that an exact one scans first."""
    kept = sum(array.nbytes for array in index.arrays().values())
    return int(kept + index.stats().get("filter_bytes", 0))


def recommend(trials: Iterable[Trial], memory: float | None = None) -> Trial | None:
    """The fastest of those that reach the recall within so many bytes; None where there is none."""
    fit = [t for t in trials if t.reached and (memory is None or t.memory <= memory)]
    return min(fit, key=lambda t: t.setting.seconds, default=None)


def _subquantizers(dim: int, width: int, *, even: bool = False) -> int:
    """How many of about ``width`` dimensions each; 0 where none between half and twice that divides."""
    found = [
        m
        for m in range(2, dim + 1)
        if dim % m == 0 and width / 2 <= dim / m <= 2 * width and not (even and m % 2)
    ]
    return min(found, key=lambda m: abs(np.log(dim / m / width)), default=0)


def _sample(vectors: Vectors, centroids: int, seed: int) -> Vectors:
    """Rows to train with, drawn without replacement: enough for each centroid."""
    size = max(_SAMPLE, _SAMPLE_OF_CELL * centroids)
    if len(vectors) <= size:
        return vectors
    rows = generator(seed).choice(len(vectors), size, replace=False)
    return vectors[np.sort(rows)]
