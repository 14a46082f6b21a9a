"""How the benchmarks run: one library's threads at a time, each contestant's answers checked before it is timed.

KINFOLD_BENCH_CACHE=... pytest benchmarks/index --benchmark-json=flat.json
python -m benchmarks.ratios flat.json
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kinfold as kf
from kinfold import _core


@pytest.fixture
def one_library(request: pytest.FixtureRequest) -> Iterator[Callable[[int, str | None], None]]:
    """Set the threads of every library alike, and Kinfold's level."""
    before = _core.level()

    def settle(threads: int, level: str | None = None) -> None:
        kf.set_threads(threads)
        _core.set_level(level or _core.levels()[-1])
        try:
            import faiss
        except ImportError:
            return
        faiss.omp_set_num_threads(threads)

    yield settle
    _core.set_level(before)
    kf.set_threads(0)


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., Any]:
    """Time a call: one warm-up, three rounds, the least counts."""

    def run(call: Callable[[], Any], *, rounds: int = 3, warmup: int = 1, **info: Any) -> Any:
        benchmark.extra_info.update(info)
        return benchmark.pedantic(call, rounds=rounds, warmup_rounds=warmup, iterations=1)

    return run
