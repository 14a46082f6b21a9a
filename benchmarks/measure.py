"""What the programs for compressed indexes share: the truth, recall, and times taken in turn."""

from __future__ import annotations

import time
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data
from kinfold import _core

Name = TypeVar("Name", bound=Hashable)
# Neighbours of the truth: more than are asked for, so that ties can be told.
DEPTH = 100
# A library's idle threads go on spinning for a while: let them rest before another's turn.
REST = 0.05


class Truth(NamedTuple):
    """The exact nearest neighbours of each query."""

    distances: NDArray[np.float32]
    ids: NDArray[np.int64]


class Set(NamedTuple):
    """Vectors to learn from, to search in and to search for, and the answers."""

    train: NDArray[np.float32]
    base: NDArray[np.float32]
    queries: NDArray[np.float32]
    truth: Truth


def options(parser: ArgumentParser, *, sizes: bool = False) -> None:
    """The options that all programs have; ``sizes``: --n takes several."""
    parser.add_argument("--data", choices=data.SETS, default="sift")
    if sizes:
        parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000, data.MILLION])
    else:
        parser.add_argument("--n", type=int, default=data.MILLION, help="base vectors")
    parser.add_argument("--threads", type=int, default=1, help="of every library")
    parser.add_argument(
        "--level",
        choices=_core.levels(),
        help="Kinfold's instruction set; faiss reads FAISS_SIMD_LEVEL (NONE, AVX2, AVX512, AVX512_SPR)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="the best counts")
    parser.add_argument("--out", type=Path, help="write the figures here")


def settle(arguments: Namespace) -> dict[str, Any]:
    """Set every library's threads and Kinfold's level; returns what describes the run."""
    kf.set_threads(arguments.threads)
    if arguments.level is not None:
        _core.set_level(arguments.level)
    versions = {"kinfold": kf.__version__}
    try:
        import faiss
    except ImportError:
        pass
    else:
        faiss.omp_set_num_threads(arguments.threads)
        versions["faiss"] = faiss.__version__
    return {
        "data": arguments.data, "threads": arguments.threads, "level": _core.level(), "versions": versions,
    }  # fmt: skip


def loaded(name: str, n: int) -> Set:
    """A set with its truth."""
    parts = data.SETS[name](n)
    base, queries = parts["base"], parts["queries"]
    slices = (base[at : at + data.MILLION] for at in range(0, n, data.MILLION))
    return Set(parts["train"], base, queries, truth(name, n, queries, slices))


def truth(name: str, n: int, queries: NDArray[Any], parts: Iterable[NDArray[Any]]) -> Truth:
    """The nearest of n base vectors, given part by part; kept in the cache folder."""
    path = data.CACHE / f"truth-{name}-{n}.npz"
    stamp = zlib.crc32(queries.tobytes())
    if path.exists():
        with np.load(path) as file:
            if int(file["stamp"]) == stamp:
                return Truth(file["distances"], file["ids"])
    distances = np.full((len(queries), 0), np.float32(np.inf))
    ids = np.full((len(queries), 0), np.int64(-1))
    start = 0
    for part in parts:
        index = kf.FlatIndex(part.shape[1])
        index.add(part, np.arange(start, start + len(part)))
        found = index.search(queries, DEPTH)
        distances = np.concatenate([distances, found.distances], axis=1)
        ids = np.concatenate([ids, found.ids], axis=1)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :DEPTH]
        distances = np.take_along_axis(distances, nearest, axis=1)
        ids = np.take_along_axis(ids, nearest, axis=1)
        start += len(part)
    np.savez(path, distances=distances, ids=ids, stamp=stamp)
    return Truth(distances, ids)


def recall(found: NDArray[np.int64], truth: Truth, k: int, within: int) -> float:
    """The share of the k true nearest neighbours that are among the first ``within`` answers; ties are as good."""
    d, ids = truth.distances[: len(found)], truth.ids[: len(found)]
    ids = np.where(d <= d[:, k - 1 : k], ids, -2)
    hits = (found[:, :within, None] == ids[:, None, :]).any(axis=2).sum(axis=1)
    return float(np.minimum(hits, k).mean() / k)


def fastest(
    calls: dict[Name, Callable[[], Any]], rounds: int, *, longest: float = 20.0
) -> dict[Name, float]:
    """The least seconds of each call, taken in turn; what takes longer than ``longest`` is called once."""
    least = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            if np.isfinite(least[name]) and least[name] > longest:
                continue
            time.sleep(REST)
            least[name] = min(least[name], seconds(call)[0])
    return least


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call took, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def bytes_on_disk(path: Path) -> int:
    """The size of a file, or of all files of a folder."""
    return sum(
        p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file()
    )


def row(cells: Iterable[Any]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def heading(cells: list[str]) -> str:
    """The head of a Markdown table."""
    return row(cells) + "\n|" + "---|" * len(cells)
