"""Groups against connected components, spanning trees, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.groups import find_groups


def random_pairs(rng: np.random.Generator, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    ends = np.sort(rng.integers(n, size=(m, 2)), axis=1)
    ends = np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0)
    return rng.permutation(ends), rng.integers(1, 30, len(ends)).astype(float)


@pytest.mark.parametrize("m", [0, 5, 20, 60])
def test_groups_are_connected_components_with_spanning_trees(
    m: int, rng: np.random.Generator
) -> None:
    graph = pytest.importorskip("scipy.sparse.csgraph")
    sparse = pytest.importorskip("scipy.sparse")
    ends, weights = random_pairs(rng, 40, m)
    groups = find_groups(40, ends, weights)
    matrix = sparse.coo_matrix((weights, ends.T), (40, 40)).tocsr()
    _, labels = graph.connected_components(matrix, directed=False)
    expected = {tuple(np.flatnonzero(labels == label)) for label in set(labels.tolist())}
    assert {tuple(g.members) for g in groups} == {c for c in expected if len(c) > 1}
    # scipy spans with least weights.
    matrix.data = 100 - matrix.data
    spanned = graph.minimum_spanning_tree(matrix)
    trees = [row for group in groups for row in group.tree]
    assert weights[trees].sum() == pytest.approx(100 * spanned.nnz - spanned.sum())
    for group in groups:
        inside = np.isin(ends, group.members).all(axis=1)
        assert group.weight == weights[inside].sum()
        strength = [weights[inside & (ends == a).any(axis=1)].sum() for a in group.members]
        assert group.representative == group.members[int(np.argmax(strength))]
        assert len(group.tree) == len(group.members) - 1
        assert (np.diff(weights[group.tree]) <= 0).all()
    sizes = [len(group.members) for group in groups]
    assert sizes == sorted(sizes, reverse=True)


def test_a_weak_bridge_does_not_join_two_things() -> None:
    triangles = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]
    weights = [50, 40, 30, 50, 40, 30]
    joined = find_groups(7, [*triangles, (2, 3)], [*weights, 20])
    assert [g.members.tolist() for g in joined] == [[0, 1, 2, 3, 4, 5]]
    apart = find_groups(7, [*triangles, (2, 3)], [*weights, 20], bridge=30)
    assert [g.members.tolist() for g in apart] == [[0, 1, 2], [3, 4, 5]]
    # Two weak pairs are as good as a strong one, and one photo is joined by any.
    both = find_groups(7, [*triangles, (2, 3), (0, 4)], [*weights, 20, 15], bridge=30)
    assert len(both) == 1
    one = find_groups(7, [*triangles, (2, 3), (5, 6)], [*weights, 20, 16], bridge=30)
    assert [g.members.tolist() for g in one] == [[3, 4, 5, 6], [0, 1, 2]]


def test_sets_that_grew_are_joined_later() -> None:
    # {0, 1} hangs on {2, 3} by 14 and on {4, 5} by 15; together that is enough once those two are one.
    pairs = [(0, 1), (2, 3), (4, 5), (1, 2), (3, 4), (3, 5), (1, 4)]
    weights = [90, 80, 70, 14, 12, 11, 15]
    [group] = find_groups(6, pairs, weights, bridge=20)
    assert group.members.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(find_groups(6, pairs, weights, bridge=30)) == 3


def test_the_order_of_pairs_does_not_matter(rng: np.random.Generator) -> None:
    ends, weights = random_pairs(rng, 30, 60)
    weights += rng.random(len(weights))
    groups = find_groups(30, ends, weights, bridge=25)
    order = rng.permutation(len(ends))
    again = find_groups(30, ends[order][:, ::-1], weights[order], bridge=25)
    assert [g.members.tolist() for g in groups] == [g.members.tolist() for g in again]
    assert [g.representative for g in groups] == [g.representative for g in again]
    for a, b in zip(groups, again):
        np.testing.assert_array_equal(ends[a.tree], ends[order][b.tree])


def test_nothing_and_refusals() -> None:
    assert find_groups(0, [], []) == [] and find_groups(5, [], []) == []
    for pairs, weights, message in (
        ([(0, 5)], [1], "^pairs: expected photos from 0 below 5"),
        ([(1, 1)], [1], "^pairs: expected two different photos"),
        ([(0, 1), (1, 0)], [1, 2], "^pairs: expected each pair once"),
        ([(0, 1)], [1, 2], "^weights: expected one for each of 1 pairs"),
        ([(0, 1)], [0], "^weights: expected finite numbers above 0"),
        ([0, 1], [1, 1], "^pairs: expected whole numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            find_groups(5, pairs, weights)


def test_copies_count_as_one_where_sets_are_joined() -> None:
    """Two photos with a copy each, and one pair of 15 between them: as if the copies were not there."""
    pairs, weights = [[0, 2], [0, 1], [2, 3]], [15.0, 100.0, 100.0]
    assert len(find_groups(4, pairs, weights, bridge=24)) == 2
    [group] = find_groups(4, pairs, weights, bridge=24, copies=[0, 0, 2, 2])
    assert group.members.tolist() == [0, 1, 2, 3] and len(group.tree) == 3
    # A pair that names the copies is the same pair.
    named = [[1, 3], [0, 1], [2, 3]]
    assert len(find_groups(4, named, weights, bridge=24, copies=[0, 0, 2, 2])) == 1
    # Sets of different photos go on needing the bridge.
    more = [[0, 4], [2, 5], *pairs]
    assert len(find_groups(6, more, [50, 50, *weights], bridge=24, copies=[0, 0, 2, 2, 4, 5])) == 2
    with pytest.raises(ValueError, match="^copies: expected"):
        find_groups(3, [[0, 1]], [1.0], copies=[1, 1, 2])
    with pytest.raises(ValueError, match="^copies: expected"):
        find_groups(3, [[0, 1]], [1.0], copies=[0, 0, 1])
