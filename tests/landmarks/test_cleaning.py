from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.cleaning import COPY, KEPT, LEFT_OUT, PROTOTYPICAL, clean_classes


def planted(rng: np.random.Generator, sizes: list[int], alone: int) -> tuple[np.ndarray, ...]:
    """One class: clusters, of which most pairs match well, some photos of other things, and noise between all."""
    cluster = np.repeat(np.arange(len(sizes) + alone), [*sizes, *[1] * alone])
    cluster = rng.permutation(cluster)
    pairs = np.array([(a, b) for a in range(len(cluster)) for b in range(a)])
    same = cluster[pairs[:, 0]] == cluster[pairs[:, 1]]
    matched = same & (rng.random(len(pairs)) < 0.6)
    inliers = np.where(matched, rng.integers(12, 90, len(pairs)), rng.integers(0, 12, len(pairs)))
    return cluster, pairs, inliers


@pytest.mark.parametrize("seed", range(5))
def test_two_clusters_among_noise(seed) -> None:
    rng = np.random.default_rng(seed)
    cluster, pairs, inliers = planted(rng, [14, 9], alone=6)
    found = clean_classes(np.zeros(29, int), pairs, inliers)
    # Both are found, the larger is kept, and nothing else.
    assert np.array_equal(found.kept, np.flatnonzero(cluster == 0))
    assert np.array_equal(found.components == 1, cluster == 1)
    assert found.histogram() == {14: 1, 9: 1, 1: 6}
    assert (found.states[cluster > 0] == LEFT_OUT).all() and not len(found.dropped)
    # One wrong match of many inliers joins them: what a threshold can do ends there.
    bridge = [int(np.flatnonzero(cluster == c)[0]) for c in (0, 1)]
    joined = clean_classes(np.zeros(29, int), [*pairs.tolist(), bridge], [*inliers, 99])
    assert len(joined.kept) in (14, 23)  # 23, unless that pair was among the others


def test_components_are_those_of_scipy(rng) -> None:
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    sparse = pytest.importorskip("scipy.sparse")
    labels = rng.integers(0, 6, 80)
    pairs = np.unique(np.sort(rng.integers(0, 80, (300, 2)), 1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    inliers = rng.integers(0, 40, len(pairs))
    found = clean_classes(labels, pairs, inliers, least_inliers=10)
    use = pairs[(inliers >= 10) & (labels[pairs[:, 0]] == labels[pairs[:, 1]])]
    adjacent = sparse.coo_matrix((np.ones(len(use)), use.T), (80, 80))
    number, component = csgraph.connected_components(adjacent, directed=False)
    sizes = np.bincount(component)
    assert len(found.sizes) == number
    assert sorted(found.sizes) == sorted(sizes)
    for label in range(6):
        mine = np.flatnonzero(labels == label)
        kept = np.intersect1d(found.kept, mine)
        largest = sizes[component[mine]].max()
        assert (label in found.dropped) == (largest == 1)
        if largest > 1:
            assert len(kept) == largest and len(set(component[kept])) == 1
    degree = np.bincount(use.ravel(), minlength=80)
    assert np.array_equal(found.matched, degree)


def test_who_is_prototypical() -> None:
    """A star of four, one of which leads to a fifth: the centre has 4 matches, the rest 1, or 2."""
    pairs = [[0, 1], [0, 2], [0, 3], [0, 4], [4, 5]]
    found = clean_classes([7] * 6, pairs, [50] * 5)
    assert found.states.tolist() == [PROTOTYPICAL, KEPT, KEPT, KEPT, PROTOTYPICAL, KEPT]
    assert found.matched.tolist() == [4, 1, 1, 1, 2, 1]
    every = clean_classes([7] * 6, pairs, [50] * 5, prototypical=0)
    assert (every.states == PROTOTYPICAL).all()


def test_copies_do_not_make_a_component() -> None:
    """A wrong photo that is there five times against two photos of the object."""
    pairs = [[a, b] for b in range(5) for a in range(b)] + [[5, 6]]
    counts = [900] * 10 + [40]
    assert clean_classes([0] * 7, pairs, counts).kept.tolist() == [0, 1, 2, 3, 4]
    found = clean_classes([0] * 7, pairs, counts, copies=[0, 0, 0, 0, 0, 5, 6])
    assert found.kept.tolist() == [5, 6]
    assert found.states.tolist() == [LEFT_OUT] + [COPY] * 4 + [PROTOTYPICAL] * 2
    # What matches a copy matches its original; of two classes each has its own.
    through = clean_classes([0, 0, 0], [[1, 2]], [30], copies=[0, 0, 2])
    assert through.states.tolist() == [PROTOTYPICAL, COPY, PROTOTYPICAL]
    apart = clean_classes([0, 0, 1, 1], [[0, 1], [2, 3]], [30, 30], copies=[0, 1, 0, 3])
    assert apart.kept.tolist() == [0, 1, 2, 3]


def test_classes_without_a_match_are_dropped() -> None:
    found = clean_classes([0, 0, 1, 2, 2, 3], [[0, 1], [2, 5], [3, 4]], [30, 90, 11])
    assert found.kept.tolist() == [0, 1]  # 2 and 5 are of two classes, 3 and 4 match too weakly
    assert found.dropped.tolist() == [1, 2, 3] and found.histogram() == {1: 4, 2: 1}
    none = clean_classes([0, 1, 2], [], [])
    assert not len(none.kept) and none.dropped.tolist() == [0, 1, 2]
    assert not len(clean_classes([], [], []).sizes)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([0, 0], [[0, 2]], [1]), {}, "pairs: expected photos from 0 below 2"),
        (([0, 0], [[0, 1]], [1, 2]), {}, "inliers: expected a number for each of 1"),
        (([0, 0], [0, 1], [1]), {}, "pairs: expected whole numbers"),
        (([0, 0], [[0, 1]], [20]), {"least_inliers": 0}, "least_inliers: expected"),
        (([0, 0], [[0, 1]], [20]), {"copies": [1, 1]}, "copies: expected the first"),
        (([0, 0], [[0, 1]], [20]), {"prototypical": 2}, "prototypical: expected"),
    ],
)
def test_what_is_no_match(arguments, options, words) -> None:
    with pytest.raises(ValueError, match=words):
        clean_classes(*arguments, **options)
