"""Negatives against a slow loop over photos."""

from __future__ import annotations

import numpy as np
import pytest
from clusters import N, X, drawn

from kinfold.learn.covisible import CoVisible
from kinfold.learn.mine.non_matching import NonMatching


def by_loop(seen, query, pool, k, how, singles) -> list[int]:
    def cluster(photo):
        return ("alone", photo) if seen.clusters[photo] < 0 else int(seen.clusters[photo])

    doubted = {cluster(b) for a, b in seen.unsure if a == query}
    doubted |= {cluster(a) for a, b in seen.unsure if b == query}
    chosen, taken = [], set()
    for photo in sorted(pool, key=lambda p: (np.linalg.norm(X[p] - X[query]), p)):
        mine = cluster(photo)
        if mine == cluster(query) or mine in doubted or (not singles and seen.clusters[photo] < 0):
            continue
        if how == "one-per-cluster" and mine in taken:
            continue
        taken.add(mine)
        chosen.append(photo)
    return chosen[: 1 if how == "hardest" else k]


@pytest.mark.parametrize("how", ["hardest", "nearest", "one-per-cluster"])
@pytest.mark.parametrize("singles", [False, True])
@pytest.mark.parametrize("unsure", [0, 60])
def test_negatives_are_those_of_a_loop(how, singles, unsure) -> None:
    for seed in range(3):
        seen = drawn(seed, unsure)
        choose = NonMatching(seen, how, k=4, singles=singles)
        assert choose.photos.tolist() == [p for p in range(N) if singles or seen.clusters[p] >= 0]
        for pool in (choose.photos, np.random.default_rng(seed).permutation(choose.photos)[:15]):
            found = choose(np.arange(N), pool, X)
            for query in range(N):
                expected = by_loop(seen, query, pool.tolist(), 4, how, singles)
                assert [p for p in found[query].tolist() if p >= 0] == expected


def test_one_per_cluster_the_hardest_is_among_the_nearest_and_none_matches() -> None:
    seen = drawn(3)
    every = np.flatnonzero(seen.clusters >= 0)
    hardest, nearest, one = (
        NonMatching(seen, how, k=5)(every, every, X)
        for how in ("hardest", "nearest", "one-per-cluster")
    )
    assert hardest.shape == (len(every), 1) and nearest.shape == one.shape == (len(every), 5)
    for row, query in enumerate(every):
        assert hardest[row, 0] == nearest[row, 0] == one[row, 0]
        clusters = seen.clusters[one[row]]
        assert len(set(clusters.tolist())) == 5
        assert seen.clusters[query] not in clusters
        assert seen.clusters[query] not in seen.clusters[nearest[row]]


def test_fewer_clusters_than_asked_for() -> None:
    seen = CoVisible([0, 0, 1, -1], [[0, 1]], [1], [1, 1, 0, 0], [1.0])
    assert NonMatching(seen, k=3)([0], [0, 1, 2], X[:4]).tolist() == [[2, -1, -1]]


def test_one_cluster_has_no_negatives() -> None:
    seen = CoVisible([0, 0, 0, -1], [[0, 1]], [1], [1, 1, 0, 0], [1.0])
    with pytest.raises(ValueError, match="clusters: expected two at least"):
        NonMatching(seen)
    assert NonMatching(seen, singles=True, k=1)([0], np.arange(4), X[:4]).tolist() == [[3]]
