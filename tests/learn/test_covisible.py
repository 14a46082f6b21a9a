from __future__ import annotations

import numpy as np
import pytest

from kinfold.learn.covisible import CoVisible


def test_ways_by_hand() -> None:
    seen = CoVisible([0, -1, 0, 0], [[2, 0], [2, 3]], [10, 4], [20, 0, 40, 4], [0.5, 3.0])
    ways = seen.ways()
    assert ways.query.tolist() == [0, 2, 2, 3] and ways.other.tolist() == [2, 0, 3, 2]
    assert ways.common.tolist() == [10, 10, 4, 4]
    assert ways.share.tolist() == [0.5, 0.25, 0.1, 1.0]
    assert ways.change.tolist() == [2.0, 2.0, 3.0, 3.0]
    assert repr(seen) == "CoVisible(4 photos, 3 of them in 1 clusters)"


def test_some_photos_by_hand() -> None:
    seen = CoVisible(
        [4, -1, 4, 4], [[2, 0], [2, 3]], [10, 4], [20, 0, 40, 4], [0.5, 3.0], unsure=[[1, 3], [0, 1]]
    )  # fmt: skip
    some = seen.of([3, 2, 1])
    assert some.clusters.tolist() == [4, 4, -1] and some.points.tolist() == [4, 40, 0]
    assert some.pairs.tolist() == [[1, 0]] and some.common.tolist() == [4]
    assert some.scales.tolist() == [3.0] and some.unsure.tolist() == [[2, 0]]
    for rows in ([0, 4], [1, 1]):
        with pytest.raises(ValueError, match="photos: expected rows below 4, each once"):
            seen.of(rows)


def test_nothing_seen() -> None:
    seen = CoVisible([-1, -1, 0], [], [], [0, 0, 0], [])
    assert len(seen) == 3 and len(seen.ways().query) == 0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"clusters": [0, 0, -2]}, "clusters"),
        ({"clusters": [0, 1, 1]}, "pairs: expected photos of one cluster"),
        ({"clusters": [-1, -1, 0]}, "pairs: expected photos of one cluster"),
        ({"pairs": [[0, 3]]}, "pairs: expected rows below 3"),
        ({"pairs": [[1, 1]]}, "pairs: expected two different"),
        ({"pairs": [[0, 1], [1, 0]], "common": [1, 1], "scales": [1, 1]}, "pairs: expected each pair once"),
        ({"unsure": [[2, 2]]}, "unsure: expected two different"),
        ({"common": [6]}, "common: expected at most"),
        ({"common": [1, 2]}, "common: expected 1"),
        ({"points": [5, 5]}, "points: expected 3"),
        ({"scales": [0.0]}, "scales"),
        ({"scales": [np.inf]}, "scales"),
        ({"scales": [1.0, 1.0]}, "scales: expected 1"),
    ],
)  # fmt: skip
def test_what_cannot_be(changes, match) -> None:
    given = {"clusters": [0, 0, 1], "pairs": [[0, 1]], "common": [5], "points": [5, 5, 0], "scales": [1.0]}  # fmt: skip
    with pytest.raises(ValueError, match=match):
        CoVisible(**{**given, **changes})
