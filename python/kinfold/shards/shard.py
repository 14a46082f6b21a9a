"""What lives in a worker: one index from its file, and what is asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.state import JSON
from kinfold.base.threads import set_threads
from kinfold.index.rows import Batch
from kinfold.io import kin
from kinfold.shards.manifest import digest_of


class Shard:
    """Part of the rows of an index.

    path, digest : the file, and what it must be
    mmap : map it instead of reading it
    threads : that a search may use where it does not say; None leaves what this process has
    """

    def __init__(self, path: Path, digest: str, mmap: bool, threads: int | None) -> None:
        if digest_of(path) != digest:
            raise FileFormatError(f"{path}: is another file than the shard that was opened")
        if threads is not None:
            set_threads(threads)
        self.index: Any = kin.load(path, mmap=mmap)
        self._looked: tuple[Any, Any] = (None, None)  # the rows, and the first look at them
        self._counted: tuple[Any, ...] = ()

    def facts(self) -> dict[str, int]:
        """How many rows live, how many there are, and what ids number on from."""
        held = self.index._require_fitted()
        return {"n": len(held), "rows": sum(map(len, held.parts)), "next_id": held.next_id}

    def ids(self) -> Ids:
        """The ids of all rows."""
        ids: Ids = self.index._require_fitted().ids
        return ids

    def has(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of some ids are here."""
        found = np.zeros(len(ids), bool)
        for part in self.index._require_fitted().parts:
            found |= part.find(ids) >= 0
        return found

    # --- questions -------------------------------------------------------------------------------------

    def search(self, method: str, arguments: tuple[Any, ...], filter: Any, first: bool) -> Any:
        """What a search of the compiled ones gives; first : without the second look."""
        held = self.index._require_fitted()
        scan = self._first(held) if first else held.scan
        admitted = self.index._admitted(held, filter)
        return getattr(scan, method)(*arguments, admitted, *self._counted)

    def second_look(self, queries: Vectors, starts: Ids, ids: Ids, threads: int) -> Vectors:
        """The finer distances of each query to ids that are named for it."""
        held = self.index._require_fitted()
        found: Vectors = self.index._second_look(held, queries, starts, ids, threads)
        return found

    def _first(self, held: Any) -> Any:
        if self._looked[0] is not held:
            self._looked = held, self.index._first_look(held)
        return self._looked[1]

    def cells(self) -> tuple[NDArray[np.uint32], Ids]:
        """Cells that have rows, and how many, removed ones too: as a budget counts them."""
        parts = self.index._require_fitted().parts
        cells = np.concatenate([np.empty(0, np.uint32), *(part.cells for part in parts)])
        sizes = np.concatenate([np.empty(0, np.int64), *(np.diff(part.starts) for part in parts)])
        return cells, sizes

    def count_by(self, cells: NDArray[np.uint32], starts: Ids) -> None:
        """From here on budgets count the rows that these cells have in all shards."""
        self._counted = (_core.lists.Directory(self.index.coarse.n_cells, cells, starts),)

    def reconstruct(self, ids: Ids) -> Vectors:
        """What is stored of rows."""
        found: Vectors = self.index.reconstruct(ids)
        return found

    def stats(self) -> dict[str, JSON]:
        """Sizes, as the index has them."""
        found: dict[str, JSON] = self.index.stats()
        return found

    # --- changes ---------------------------------------------------------------------------------------

    def take_in(self, batch: Batch) -> None:
        """Rows that were encoded; those of ids that are here are replaced."""
        self.index._take_in(batch)

    def remove(self, ids: Ids) -> int:
        """Remove rows; how many were here."""
        removed: int = self.index.remove(ids)
        return removed

    def compact(self) -> None:
        """Drop what was removed, where the kind keeps it."""
        if hasattr(self.index, "compact"):
            self.index.compact()

    def save(self, path: Path) -> str:
        """Write all to a file; its digest."""
        self.index.save(path)
        return digest_of(path)
