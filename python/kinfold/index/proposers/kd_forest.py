"""Randomized k-d trees that share one queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors, as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.state import JSON, Arrays, check_only, check_range, take, take_param
from kinfold.index.codecs.base import Codec
from kinfold.index.codecs.raw import stored_form


class KDForest:
    """Trees that are halved at the median of a dimension drawn among those of largest variance.

    One queue holds the branches of all trees that were not followed, by the sum of squared distances to the
    splits on the way; the nearest is followed down to its leaf.

    trees : how many
    leaf : rows in a leaf at most
    among : dimensions to draw from
    seed : of the draws

    Silpa-Anan and Hartley, CVPR 2008; Muja and Lowe, VISAPP 2009. Splits are at the median, not the mean, so
    trees are balanced.
    """

    kind: ClassVar[str] = "index.KDForest"

    def __init__(self, trees: int = 8, *, leaf: int = 8, among: int = 5, seed: int = 0) -> None:
        self.trees = as_count(trees, "trees", most=256)
        self.leaf = as_count(leaf, "leaf", most=1 << 16)
        self.among = as_count(among, "among", most=16)
        self.seed = as_count(seed, "seed", least=0, most=(1 << 63) - 1)

    def __repr__(self) -> str:
        return f"KDForest({self.trees})"

    def fit(self, x: Vectors) -> KDForest:
        """Nothing to learn: trees are built of the rows themselves."""
        return self

    def build(self, stored: NDArray[Any], codec: Codec) -> Arrays:
        """Splits int32 (trees, nodes, 2): dimension and the bits of the value; order uint32 (trees, n)."""
        dim, centre, scale = stored_form(codec)
        splits, order = _core.scan.build_forest(
            stored, dim, centre, scale, self.trees, self.leaf, self.among, self.seed
        )
        return {"splits": splits, "order": order}

    def check(self, arrays: Mapping[str, NDArray[Any]], n: int, dim: int) -> None:
        """Raise FileFormatError unless the arrays are those of n rows."""
        check_only(arrays, {"splits", "order"}, "arrays")
        splits = take(arrays, "splits", np.int32, (self.trees, None, 2))
        order = take(arrays, "order", np.uint32, (self.trees, n))
        nodes = splits.shape[1] + 1
        if nodes & (nodes - 1) or nodes > max(2 * n, 1):
            raise FileFormatError("array 'splits': expected full binary trees")
        check_range(splits[..., 0], dim, "splits")
        check_range(order, n, "order")
        if np.isnan(splits[..., 1].view(np.float32)).any():
            raise FileFormatError("array 'splits': expected numbers")

    def structure(self, segments: Sequence[Mapping[str, NDArray[Any]]], dim: int) -> Any:
        """The compiled forest over all segments."""
        return _core.scan.Structure.forests(dim, [(s["splits"], s["order"]) for s in segments])

    def keys(self, queries: Vectors) -> None:
        """Nothing more."""

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {"trees": self.trees, "leaf": self.leaf, "among": self.among, "seed": self.seed}

    def arrays(self) -> Arrays:
        """Nothing was learnt."""
        return {}

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> KDForest:
        """A forest's choices."""
        check_only(params, {"trees", "leaf", "among", "seed"}, "parameters")
        check_only(arrays, set(), "arrays")
        return cls(
            take_param(params, "trees", int),
            leaf=take_param(params, "leaf", int),
            among=take_param(params, "among", int),
            seed=take_param(params, "seed", int),
        )
