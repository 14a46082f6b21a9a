"""What came to a gallery and went since its index was written: a small file beside the large ones.

Index and inverted files are written whole now and then; what changes in between is appended, and read behind them.
Files of like size are joined, so that there are few, and each photo is written a few times however many come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.state import (
    JSON,
    Arrays,
    Restorable,
    add_prefix,
    check_only,
    strip_prefix,
    take,
)
from kinfold.gallery.mapped import MappedVectors
from kinfold.gallery.model import Model
from kinfold.index.flat import FlatIndex

# Written whole where so many photos came and went since the last time, or this share of all.
_FEW, _SHARE = 64, 1 / 8


class Added(Restorable):
    """Photos that went, and photos that came after.

    gone : int64 (m,), the ids of those that went
    ids : int64 (n,), of those that came
    vectors : float32 (n, d), or None where no engine gives any
    lists : by engine, what it keeps of them, as ``Table.row_arrays`` has it
    """

    kind: ClassVar[str] = "gallery.Added"

    def __init__(
        self, gone: Ids, ids: Ids, vectors: Vectors | None, lists: Mapping[str, Arrays]
    ) -> None:
        self.gone, self.ids, self.vectors, self.lists = gone, ids, vectors, dict(lists)

    @classmethod
    def of(
        cls, model: Model, gone: Ids, ids: Ids, index: Any | None, lists: Mapping[str, Any]
    ) -> Added:
        """Photos as the engines hold them: an index, and of each engine without vectors what keeps photos."""
        vectors = None if index is None else index.reconstruct(ids)
        return cls(gone, ids, vectors, {name: lists[name].row_arrays() for name in model.lists})

    def __len__(self) -> int:
        """How many photos came and went."""
        return len(self.gone) + len(self.ids)

    def tables(self, model: Model) -> dict[str, Any]:
        """What each engine without vectors keeps of the photos that came. Raises FileFormatError for bad rows."""
        found = {}
        if set(self.lists) != set(model.lists) or model.has_vectors != (self.vectors is not None):
            raise FileFormatError("holds photos of other engines")
        for name, engine in model.lists.items():
            found[name] = engine.empty().with_rows(self.lists[name])
            if not np.array_equal(np.sort(found[name].ids), np.sort(self.ids)):
                raise FileFormatError(f"{name} holds other photos than the rest")
        return found

    def apply(
        self, model: Model, index: FlatIndex | MappedVectors | None, lists: Mapping[str, Any]
    ) -> None:
        """Bring an index and what keeps photos from the state before to that after."""
        tables = self.tables(model)
        for part in (index, *lists.values()):
            if part is not None:
                part.remove(self.gone)
        if not len(self.ids):
            return
        try:
            if index is not None:
                if self.vectors is None or self.vectors.shape[1] != index.dim:
                    raise FileFormatError("holds vectors of another dimension")
                index.add(self.vectors, ids=self.ids)
            for name, engine in model.lists.items():
                engine.adopt(lists[name], tables[name])
        except ValueError as error:
            raise FileFormatError(str(error)) from None

    def then(self, model: Model, later: Added) -> Added:
        """Both, one after the other."""
        tables = self.tables(model)
        index = None
        if self.vectors is not None:
            index = FlatIndex(self.vectors.shape[1], metric="ip")
            index.add(self.vectors, ids=self.ids)
        later.apply(model, index, tables)
        kept = self.ids[~np.isin(self.ids, later.gone)]
        gone = np.union1d(self.gone, np.setdiff1d(later.gone, self.ids))
        return Added.of(model, gone, np.concatenate([kept, later.ids]), index, tables)

    def params(self) -> dict[str, JSON]:
        return {}

    def arrays(self) -> Arrays:
        arrays: Arrays = {"gone": self.gone, "ids": self.ids}
        if self.vectors is not None:
            arrays["vectors"] = self.vectors
        for name, held in self.lists.items():
            arrays |= add_prefix(name, held)
        return arrays

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Added:
        check_only(params, set(), "parameters")
        gone = take(arrays, "gone", np.int64, (None,))
        ids = take(arrays, "ids", np.int64, (None,))
        if len(np.unique(ids)) < len(ids) or np.isin(gone, ids).any() or ids.min(initial=0) < 0:
            raise FileFormatError("array 'ids': expected different ids, of photos that are there")
        vectors = None
        if "vectors" in arrays:
            vectors = np.ascontiguousarray(take(arrays, "vectors", np.float32, (len(ids), None)))
            if not np.isfinite(vectors).all():
                raise FileFormatError("array 'vectors': expected finite numbers")
        rest = [name for name in arrays if name not in ("gone", "ids", "vectors")]
        if not all("." in name for name in rest):
            raise FileFormatError(f"arrays: expected no {[n for n in rest if '.' not in n]}")
        names = {name.split(".", 1)[0] for name in rest}
        return cls(gone, ids, vectors, {name: strip_prefix(name, arrays) for name in names})


def few(changed: int, before: int) -> bool:
    """Whether so many changes, all since the last time, are appended to what was written whole of so many photos."""
    return changed <= max(_FEW, _SHARE * before)
