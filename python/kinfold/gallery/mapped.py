"""The vectors of a gallery with an index under them: mapped, and read where a shortlist or the graph asks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.state import take
from kinfold.index.flat import FlatIndex
from kinfold.io import kin


class MappedVectors:
    """The rows of a saved ``FlatIndex``, to be read by their ids alone.

    ids : int64 (n,); vectors : float32 (n, d)
    """

    def __init__(self, path: Path) -> None:
        kind, _, arrays = kin.read(path, mmap=True)
        if kind != FlatIndex.kind:
            raise FileFormatError(f"{path}: expected a {FlatIndex.kind}, got {kind}")
        try:
            self.vectors: Vectors = take(arrays, "vectors", np.float32, (None, None))
            self.ids: Ids = np.array(take(arrays, "ids", np.int64, (len(self.vectors),)))
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None
        self._rows, self._more = np.arange(len(self.ids)), np.empty((0, self.dim), np.float32)
        self._order = np.argsort(self.ids, kind="stable")
        if (np.diff(self.ids[self._order]) == 0).any():
            raise FileFormatError(f"{path}: an id occurs twice")

    def remove(self, ids: Ids) -> None:
        """Forget rows; what is not there is passed over."""
        kept = ~np.isin(self.ids, ids)
        if not kept.all():
            self.ids, self._rows = self.ids[kept], self._rows[kept]
            self._order = np.argsort(self.ids, kind="stable")

    def add(self, vectors: Vectors, ids: Ids) -> None:
        """More rows behind the others, in memory."""
        if np.isin(ids, self.ids).any():
            raise FileFormatError("an id occurs twice")
        self._rows = np.concatenate(
            [self._rows, len(self.vectors) + len(self._more) + np.arange(len(ids))]
        )
        self._more = np.concatenate([self._more, vectors])
        self.ids = np.concatenate([self.ids, ids])
        self._order = np.argsort(self.ids, kind="stable")

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self.vectors.shape[1])

    def reconstruct(self, ids: Ids) -> Vectors:
        """The vectors of some ids, all of which are there: float32 (n, d)."""
        rows = self._rows[self._order[np.searchsorted(self.ids, ids, sorter=self._order)]]
        late = rows >= len(self.vectors)
        if not late.any():
            return np.asarray(self.vectors[rows])
        found = np.empty((len(rows), self.dim), np.float32)
        found[~late] = self.vectors[rows[~late]]
        found[late] = self._more[rows[late] - len(self.vectors)]
        return found
