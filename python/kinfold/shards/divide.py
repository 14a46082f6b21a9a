"""Which shard an id belongs to, and how one index becomes several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_ids, as_path
from kinfold.base.offered import call_by_name
from kinfold.base.state import Arrays, restored
from kinfold.index.base import Index
from kinfold.io import kin
from kinfold.shards.manifest import ShardFile, digest_of, new_file, write_manifest

# Rows that are moved at once.
_CHUNK = 1 << 18


def shard_of(ids: Any, n: int) -> NDArray[np.intp]:
    """The shard, of n, that a new row with this id goes to: int (m,).

    By the id's bits, mixed: ids with a pattern of their own spread evenly, too. Steele, Lea & Flood, OOPSLA 2014
    (SplitMix64's finalizer).

    Examples
    --------
    >>> kf.shards.shard_of([0, 1, 2, 3], 2).tolist()
    [1, 1, 0, 0]
    """
    bits = as_ids(ids, "ids").astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((bits ^ (bits >> np.uint64(31))) % np.uint64(n)).astype(np.intp)


def divide(
    index: Index[Any] | str | os.PathLike[str], folder: str | os.PathLike[str], n: int
) -> None:
    """Make n shards of an index: files in a folder, which is made where it is not there; the index stays as it is.

    index : one of vectors, or its file, which is mapped: memory holds one shard
    n : how many, from 1
    Each has all that was learnt, and the rows whose ids ``shard_of`` gives it. Raises ValueError for a KDTree or a
    RegionalIndex, FileExistsError where the folder holds shards already.

    Examples
    --------
    >>> index = kf.FlatIndex(2)
    >>> ids = index.add([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> import tempfile
    >>> kf.shards.divide(index, folder := tempfile.mkdtemp(), 2)
    >>> with kf.ShardedIndex.open(folder, workers="here") as shards:
    ...     shards.search([3.0, 3.0], k=2)
    Neighbours(distances=array([ 1., 18.], dtype=float32), ids=array([1, 0]))
    """
    whole = index if not isinstance(index, (str, os.PathLike)) else kin.load(index, mmap=True)
    if not isinstance(whole, Index):
        raise ValueError(
            f"index: expected one of vectors with ids (a KDTree and a RegionalIndex are not divided), got {whole!r}"
        )
    into, count = as_path(folder, "folder"), as_count(n, "n", most=9999)
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise FileExistsError(f"{into}: expected an empty folder for the shards")
    held = whole._require_fitted()
    params, arrays = whole.params(), whole._learnt()
    files = []
    for number in range(count):
        part = restored(type(whole), params, {**arrays, **empty(whole.row_arrays())})
        for rows in held.parts:
            living = rows.living_rows()
            mine = living[shard_of(rows.ids[living], count) == number]
            for at in range(0, len(mine), _CHUNK):
                part._take_in(whole._batch(rows, mine[at : at + _CHUNK]))
        part._hold(part._require_fitted().parts, held.next_id)
        path = new_file(into, number)
        part.save(path)
        files.append(ShardFile(path, digest_of(path)))
    write_manifest(into, files)


def empty(rows: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of rows, without any."""
    return {
        name: array if name == "next_id" else array[:0]
        for name, array in rows.items()
        if not name.startswith("rows.")
    }


def learnt_alone(cls: type[Index[Any]], arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of a file of an index, without its rows."""
    held = cls._HELD.values()
    declared = {n: a for n, a in arrays.items() if any(h.holds(n) for h in held)}
    return {**declared, **empty({n: a for n, a in arrays.items() if n not in declared})}


call_by_name(__name__)
