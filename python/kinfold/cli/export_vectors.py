"""Write what an index holds as .parquet (needs the extra arrow), .npy or .fvecs: vectors, and in Parquet their ids.

Of an index that keeps codes alone, the vectors that these stand for. Rows are in the order of their ids.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.errors import Remark
from kinfold.base.warn import warn_caller
from kinfold.cli.output import check_writable, show, write_json
from kinfold.io.parquet import LAYOUTS, write_parquet

SUMMARY = "the vectors of an index, as Parquet and other files"
_ENDINGS = (".parquet", ".npy", ".fvecs")
_PIECE = 1 << 22  # numbers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold export``."""
    parser.add_argument("index", help="a .kin file of an index")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help=", ".join(_ENDINGS))
    parser.add_argument(
        "--layout", choices=tuple(LAYOUTS), default="milvus",
        help="whose columns the Parquet file has (default: milvus: id and vector; pinecone: id and values)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Decode piece by piece, and write."""
    from kinfold.index.base import Index
    from kinfold.io.kin import load
    from kinfold.io.npy import write_npy
    from kinfold.io.vecs import write_vecs

    ending = Path(options.out).suffix
    if ending not in _ENDINGS:
        raise ValueError(
            f"--out: expected a name ending in {', '.join(_ENDINGS)}, got {options.out}"
        )
    for target in filter(None, (options.json, options.out)):
        check_writable(target)
    index = load(options.index, mmap=True)
    if not isinstance(index, Index):
        raise ValueError(
            f"{options.index}: expected an index of vectors, got {type(index).__name__}"
        )
    if not len(index):
        raise ValueError(f"{options.index}: expected vectors, got an empty index")
    if not index.keeps_vectors:
        warn_caller("the index keeps codes: written are the vectors that they stand for", Remark)
    if ending == ".parquet":
        write_parquet(options.out, _pieces(index), layout=options.layout)
    else:
        ids = np.sort(index.ids)
        if (ids != np.arange(len(ids))).any():
            warn_caller(f"{ending} has no ids: rows are in their order", Remark)
        vectors = np.concatenate([vectors for vectors, _ in _pieces(index)])
        (write_npy if ending == ".npy" else write_vecs)(options.out, vectors)
    facts = {"file": options.out, "vectors": len(index), "dim": index.dim}
    if options.json:
        write_json(options.json, facts)
    if options.json != "-":
        show(f"{options.out}: {len(index)} vectors of dimension {index.dim}")
    return 0


def _pieces(index: Any) -> Iterator[tuple[Any, Any]]:
    ids = np.sort(index.ids)
    step = max(1, _PIECE // index.dim)
    for at in range(0, len(ids), step):
        yield index.reconstruct(ids[at : at + step]), ids[at : at + step]
