"""Trees over rows: every row in one leaf, and the splits true of both sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from kinfold.base.errors import FileFormatError
from kinfold.index.codecs.raw import RawVectors
from kinfold.index.proposers.kd_forest import KDForest

X = np.random.default_rng(1).standard_normal((400, 6)).astype(np.float32)
X[100:130] = X[100]  # rows that no split tells apart
CODEC = RawVectors(6, metric="l2").fit(X, np.zeros(len(X), np.int64), None)


def made(**choices: Any) -> tuple[KDForest, dict[str, np.ndarray]]:
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


@pytest.mark.parametrize("split", ["mean", "median"])
def test_rows_are_in_one_leaf_of_each_tree_and_on_its_side_of_every_split(split: str) -> None:
    _, arrays = made(split=split)
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


def of(x: np.ndarray, **choices: Any) -> list[tuple[int, int]]:
    """Size and depth of each leaf of one tree."""
    codec = RawVectors(x.shape[1], metric="l2").fit(x, np.zeros(len(x), np.int64), None)
    arrays = KDForest(1, **choices).build(x, codec)
    return [(end - begin, len(way)) for begin, end, way in leaves(arrays["nodes"], 0, [])]


@given(st.integers(1, 600), st.integers(1, 40), st.integers(0, 99))
def test_a_tree_split_at_the_median_is_balanced(n: int, leaf: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Distinct coordinates, and some far away: the mean would part them from all others.
    x = np.stack([rng.permutation(n) for _ in range(5)], axis=1) + 1.0
    x[: n // 50] **= 4
    found = of(x.astype(np.float32), leaf=leaf, split="median", seed=seed)
    sizes, depths = np.transpose(found)
    assert sizes.sum() == n and sizes.max() <= leaf
    assert np.ptp(depths) <= 1 and depths.max() == max(0, int(np.ceil(np.log2(n / leaf))))


def test_the_mean_does_not_balance_where_few_rows_are_far() -> None:
    x = np.random.default_rng(0).gamma(0.3, 50, (600, 5)).astype(np.float32)
    depths = {
        split: np.ptp(np.transpose(of(x, leaf=4, split=split))[1]) for split in ("mean", "median")
    }
    assert depths["median"] <= 1 < depths["mean"]


def test_a_median_among_equal_coordinates_is_the_end_of_theirs_that_is_nearer() -> None:
    def first(values: list[float]) -> list[int]:
        x = np.array(values, np.float32)[:, None]
        return sorted(size for size, depth in of(x, leaf=max(1, len(x) - 1), split="median"))

    assert first([0, 0, 0, 0, 0, 0, 1, 2]) == [2, 6]  # four zeros would be the half
    assert first([0, 1, 1, 1, 1, 1, 1, 2]) == [1, 7]
    assert first([0, 0, 1, 1, 1, 1, 1, 1]) == [2, 6]
    assert first([0, 0, 0, 1, 1, 1, 2, 2]) == [3, 5]
    assert first([5, 5, 5, 5]) == [4]
    # Nothing but the largest numbers there are lies above them.
    top = float(np.finfo(np.float32).max)
    assert first([0, 1, top, top, top]) == [2, 3]


def test_a_file_of_before_is_split_at_the_mean() -> None:
    forest, _ = made(split="median")
    params = forest.params()
    assert params.pop("split") == "median"
    old = KDForest.from_state(params, forest.arrays())
    assert old.split == "mean"
    for name, built in old.build(X, CODEC).items():
        np.testing.assert_array_equal(built, made()[1][name])


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
