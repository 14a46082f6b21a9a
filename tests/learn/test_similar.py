from __future__ import annotations

import numpy as np
import pytest

from kinfold.datasets.views import Views
from kinfold.learn.similar import neighbour_pairs, pose_pairs, version_pairs


def grid(
    azimuths=range(0, 360, 20), elevations=range(30, 75, 5), lightings=range(6), objects=(0,)
) -> Views:
    parts = np.meshgrid(list(objects), list(azimuths), list(elevations), list(lightings), indexing="ij")  # fmt: skip
    o, a, e, s = (part.reshape(-1) for part in parts)
    return Views(np.zeros((len(o), 1, 1), np.uint8), o, a, e, s)


def once(pairs: np.ndarray) -> set[tuple[int, int]]:
    """Pairs that come both ways round, the smaller row first."""
    found = {*map(tuple, pairs.tolist())}
    assert len(found) == len(pairs) and {(b, a) for a, b in found} == found
    return {(a, b) for a, b in found if a < b}


def slow(views: Views, azimuth: bool, elevation: bool, lighting: bool) -> set[tuple[int, int]]:
    """Every pair by the words of the definition."""
    turns, heights = (sorted({*x.tolist()}) for x in (views.azimuths, views.elevations))
    found = set()
    for i in range(len(views.azimuths)):
        for j in range(i + 1, len(views.azimuths)):
            steps = abs(turns.index(views.azimuths[i]) - turns.index(views.azimuths[j]))
            beside = steps in (1, len(turns) - 1) and steps > 0
            up = abs(heights.index(views.elevations[i]) - heights.index(views.elevations[j]))
            if views.objects[i] == views.objects[j] and (
                (azimuth and beside and up == 0)
                or (elevation and steps == 0 and up == 1)
                or (lighting and steps == 0 and up == 0)
            ):
                found.add((i, j))
    return found


def test_counts_of_a_norb_instance() -> None:
    views = grid()
    assert len(once(pose_pairs(views, elevation=False))) == 18 * 9 * 36 == 5832
    assert len(once(pose_pairs(views, azimuth=False))) == 18 * 8 * 36 == 5184
    assert len(once(pose_pairs(views))) == 11016
    same = pose_pairs(views, azimuth=False, elevation=False, lighting=True)
    assert len(once(same)) == 18 * 9 * 15 == 2430


@pytest.mark.parametrize("which", [(True, True, False), (True, False, False), (False, True, True)])
@pytest.mark.parametrize("turns", [1, 2, 3, 5])
def test_pairs_by_their_definition(which, turns) -> None:
    views = grid(range(0, 60 * turns, 60), (30, 40, 45), range(2), (0, 4))
    some = views.chosen(np.random.default_rng(0).permutation(len(views.objects))[:25])
    azimuth, elevation, lighting = which
    pairs = pose_pairs(some, azimuth=azimuth, elevation=elevation, lighting=lighting)
    assert pairs.dtype == np.int64 and pairs.tolist() == sorted(pairs.tolist())
    assert once(pairs) == slow(some, *which)


def test_nearest_others() -> None:
    x = np.array([[0.0], [1], [3], [7]])
    assert neighbour_pairs(x, 2).tolist() == [
        [0, 1], [0, 2], [1, 0], [1, 2], [2, 1], [2, 0], [3, 2], [3, 1],
    ]  # fmt: skip
    with pytest.raises(ValueError, match="n_neighbors: expected fewer than the 4 pictures, got 4"):
        neighbour_pairs(x, 4)


def test_versions_of_similar_samples() -> None:
    """Sample 0 has pictures 0 and 3, sample 1 has 1, sample 2 has 2 and 4; 0 is similar to 1."""
    samples = [0, 1, 2, 0, 2]
    own = [[0, 3], [2, 4], [3, 0], [4, 2]]
    assert version_pairs([[1, 0], [1, 0]], samples).tolist() == sorted([*own, [1, 0], [1, 3]])
    # Five versions each of three samples: 20 ways within each, 25 for each pair of samples.
    assert len(version_pairs([[0, 1], [1, 2]], np.tile(np.arange(3), 5))) == 3 * 20 + 2 * 25
    with pytest.raises(ValueError, match="pairs: expected rows below 3, got 3"):
        version_pairs([[0, 3]], samples)
    with pytest.raises(ValueError, match=r"pairs: expected pairs of rows \(m, 2\)"):
        version_pairs([0, 1], samples)
