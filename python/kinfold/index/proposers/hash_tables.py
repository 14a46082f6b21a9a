"""Tables of short sign codes with multi-probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors
from kinfold.base.learnt import Part
from kinfold.base.parameters import Choice, Count, Flag
from kinfold.base.state import Arrays, check_only, check_range, check_starts, take
from kinfold.index.codecs.raw import floats_of
from kinfold.index.proposers.base import Proposer
from kinfold.quantize.sign import PROJECTIONS, SignQuantizer


class HashTables(Proposer):
    """Locality-sensitive hashing: several tables whose keys are the signs of random projections.

    A query looks into its own bucket of each table, then into those of which the fewest and nearest hyperplanes
    separate it: sets of crossed hyperplanes by ascending sum of squared distances to them.

    bits : of a key, at most 24
    tables : how many
    projection, centred, seed : see SignQuantizer

    Charikar, STOC 2002; Lv, Josephson, Wang, Charikar and Li, VLDB 2007.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> index = kf.CandidateIndex(8, kf.HashTables(bits=4, tables=2)).train(x)
    >>> len(index.add(x))
    200
    """

    kind: ClassVar[str] = "index.HashTables"

    bits = Count(most=24)
    tables = Count(most=256)
    projection = Choice(*PROJECTIONS)
    centred = Flag()
    seed = Count(least=0, most=(1 << 63) - 1)
    signs = Part(SignQuantizer, bare=True)

    def __init__(
        self,
        bits: int = 16,
        tables: int = 8,
        *,
        projection: str = "gaussian",
        centred: bool = True,
        seed: int = 0,
    ) -> None:
        self.bits, self.tables = bits, tables
        self.projection, self.centred, self.seed = projection, centred, seed
        self.signs = SignQuantizer(
            self.bits * self.tables, projection=projection, centred=centred, seed=seed
        )

    def fit(self, x: Vectors) -> HashTables:
        """Draw the hyperplanes; through the mean of x where they are centred."""
        self.signs.fit(x)
        return self

    def _keys_of(self, x: Vectors) -> NDArray[np.uint32]:
        above = self.signs.project(x).reshape(len(x), self.tables, self.bits) >= 0
        weights = np.uint32(1) << np.arange(self.bits, dtype=np.uint32)
        keys: NDArray[np.uint32] = (above * weights).sum(axis=2, dtype=np.uint32)
        return keys

    def build(self, stored: NDArray[Any], codec: Any) -> Arrays:
        """Starts uint32 (tables, 2**bits + 1) of the buckets and the rows in them, order uint32 (tables, n)."""
        n = len(stored)
        keys = np.empty((n, self.tables), np.uint32)
        for at in range(0, n, 16384):
            keys[at : at + 16384] = self._keys_of(floats_of(codec, stored[at : at + 16384]))
        order = np.empty((self.tables, n), np.uint32)
        starts = np.zeros((self.tables, (1 << self.bits) + 1), np.uint32)
        for table in range(self.tables):
            order[table] = np.argsort(keys[:, table], kind="stable")
            np.cumsum(np.bincount(keys[:, table], minlength=1 << self.bits), out=starts[table, 1:])
        return {"starts": starts, "order": order}

    def check(self, arrays: Mapping[str, NDArray[Any]], n: int, dim: int) -> None:
        """Raise FileFormatError unless the arrays are those of n rows."""
        check_only(arrays, {"starts", "order"}, "arrays")
        starts = take(arrays, "starts", np.uint32, (self.tables, (1 << self.bits) + 1))
        for table in starts:
            check_starts(table, n, "starts")
        check_range(take(arrays, "order", np.uint32, (self.tables, n)), n, "order")

    def structure(self, segments: Sequence[Mapping[str, NDArray[Any]]], dim: int) -> Any:
        """The compiled tables over all segments."""
        pairs = [(s["starts"], s["order"]) for s in segments]
        return _core.candidates.Structure.hash_tables(self.tables, self.bits, pairs)

    def keys(self, queries: Vectors) -> Vectors:
        """The projections, float32 (n, tables * bits)."""
        return np.ascontiguousarray(self.signs.project(queries))
