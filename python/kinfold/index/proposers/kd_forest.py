"""Randomized k-d trees that share one queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors
from kinfold.base.parameters import Count
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.proposers.base import Proposer


class KDForest(Proposer):
    """Trees that are parted at the mean of a dimension drawn among those of largest variance.

    One queue holds the branches of all trees that were not followed, by the sum of squared distances to the
    splits on the way; the nearest is followed down to its leaf.

    trees : how many
    leaf : rows in a leaf at most
    among : dimensions to draw from
    seed : of the draws

    Silpa-Anan and Hartley, CVPR 2008; Muja and Lowe, VISAPP 2009, whose split at the mean is taken: at the median,
    rows with equal coordinates, which whole numbers have, would fall on both sides.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> index = kf.CandidateIndex(8, kf.KDForest(4, seed=1)).train(x)
    >>> len(index.add(x))
    200
    """

    kind: ClassVar[str] = "index.KDForest"

    trees = Count(most=256)
    leaf = Count(most=1 << 16)
    among = Count(most=16)
    seed = Count(least=0, most=(1 << 63) - 1)

    def __init__(self, trees: int = 8, *, leaf: int = 16, among: int = 5, seed: int = 0) -> None:
        self.trees, self.leaf, self.among, self.seed = trees, leaf, among, seed

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
