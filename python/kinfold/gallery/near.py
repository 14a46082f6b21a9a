"""The neighbour lists under a gallery's graph, and what new photos need to enter them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.state import JSON, Arrays, Restorable, check_only, check_range, take
from kinfold.gallery.copies import Copies
from kinfold.graph.knn import KNNGraph

_ARRAYS = {"ids", "first", "keys", "near", "similarities", "floors"}


class Near(Restorable):
    """The k most similar others of each photo that is no copy of one before it; of copies nothing.

    ids : int64 (n,), the photos; all else numbers them by their place here
    copies : of these photos, as ``copies.copies_of`` found them
    near : int32 (n, k), -1 past the end; similarities : float32 (n, k), 0 there
    floors : float32 (n, engines), how similar a photo has to be for an engine to propose it, see ``Fused.near``
    """

    kind: ClassVar[str] = "gallery.Near"

    def __init__(
        self,
        ids: Ids,
        copies: Copies,
        near: NDArray[np.int32],
        similarities: Vectors,
        floors: Vectors,
    ) -> None:
        self.ids, self.copies = ids, copies
        self.near, self.similarities, self.floors = near, similarities, floors

    @property
    def k(self) -> int:
        """Length of the lists."""
        return int(self.near.shape[1])

    def graph(self, gamma: float = 3.0) -> KNNGraph:
        """The reciprocal graph of all photos; its nodes are places in ``ids``. Copies are joined to each other."""
        n, first = len(self.ids), self.copies.first
        nodes = np.flatnonzero(first == np.arange(n))
        number = np.full(n + 1, -1)
        number[nodes] = np.arange(len(nodes))
        lists = number[self.near[nodes]]
        graph = KNNGraph.from_neighbours(self.similarities[nodes], lists, k=self.k, gamma=gamma)
        if len(nodes) == n:
            return graph
        return graph.with_copies(first, np.ones(len(graph), np.float32))

    def params(self) -> dict[str, JSON]:
        return {}

    def arrays(self) -> Arrays:
        first, keys = self.copies
        return {
            "ids": self.ids,
            "first": first,
            "keys": keys,
            "near": self.near,
            "similarities": self.similarities,
            "floors": self.floors,
        }

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Near:
        check_only(params, set(), "parameters")
        check_only(arrays, _ARRAYS, "arrays")
        ids = take(arrays, "ids", np.int64, (None,))
        n = len(ids)
        first = take(arrays, "first", np.int64, (n,))
        check_range(first, n, "first")
        if (first > np.arange(n)).any() or (first[first] != first).any():
            raise FileFormatError("array 'first': expected the first copy of each photo")
        near = take(arrays, "near", np.int32, (n, None))
        if near.shape[1] < 1 or near.min(initial=-1) < -1 or near.max(initial=-1) >= n:
            raise FileFormatError(f"array 'near': expected places below {n}, or -1")
        similarities = take(arrays, "similarities", np.float32, near.shape)
        if not np.isfinite(similarities).all():
            raise FileFormatError("array 'similarities': expected finite numbers")
        floors = take(arrays, "floors", np.float32, (n, None))
        if np.isnan(floors).any():
            raise FileFormatError("array 'floors': expected numbers")
        keys = take(arrays, "keys", np.uint64, (n,))
        return cls(ids, Copies(first, keys), near, similarities, floors)
