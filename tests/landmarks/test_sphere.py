"""Positions on the sphere: by formula, by a search over the plane, across the date line and around the poles."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks.sphere import RADIUS, distances, median_position

# Paris; beside the date line; beside either pole; where zeros meet.
CENTRES = [(48.8584, 2.2945), (-16.9, 179.9999), (89.9995, 40.0), (-89.9999, -120.0), (0.0, 0.0)]


def around(centre: tuple[float, float], east_north: np.ndarray) -> np.ndarray:
    """Positions at metres to the east and north of a centre: along great circles from it."""
    lat, lon = np.radians(centre)
    length = np.hypot(*east_north.T)
    bearing, angle = np.arctan2(*east_north.T), length / RADIUS
    lat2 = np.arcsin(np.sin(lat) * np.cos(angle) + np.cos(lat) * np.sin(angle) * np.cos(bearing))
    across = np.sin(bearing) * np.sin(angle) * np.cos(lat)
    lon2 = lon + np.arctan2(across, np.cos(angle) - np.sin(lat) * np.sin(lat2))
    return np.column_stack([np.degrees(lat2), (np.degrees(lon2) + 540) % 360 - 180])


def test_distances_are_those_of_the_haversine() -> None:
    random = np.random.default_rng(0)
    a = np.column_stack([random.uniform(-90, 90, 40), random.uniform(-180, 180, 40)])
    (lat, lon), (lat2, lon2) = np.radians(a[:20]).T, np.radians(a[20:]).T
    half = (
        np.sin((lat - lat2) / 2) ** 2 + np.cos(lat) * np.cos(lat2) * np.sin((lon - lon2) / 2) ** 2
    )
    np.testing.assert_allclose(
        np.diag(distances(a[:20], a[20:])), 2 * RADIUS * np.arcsin(np.sqrt(half))
    )
    # A metre is told from nothing, half round the world from a metre less.
    assert distances([[48, 2]], [[48, 2]])[0, 0] == 0
    np.testing.assert_allclose(
        distances([[0, 0]], [[0, 180 - 1e-5]]), np.pi * RADIUS - 1.11195, atol=1e-3
    )
    np.testing.assert_allclose(distances([[10, 180]], [[10, -180]]), 0, atol=1e-6)
    np.testing.assert_allclose(distances([[90, 7]], [[90, -99]]), 0, atol=1e-6)


@pytest.mark.parametrize("centre", CENTRES)
def test_the_median_is_the_best_of_all_places_near(centre: tuple[float, float]) -> None:
    random = np.random.default_rng(1)
    plane = random.normal(0, 40, (9, 2))
    plane[7:] = [[4000, 100], [-300, 9000]]
    positions, weights = around(centre, plane), random.uniform(0.5, 3, 9)
    got = median_position(positions, weights)

    def cost(place: np.ndarray) -> float:
        return float(distances([place], positions)[0] @ weights)

    grid = around(centre, np.stack(np.meshgrid(*2 * [np.arange(-60, 60.0, 2)]), -1).reshape(-1, 2))
    costs = distances(grid, positions) @ weights
    assert cost(got) <= costs.min() + 1e-9
    assert distances([got], grid[costs.argmin()][None])[0, 0] < 3
    # Nothing near is better.
    for step in around(tuple(got.tolist()), np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]) * 0.05):
        assert cost(got) < cost(step)


@pytest.mark.parametrize("centre", CENTRES)
def test_the_median_turns_with_the_earth(centre: tuple[float, float]) -> None:
    plane = np.random.default_rng(2).normal(0, 60, (7, 2))
    here = median_position(around((10.0, 20.0), plane))
    there = median_position(around(centre, plane))
    # The same place seen from both centres, but for the sphere's curve: it is the same figure.
    assert distances([here], [(10.0, 20.0)])[0, 0] == pytest.approx(
        distances([there], [centre])[0, 0], abs=1e-4
    )


def test_the_median_by_hand() -> None:
    assert median_position([[12, 34]]).tolist() == pytest.approx([12, 34])
    # Of three in a row the middle one; of four corners the crossing; of two the heavier.
    assert median_position([[0, 0], [0, 1], [0, 3]]).tolist() == pytest.approx([0, 1], abs=1e-5)
    square = around((40.0, -75.0), np.array([[100, 100], [-100, -100], [100, -100], [-100, 100.0]]))
    assert distances([median_position(square)], [[40, -75]])[0, 0] < 0.01
    assert median_position([[5, 5], [6, 6]], [1, 2]).tolist() == pytest.approx([6, 6], abs=1e-5)
    # Coinciding ones add up.
    assert median_position([[5, 5], [5, 5], [6, 6]], [1, 1, 1.5]).tolist() == pytest.approx(
        [5, 5], abs=1e-5
    )
    # Nearly half of the weight leads it nowhere.
    near = around((52.0, 13.0), np.random.default_rng(3).normal(0, 10, (11, 2)))
    far = np.full((10, 2), [-33.0, 151.0])
    assert distances([median_position(np.concatenate([near, far]))], [[52, 13]])[0, 0] < 40
    # Opposite places: anything between is as good; it comes to an end and is a place.
    assert np.isfinite(median_position([[0, 0], [0, 180]])).all()


@pytest.mark.parametrize(
    ("positions", "weights", "message"),
    [
        ([[91, 0]], None, "^positions: expected degrees, -90 to 90 north"),
        ([[0, 181]], None, "^positions: expected degrees"),
        ([[0, np.nan]], None, "^positions: expected degrees"),
        ([[np.inf, 0]], None, "^positions: expected degrees"),
        ([1, 2], None, r"^positions: expected latitudes and longitudes \(n, 2\)"),
        ([], None, "^positions: expected at least one"),
        ([[1, 2]], [0], "^weights: expected 1 finite numbers above 0"),
        ([[1, 2]], [np.nan], "^weights: expected"),
        ([[1, 2]], [1, 2], "^weights: expected"),
    ],
)
def test_bad_arguments(positions: object, weights: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        median_position(positions, weights)  # type: ignore[arg-type]
