"""Trees over rows: every row in one leaf, and the splits true of both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.index.codecs.raw import RawVectors
from kinfold.index.proposers.kd_forest import KDForest

X = np.random.default_rng(1).standard_normal((400, 6)).astype(np.float32)
X[100:130] = X[100]  # rows that no split tells apart
CODEC = RawVectors(6, metric="l2").fit(X, np.zeros(len(X), np.int64), None)


def made(**choices: int) -> tuple[KDForest, dict[str, np.ndarray]]:
    forest = KDForest(3, leaf=8, seed=2, **choices).fit(X)
    return forest, forest.build(X, CODEC)


def leaves(nodes: np.ndarray, at: int, within: list[tuple[int, float, bool]]) -> Iterator[tuple]:
    """Of each leaf, its place in the order and the splits on the way to it: (dimension, value, left)."""
    dimension, link, low, high = nodes[at].tolist()
    if dimension < 0:
        yield low, link, within
        return
    bounds = np.array([low, high], np.int32).view(np.float32)
    yield from leaves(nodes, at + 1, [*within, (dimension, bounds[0], True)])
    yield from leaves(nodes, link, [*within, (dimension, bounds[1], False)])


def test_rows_are_in_one_leaf_of_each_tree_and_on_its_side_of_every_split() -> None:
    _, arrays = made()
    ends = [*arrays["roots"][1:].tolist(), len(arrays["nodes"])]
    for tree, (root, end) in enumerate(zip(arrays["roots"].tolist(), ends)):
        nodes, seen = arrays["nodes"][root:end], []
        for begin, last, way in leaves(nodes, 0, []):
            rows = arrays["order"][tree, begin:last]
            seen += rows.tolist()
            assert len(rows) <= 8 or len(np.unique(X[rows], axis=0)) == 1
            for dimension, value, left in way:
                side = X[rows, dimension]
                assert (side <= value).all() if left else (side >= value).all()
        assert sorted(seen) == list(range(400))


def test_a_seed_gives_the_same_trees_and_another_others() -> None:
    _, first = made()
    _, second = made()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    other = KDForest(3, leaf=8, seed=3).build(X, CODEC)
    assert not np.array_equal(first["order"], other["order"])


def test_shapes_from_a_file_are_checked() -> None:
    forest, arrays = made()
    forest.check(arrays, 400, 6)
    for name in arrays:
        with pytest.raises(FileFormatError, match=name):
            forest.check({**arrays, name: arrays[name].astype(np.float64)}, 400, 6)
    with pytest.raises(FileFormatError, match="order"):
        forest.check(arrays, 401, 6)
