from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.geometric_median import geometric_median


def cost(point: np.ndarray, points: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ np.linalg.norm(points - point, axis=1))


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_no_other_point_is_nearer_to_all(dim, rng) -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    sizes = (1, 2, 3, 8, 31)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    shuffled = rng.permutation(len(groups))
    points, weights = rng.standard_normal((len(groups), dim)), rng.uniform(0.2, 3, len(groups))
    found = geometric_median(points[shuffled], groups[shuffled], weights[shuffled])
    for group in range(len(sizes)):
        mine = groups == group
        peers = [
            minimize(cost, start, (points[mine], weights[mine]), method="Nelder-Mead").fun
            for start in (points[mine].mean(0), *points[mine][:3])
        ]
        least = min(peers + [cost(p, points[mine], weights[mine]) for p in points[mine]])
        assert cost(found[group], points[mine], weights[mine]) <= least * (1 + 1e-3) + 1e-9


def test_by_hand() -> None:
    triangle = [[0, 0], [2, 0], [1, 3**0.5]]
    assert np.allclose(geometric_median(triangle), [[1, 3**-0.5]], atol=1e-4)
    # Two of three at one place: there it is, however far the third.
    assert np.allclose(geometric_median([[1, 1], [1, 1], [9e5, -4e5]]), [[1, 1]], atol=2)
    assert np.allclose(geometric_median([[0, 0], [4, 2]]), [[2, 1]])
    assert np.allclose(geometric_median([[3, 3]] * 5), [[3, 3]])
    assert np.isnan(geometric_median([[1.0, 2]], [2])[:2]).all()
    assert geometric_median(np.empty((0, 4)), np.empty(0, int)).shape == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 2],), "points: expected finite"),
        (([[1, np.nan]],), "points: expected"),
        (([[1, 2]], [0, 1]), "groups: expected 1"),
        (([[1, 2]], None, [0]), "weights: expected a number above 0"),
    ],
)
def test_what_is_none(arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        geometric_median(*arguments)
