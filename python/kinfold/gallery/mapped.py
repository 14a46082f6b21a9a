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
        self._order = np.argsort(self.ids, kind="stable")
        if (np.diff(self.ids[self._order]) == 0).any():
            raise FileFormatError(f"{path}: an id occurs twice")

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self.vectors.shape[1])

    def reconstruct(self, ids: Ids) -> Vectors:
        """The vectors of some ids, all of which are there: float32 (n, d)."""
        rows = self._order[np.searchsorted(self.ids, ids, sorter=self._order)]
        return np.asarray(self.vectors[rows])
