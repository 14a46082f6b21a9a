from __future__ import annotations

import numpy as np
import pytest
from clusters import N, X, drawn

from kinfold.learn.covisible import CoVisible
from kinfold.learn.mine.sfm_tuples import SfMTuples


def described(rows):
    return X[np.asarray(rows)]


@pytest.mark.parametrize("positives", ["nearest", "most", "random"])
@pytest.mark.parametrize("negatives", ["hardest", "nearest", "one-per-cluster"])
def test_an_epoch_depends_on_its_number_and_the_seed(positives, negatives) -> None:
    seen = drawn(4)
    options = {"positives": positives, "negatives": negatives, "queries": 9, "pool": 20}
    first, again, later, other = (
        SfMTuples(seen, seed=seed, **options)(described, epoch)
        for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first[:3], again[:3]))
    assert first.queries.tolist() != later.queries.tolist()
    assert first.queries.tolist() != other.queries.tolist()
    clusters = seen.clusters
    for query, positive, far in zip(*first[:3]):
        assert clusters[query] == clusters[positive] >= 0 and query != positive
        assert clusters[query] not in clusters[far[far >= 0]]
        assert sorted((query, positive)) in np.sort(seen.pairs, axis=1).tolist()
    assert len(first.queries) == 9 and first.weights is None


def test_only_what_is_needed_is_described() -> None:
    asked = []

    def describe(rows):
        asked.append(rows)
        return X[rows]

    seen = drawn(4)
    found = SfMTuples(seen, queries=3, pool=5)(describe, 0)
    assert len(asked) == 1 and len(asked[0]) <= 8
    assert set(found.queries) <= set(asked[0].tolist())
    assert set(found.negatives[found.negatives >= 0]) <= set(asked[0].tolist())


def test_all_queries_and_the_whole_pool() -> None:
    seen = drawn(4)
    found = SfMTuples(seen, positives="most", queries=None, pool=None)(described, 0)
    assert sorted(found.queries.tolist()) == np.unique(seen.pairs).tolist()
    assert len(SfMTuples(seen, positives="most")(described, 0).queries) == len(found.queries) < N


def test_no_positive_at_all() -> None:
    seen = CoVisible([0, 0, 1, 1], [[0, 1]], [1], [9, 9, 9, 9], [1.0])
    with pytest.raises(ValueError, match="pairs: expected some from which 'random'"):
        SfMTuples(seen)
    with pytest.raises(ValueError, match="queries"):
        SfMTuples(seen, positives="most", queries=0)
