"""One index whose rows are divided among files, searched where they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from kinfold.base.arrays import Ids, Vectors, as_count, as_ids, as_ndarray, as_path, read_only
from kinfold.base.errors import FileFormatError
from kinfold.base.locks import Lock
from kinfold.base.ranking import Neighbours
from kinfold.base.registry import class_of
from kinfold.base.state import JSON, restored
from kinfold.index.base import Index, RangeResult
from kinfold.index.codecs.scale import warn_of_beyond
from kinfold.io import kin
from kinfold.shards.crew import Crew
from kinfold.shards.divide import learnt_alone, shard_of
from kinfold.shards.manifest import (
    ShardFile,
    digest_of,
    new_file,
    read_manifest,
    write_manifest,
)
from kinfold.shards.scattered import Scattered
from kinfold.store.keyed import as_new_ids, last_of

if TYPE_CHECKING:
    from typing_extensions import Self

# Vectors that are encoded at once.
_CHUNK = 65536


class ShardedIndex:
    """An index in several files, each opened in a worker; asked as one index is.

    Answers are those of one index that holds all rows, bit for bit, ties included: shards share all that was learnt,
    queries are checked and prepared once, and a second look is taken at one shortlist of all. Two exceptions, by the
    nature of the thing: where a `CandidateIndex` looks at ``checks`` rows, each shard looks at as many, along trees and
    tables of its own rows (with ``checks=0``, at all rows, answers are equal); and the ``budget`` of a multi-index
    counts removed rows until they are packed away, which shards do at their own times (equal after ``compact``).

    files : of shards, `.kin` files of one kind that were trained alike; no id is in two of them
    workers : "process" (one for each shard on this machine), "here" (this process, one shard after the other) or
        "ray" (actors; the files must be there for each of them)
    mmap : map the files instead of reading them
    threads : of each worker; 0 divides this process's among them

    Vectors are encoded here and go to the shard that ``shards.shard_of`` says; their changes live in the workers until
    ``save``. A worker that is killed is started anew from its file, given what it had been given since, and asked
    again: where it ends again, WorkerError. Several threads may ask; they are answered one after the other.

    Examples
    --------
    >>> index = kf.FlatIndex(2)
    >>> ids = index.add([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    >>> import tempfile
    >>> kf.shards.divide(index, folder := tempfile.mkdtemp(), 2)
    >>> shards = kf.ShardedIndex.open(folder, workers="here")
    >>> shards.search([[3.0, 3.0]], k=1).ids.tolist(), len(shards)
    ([[1]], 3)
    """

    def __init__(
        self,
        files: Sequence[str | os.PathLike[str]],
        *,
        workers: str = "process",
        mmap: bool = False,
        threads: int = 0,
    ) -> None:
        given = [as_path(file, "files").absolute() for file in files]
        if not given:
            raise ValueError("files: expected at least one")
        self._open([ShardFile(file, digest_of(file)) for file in given], workers, threads, mmap)
        ids = self.ids
        if (ids[1:] == ids[:-1]).any():
            self.close()
            twice = ids[1:][ids[1:] == ids[:-1]][0]
            raise ValueError(f"files: id {twice} is in two of them")

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        workers: str = "process",
        mmap: bool = False,
        threads: int = 0,
    ) -> Self:
        """The shards of a folder that ``shards.divide`` or ``save`` wrote; the rest as for the class.

        Raises FileNotFoundError for a folder without shards, FileFormatError for files that are not those it names.
        """
        made = cls.__new__(cls)
        made._open(read_manifest(as_path(folder, "folder").absolute()), workers, threads, mmap)
        return made

    def _open(self, files: list[ShardFile], workers: str, threads: int, mmap: bool) -> None:
        self._lock = Lock()
        # Of the first, what was learnt; the others must have learnt the same.
        kind, params, arrays = kin.read(files[0].path, mmap=True)
        cls = class_of(kind)
        if not issubclass(cls, Index):
            raise ValueError(f"files: expected indexes of vectors with ids, got {kind}")
        learnt = learnt_alone(cls, arrays)
        self._index: Any = restored(cls, params, learnt)
        sums = {name: kin.header(files[0].path).checksums[name] for name in self._index._learnt()}
        for file in files[1:]:
            head = kin.header(file.path)
            alike = {name: head.checksums.get(name) for name in sums} == sums
            if (head.kind, head.params) != (kind, params) or not alike:
                raise FileFormatError(f"{file.path}: was not made and trained as {files[0].path}")
        count = as_count(threads, "threads", least=0)
        self._crew = Crew(workers, files, threads=count, mmap=mmap)
        self._rows = self._index._held = Scattered(self._crew, self._index)

    # --- what there is ---------------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self._index.dim)

    @property
    def metric(self) -> str:
        """ "l2", "ip" or "cosine"."""
        return str(self._index.metric)

    @property
    def ids(self) -> Ids:
        """The ids of all rows, int64 (n,), ascending; a mask given as ``filter`` follows them. Read-only."""
        with self._lock:
            return read_only(self._rows.ids)

    @property
    def pids(self) -> list[int | None]:
        """Numbers of the workers' processes, None for those here."""
        return self._crew.pids

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, (int, np.integer)) or not 0 <= id < 1 << 63:
            return False
        with self._lock:
            return bool(self._rows.owners(np.array([id]))[0] >= 0)

    def __repr__(self) -> str:
        shards = len(self._crew)
        return f"ShardedIndex({self._index.kind}, dim={self.dim}, {shards} shards, n={len(self)})"

    def stats(self) -> dict[str, JSON]:
        """Rows, shards, where their workers are, and each one's own figures."""
        with self._lock:
            parts = self._crew.each("stats")
        files = [str(file.path) for file in self._crew.files]
        return {
            "n": len(self),
            "shards": len(parts),
            "workers": self._crew.place,
            "parts": [{"file": file, **stats} for file, stats in zip(files, parts)],
        }

    # --- questions -------------------------------------------------------------------------------------

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        filter: ArrayLike | None = None,
        threads: int = 0,
        **options: Any,
    ) -> Neighbours:
        """The k nearest neighbours of each query: see the ``search`` of the index's kind, whose options these are.

        filter : ids that may answer, or a boolean mask over ``ids``
        threads : of each worker; 0 for its setting
        Returns distances float32 (n, k) and ids int64 (n, k). Raises WorkerError besides.
        """
        with self._lock:
            found: Neighbours = self._index.search(
                queries, k, filter=filter, threads=threads, **options
            )
            return found

    def range_search(
        self,
        queries: ArrayLike,
        radius: float,
        *,
        filter: ArrayLike | None = None,
        threads: int = 0,
        **options: Any,
    ) -> RangeResult:
        """All vectors within a radius of each query: see the ``range_search`` of the index's kind.

        Returns starts int64 (n + 1,), distances float32 and ids int64 of all entries.
        """
        with self._lock:
            found: RangeResult = self._index.range_search(
                queries, radius, filter=filter, threads=threads, **options
            )
            return found

    def reconstruct(self, ids: ArrayLike) -> Vectors:
        """What is stored of the vectors with these ids, float32 (n, d); ValueError names one that is not there."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            owners = self._owners(wanted)
            out = np.empty((len(wanted), self.dim), np.float32)
            calls = {int(n): (wanted[owners == n],) for n in np.unique(owners)}
            for number, vectors in zip(calls, self._crew.some("reconstruct", calls)):
                out[owners == number] = vectors
            return out

    # --- changes ---------------------------------------------------------------------------------------

    def add(self, x: ArrayLike, ids: ArrayLike | None = None) -> Ids:
        """Add vectors (n, d) and return their ids, which number on where none are given.

        x : an array, memory-mapped or not, which is read in pieces
        Raises ValueError for ids that are there already or occur twice; then nothing is added.
        """
        array = as_ndarray(x, "x")
        given = as_new_ids(ids, len(array))
        with self._lock:
            n, first = len(array), self._rows.next_id
            if given is not None and (known := self._rows.owners(given) >= 0).any():
                raise ValueError(f"ids: {given[known][0]} is in the index already; use update")
            if given is None and first + n > 1 << 63:
                raise ValueError(f"ids: none are left to number on from {first}; give ids")
            new = np.arange(first, first + n, dtype=np.int64) if given is None else given
            owners = shard_of(new, len(self._crew))
            beyond = 0
            with self._crew.all_or_nothing():
                for at in range(0, max(n, 1), _CHUNK):
                    piece = slice(at, at + _CHUNK)
                    vectors = self._index._prepared(array[piece], "x", empty=True)
                    beyond += self._take_in(vectors, new[piece], owners[piece])
            self._rows.next_id = max(first, int(new.max(initial=-1)) + 1)
            self._rows.refresh()
        warn_of_beyond(beyond, n)
        return new

    def update(self, ids: ArrayLike, x: ArrayLike) -> None:
        """Replace the vectors of ids that are in the index; ValueError names one that is not."""
        vectors = self._index._prepared(x, "x", empty=True)
        wanted = as_ids(ids, "ids", n=len(vectors))
        last = last_of(wanted)
        wanted, vectors = wanted[last], vectors[last]
        with self._lock:
            owners = self._owners(wanted)
            with self._crew.all_or_nothing():
                beyond = self._take_in(vectors, wanted, owners)
            self._rows.refresh()
        warn_of_beyond(beyond, len(wanted))

    def remove(self, ids: ArrayLike) -> int:
        """Remove rows by id and return how many were there; unknown ids are ignored."""
        wanted = np.unique(as_ids(ids, "ids"))
        with self._lock:
            owners = self._rows.owners(wanted)
            calls = {int(n): (wanted[owners == n],) for n in np.unique(owners[owners >= 0])}
            with self._crew.all_or_nothing():
                removed = sum(self._crew.change("remove", calls))
            self._rows.refresh()
            return int(removed)

    def compact(self) -> Self:
        """Drop what was removed, in every shard."""
        with self._lock:
            with self._crew.all_or_nothing():
                self._crew.change("compact", dict.fromkeys(range(len(self._crew)), ()))
            self._rows.refresh()
        return self

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write all shards into a folder, which ``open`` opens; it is made where it is not there.

        The manifest is replaced when every shard is written: whatever stops it, the folder holds the old shards or the
        new ones. From then on workers are started anew from these files.
        """
        into = as_path(folder, "folder").absolute()
        into.mkdir(parents=True, exist_ok=True)
        with self._lock:
            paths = [new_file(into, number) for number in range(len(self._crew))]
            digests = self._crew.some("save", {n: (path,) for n, path in enumerate(paths)})
            files = [ShardFile(path, digest) for path, digest in zip(paths, digests)]
            # Told before the old files go.
            self._crew.saved(files)
            write_manifest(into, files)

    def close(self) -> None:
        """End the workers; what was not saved is gone."""
        self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- inside ----------------------------------------------------------------------------------------

    def _owners(self, ids: Ids) -> Any:
        """The shards that ids are in; ValueError for one that is in none."""
        owners = self._rows.owners(ids)
        if (owners < 0).any():
            raise ValueError(f"ids: {ids[owners < 0][0]} is not in the index")
        return owners

    def _take_in(self, vectors: Any, ids: Ids, owners: Any) -> int:
        """Encode vectors and give them to their shards; how many lie beyond what 8-bit numbers hold."""
        if not len(ids):
            return 0
        batch = self._index._encoded(vectors, ids)
        rows = {int(n): np.flatnonzero(owners == n) for n in np.unique(owners)}
        self._crew.change("take_in", {n: (batch.taken(mine),) for n, mine in rows.items()})
        return int(batch.beyond)
