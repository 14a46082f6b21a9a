"""Positives against a slow loop over pairs."""

from __future__ import annotations

import numpy as np
import pytest
from clusters import N, X, drawn

from kinfold.learn.mine.matching import Matching

RANDOM = np.random.default_rng


def candidates(seen, query, least_share=0.0, most_change=np.inf) -> dict[int, int]:
    """Photos that have points in common with a query, with how many."""
    found = {}
    for (a, b), common, scale in zip(seen.pairs.tolist(), seen.common, seen.scales):
        enough = common / seen.points[query] >= least_share
        if query in (a, b) and enough and max(scale, 1 / scale) <= most_change:
            found[b if query == a else a] = int(common)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_nearest_and_most_are_those_of_a_loop(seed) -> None:
    seen = drawn(seed)
    nearest, most = Matching(seen, "nearest"), Matching(seen, "most")
    queries = [q for q in range(N) if candidates(seen, q)]
    assert nearest.queries.tolist() == most.queries.tolist() == queries
    by_distance = nearest(queries, RANDOM(0), vectors=X)
    by_points = most(queries, RANDOM(0))
    for query, near, much in zip(queries, by_distance, by_points):
        them = candidates(seen, query)
        assert nearest.of(query).tolist() == sorted(them)
        assert near == min(sorted(them), key=lambda p: np.linalg.norm(X[p] - X[query]))
        assert much == max(sorted(them), key=them.__getitem__)


def test_random_ones_overlap_enough_and_all_of_them_come() -> None:
    seen = drawn(1)
    matching = Matching(seen, "random", least_share=0.2, most_change=1.5)
    allowed = {q: set(candidates(seen, q, 0.2, 1.5)) for q in range(N)}
    assert matching.queries.tolist() == [q for q in range(N) if allowed[q]]
    random, came = RANDOM(3), {q: set() for q in range(N)}
    for _ in range(60):
        for query, positive in zip(matching.queries, matching(matching.queries, random)):
            came[int(query)].add(int(positive))
    assert came == allowed
    assert any(set(candidates(seen, q)) != allowed[q] for q in range(N))


def test_the_same_seed_chooses_the_same() -> None:
    matching = Matching(drawn(2), "random", least_share=0.0, most_change=9.0)
    a, b, c = (matching(matching.queries, RANDOM(seed)).tolist() for seed in (1, 1, 2))
    assert a == b != c


def test_arguments_are_checked() -> None:
    seen = drawn()
    with pytest.raises(ValueError, match="how"):
        Matching(seen, "farthest")
    with pytest.raises(ValueError, match="least_share"):
        Matching(seen, least_share=1.1)
    with pytest.raises(ValueError, match="most_change"):
        Matching(seen, most_change=0.9)
    alone = int(np.flatnonzero(seen.clusters < 0)[0])
    with pytest.raises(ValueError, match=f"photo {alone} has no positive"):
        Matching(seen, "most")([alone], RANDOM(0))
    with pytest.raises(ValueError, match="vectors"):
        Matching(seen, "nearest")([Matching(seen, "nearest").queries[0]], RANDOM(0))
