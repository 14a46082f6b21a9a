"""Randomized k-d trees that share one queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Vectors
from kinfold.base.parameters import Choice, Count
from kinfold.base.spelling import Spelt
from kinfold.base.state import Arrays, check_only, take
from kinfold.index.proposers.base import Proposer


class KDForest(Proposer):
    """Trees that are parted in a dimension drawn among those of largest variance.

    One queue holds the branches of all trees that were not followed, by the sum of squared distances to the
    splits on the way; the nearest is followed down to its leaf.

    trees : how many
    leaf : rows in a leaf at most
    among : dimensions to draw from
    split : where: at the "mean" of the rows' coordinates (Muja and Lowe), or at the "median", by which trees are
        balanced: leaves differ by one in depth where coordinates are distinct. Rows of equal coordinates, which whole
        numbers have, stay on one side
    seed : of the draws

    Silpa-Anan and Hartley, CVPR 2008; Muja and Lowe, VISAPP 2009.

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
    split = Choice("mean", "median").since("mean")
    seed = Count(least=0, most=(1 << 63) - 1)

    def __init__(
        self, trees: int = 8, *, leaf: int = 16, among: int = 5, split: str = "mean", seed: int = 0
    ) -> None:
        self.trees, self.leaf, self.among, self.split, self.seed = trees, leaf, among, split, seed

    @classmethod
    def from_word(cls, spelt: Spelt) -> KDForest:
        """KDForest8, KDForest8_median."""
        split = "median" if spelt.word.endswith("_median") else "mean"
        return cls(spelt.numbers["trees"], split=split, seed=spelt.training["seed"])

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
            self.split,
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
