"""What ``kinfold bench`` works on: vectors, queries and truth from files, checked against each other."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kinfold.base.arrays import as_vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.random import generator
from kinfold.io.hdf5 import read_ann_benchmark
from kinfold.io.vectors import read_vectors

# ann-benchmarks' names of metrics, and ours.
_METRICS = {"euclidean": "l2", "angular": "cosine", "dot": "ip", "ip": "ip"}
# Held out of the vectors where no queries are given: this share, but no more than so many.
_SHARE, _QUERIES = 0.1, 1000


class BenchData(NamedTuple):
    """base (n, d), queries (q, d), the true neighbours' rows (q, m) or None, the metric, where queries are from."""

    base: Any
    queries: Any
    truth: Any
    metric: str
    held_out: bool


def read(options: argparse.Namespace) -> BenchData:
    """The files, checked against each other."""
    path = Path(options.vectors)
    queries = truth = metric = None
    if path.suffix in (".hdf5", ".h5"):
        whole = read_ann_benchmark(path)
        base, metric = whole.base, _METRICS.get(whole.metric or "euclidean")
        if metric is None and options.metric is None:
            raise FileFormatError(
                f"{path}: no metric of Kinfold's is {whole.metric!r}; choose one with --metric"
            )
        if options.queries is None:
            queries, truth = whole.queries, whole.neighbours
            if options.metric not in (None, metric) or truth.shape[1] < _needed(options):
                truth = None  # the file's is of another metric, or too short
    else:
        base = read_vectors(path)
    base = as_vectors(base, str(path))
    if options.queries is not None:
        queries = as_vectors(read_vectors(options.queries), options.queries, dim=base.shape[1])
    if options.truth is not None:
        if queries is None:
            raise ValueError("--truth: needs --queries, whose neighbours it holds")
        truth = _truth(options.truth, len(queries), len(base), options)
    held_out = queries is None
    if held_out:
        base, queries = _split(base, str(path))
    if options.k > len(base):
        raise ValueError(f"-k: expected at most the {len(base)} vectors, got {options.k}")
    return BenchData(base, queries, truth, options.metric or metric or "l2", held_out)


def _needed(options: argparse.Namespace) -> int:
    """Columns that a truth must have."""
    return int(options.k) if options.measure == "k@k" else 1


def _truth(path: str, queries: int, n: int, options: argparse.Namespace) -> Any:
    truth = read_vectors(path)
    needed = _needed(options)
    if truth.dtype.kind not in "iu" or truth.shape[0] != queries or truth.shape[1] < needed:
        raise FileFormatError(
            f"{path}: expected whole numbers ({queries}, {needed} or more), got {truth.dtype} of shape {truth.shape}"
        )
    if truth.min() < 0 or truth.max() >= n:
        raise FileFormatError(f"{path}: expected rows of the vectors, 0 to {n - 1}")
    return truth


def _split(base: Any, path: str) -> tuple[Any, Any]:
    """Vectors without some that become queries, drawn by a fixed seed."""
    if len(base) < 2:
        raise ValueError(f"{path}: expected at least two vectors, so that one can be a query")
    size = max(1, min(_QUERIES, int(_SHARE * len(base))))
    held = np.zeros(len(base), bool)
    held[generator(0).permutation(len(base))[:size]] = True
    return base[~held], base[held]
