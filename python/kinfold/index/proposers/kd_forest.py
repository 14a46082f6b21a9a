"""Randomized k-d trees that share one queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors, as_count
from kinfold.base.state import JSON, Arrays, Restorable, check_only, take, take_param


class KDForest(Restorable):
    """Trees that are parted at the mean of a dimension drawn among those of largest variance.

    One queue holds the branches of all trees that were not followed, by the sum of squared distances to the
    splits on the way; the nearest is followed down to its leaf.

    trees : how many
    leaf : rows in a leaf at most
    among : dimensions to draw from
    seed : of the draws

    Silpa-Anan and Hartley, CVPR 2008; Muja and Lowe, VISAPP 2009, whose split at the mean is taken: at the median,
    rows with equal coordinates, which whole numbers have, would fall on both sides.
    """

    kind: ClassVar[str] = "index.KDForest"

    def __init__(self, trees: int = 8, *, leaf: int = 16, among: int = 5, seed: int = 0) -> None:
        self.trees = as_count(trees, "trees", most=256)
        self.leaf = as_count(leaf, "leaf", most=1 << 16)
        self.among = as_count(among, "among", most=16)
        self.seed = as_count(seed, "seed", least=0, most=(1 << 63) - 1)

    def __repr__(self) -> str:
        return f"KDForest({self.trees})"

    def fit(self, x: Vectors) -> KDForest:
        """Nothing to learn: trees are built of the rows themselves."""
        return self

    def build(self, stored: NDArray[Any], codec: Any) -> Arrays:
        """Nodes int32 (N, 4), roots int64 (trees,), order uint32 (trees, n).

        Of an inner node: dimension, right child, and the bits of the largest coordinate on the left and of the
        smallest on the right; the left child is the next node. Of a leaf: -1, end, begin in the order, 0. Nodes
        are numbered from their tree's root.
        """
        scale = codec.byte_scale
        nodes, roots, order = _core.candidates.build_forest(
            stored,
            codec.dim,
            scale.centre,
            scale.steps,
            self.trees,
            self.leaf,
            self.among,
            self.seed,
        )
        return {"nodes": nodes, "roots": roots, "order": order}

    def check(self, arrays: Mapping[str, NDArray[Any]], n: int, dim: int) -> None:
        """Raise FileFormatError unless the arrays are those of n rows; the engine looks at the addresses."""
        check_only(arrays, {"nodes", "roots", "order"}, "arrays")
        take(arrays, "nodes", np.int32, (None, 4))
        take(arrays, "roots", np.int64, (self.trees,))
        take(arrays, "order", np.uint32, (self.trees, n))

    def structure(self, segments: Sequence[Mapping[str, NDArray[Any]]], dim: int) -> Any:
        """The compiled forest over all segments."""
        parts = [(s["nodes"], s["roots"], s["order"]) for s in segments]
        return _core.candidates.Structure.forests(dim, parts)

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
