"""Make an index of vectors: a .parquet (needs the extra arrow), .npy, .fvecs, .bvecs or .ivecs file.

Parquet keeps ids, is read row group by row group, and is what Milvus, Pinecone and other stores export.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.cli.options import add_counts
from kinfold.cli.output import check_writable, show, write_json

if TYPE_CHECKING:
    from kinfold.base.arrays import Ids

SUMMARY = "an index of vectors from Parquet and other files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold import``."""
    from kinfold.base.metrics import METRICS

    parser.add_argument("vectors", help="file of vectors")
    parser.add_argument("-o", "--out", required=True, metavar="INDEX", help="the .kin file")
    parser.add_argument(
        "--index", default="Flat", metavar="SPEC", help='such as "IVF1024,PQ16" (default: Flat)'
    )
    parser.add_argument("--metric", choices=METRICS, default="l2", help="default: l2")
    parser.add_argument("--column", metavar="NAME", help="of the vectors, in Parquet")
    parser.add_argument(
        "--ids", metavar="NAME", help='column of the ids, in Parquet (default: id; "" to number)'
    )
    add_counts(parser, ("--sample", 100_000, "vectors that the index learns from, at most"))


def run(options: argparse.Namespace) -> int:
    """Learn from a sample, add piece by piece, save."""
    from kinfold.index.factory import index_factory

    for target in filter(None, (options.json, options.out)):
        check_writable(target)
    source = _source(options)
    index = index_factory(options.index, source.dim, metric=options.metric, verbose=not options.quiet)  # fmt: skip
    index.fit(source.sample(options.sample))
    for vectors, ids in source.pieces():
        index.add(vectors, ids)
    index.save(options.out)
    facts = {"index": options.out, "vectors": len(index), "dim": index.dim, "kind": options.index}
    if options.json:
        write_json(options.json, facts)
    if options.json != "-":
        show(f"{options.out}: {len(index)} vectors of dimension {index.dim}, {options.index}")
    return 0


class _Source:
    """Vectors of a file, in pieces: dim, pieces and an evenly spaced sample."""

    def __init__(self, n: int, dim: int, pieces: Any) -> None:
        self.n, self.dim, self.pieces = n, dim, pieces

    def sample(self, most: int) -> NDArray[Any]:
        """At most so many vectors, from all over the file."""
        rows = np.unique(np.linspace(0, self.n - 1, min(self.n, most)).astype(np.int64))
        found, at = [], 0
        for vectors, _ in self.pieces():
            low, high = np.searchsorted(rows, [at, at + len(vectors)])
            found.append(vectors[rows[low:high] - at])
            at += len(vectors)
        return np.concatenate(found)


def _source(options: argparse.Namespace) -> _Source:
    from kinfold.io.parquet import ParquetVectors
    from kinfold.io.vectors import read_vectors

    if Path(options.vectors).suffix == ".parquet":
        file = ParquetVectors(options.vectors, vectors=options.column, ids=options.ids)
        return _Source(len(file), file.dim, file.pieces)
    for name in ("column", "ids"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name}: expected a .parquet file, got {options.vectors}")
    table = read_vectors(options.vectors, mmap=True)

    def pieces() -> Iterator[tuple[NDArray[Any], Ids | None]]:
        yield table, None  # an index reads what is memory-mapped in pieces itself

    n, dim = table.shape
    return _Source(n, dim, pieces)
