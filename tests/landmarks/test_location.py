"""Where a photo was taken: who agrees, who does not, how sure it is, and when there is no answer."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.landmarks import estimate_location
from kinfold.landmarks.sphere import distances

from .test_sphere import CENTRES, around


@pytest.mark.parametrize("centre", CENTRES)
def test_wrong_positions_are_told_and_left_out(centre: tuple[float, float]) -> None:
    plane = np.random.default_rng(0).normal(0, 30, (10, 2))
    wrong = np.array([[3000.0, 0], [-500, 900], [5e6, 2e6]])
    right = estimate_location(around(centre, plane))
    found = estimate_location(around(centre, np.concatenate([plane, wrong])))
    assert right is not None and found is not None
    assert found.agree.tolist() == list(range(10)) and found.apart.tolist() == [10, 11, 12]
    assert (found.latitude, found.longitude) == (right.latitude, right.longitude)
    assert found.radius == right.radius and found.witnesses == 10
    assert found.distances([centre])[0] < 30
    off = found.distances(around(centre, wrong))
    np.testing.assert_allclose(off, np.hypot(*wrong.T), rtol=0.05)


def test_too_little_is_no_answer() -> None:
    here, there = around((48.0, 2.0), np.array([[0.0, 0], [10, 0], [5000, 0], [9000, 50]])), None
    assert estimate_location([]) is there
    assert estimate_location(here[:1]) is there
    assert estimate_location(here[1:3]) is there
    two = estimate_location(here[:2])
    assert two is not None and two.witnesses == 2
    assert estimate_location(here[:1], least=1) is not None
    # Two of four agree: half of the weight, unless the others weigh more.
    assert estimate_location(here) is not None
    assert estimate_location(here, [1, 1, 1, 1.1]) is there
    assert estimate_location(here, [1, 1, 1, 1.1], share=0.4) is not None
    assert estimate_location(here, share=0.51) is there


def test_one_user_is_one_witness() -> None:
    lone = around((48.0, 2.0), np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [7000, 0], [7010, 0]]))
    assert estimate_location(lone, users=["a"] * 4 + ["b", None]).agree.tolist() == [4, 5]  # type: ignore[union-attr]
    assert estimate_location(lone).agree.tolist() == [0, 1, 2, 3]  # type: ignore[union-attr]
    assert estimate_location(lone[:4], users=["a"] * 4) is None
    assert estimate_location(lone[:4], users=["a", "a", "b", "b"]).witnesses == 2  # type: ignore[union-attr]
    assert estimate_location(lone[:4], users=[None] * 4).witnesses == 4  # type: ignore[union-attr]
    # Where the heaviest is a user's, the others add nothing to it.
    heavy = estimate_location(lone, [5, 1, 1, 1, 4, 4], users=["a"] * 4 + ["b", "c"])
    assert heavy is not None and heavy.agree.tolist() == [4, 5]


@pytest.mark.parametrize(("n", "probability"), [(2, 0.9), (5, 0.9), (40, 0.9), (5, 0.5)])
def test_the_radius_holds_what_it_says(n: int, probability: float) -> None:
    random, inside, runs = np.random.default_rng(n), 0, 500
    for _ in range(runs):
        # Spreads as they are believed in: two photos' worth around 40 metres.
        spread = 40 * np.sqrt(2 / random.gamma(2, 1))
        every = around((48.0, 2.0), random.normal(0, spread, (n + 1, 2)))
        found = estimate_location(
            every[:n], reach=1e5, spread=40, doubt=2, probability=probability, share=0
        )
        assert found is not None
        inside += bool(found.distances(every[n:])[0] <= found.radius)
    # The median is less exact than the mean, for which the formula is: about a hundredth.
    assert abs(inside / runs - probability) < 0.05


def test_the_radius_by_hand() -> None:
    # Two photos 60 m apart: 30 m off each, so s² = (2·50² + 2·30²/2) / 3, and r² = 2·(3/2)·s²·3·(0.1^(-1/3) - 1).
    two = around((10.0, 10.0), np.array([[-30.0, 0], [30, 0]]))
    found = estimate_location(two, spread=50, doubt=2)
    variance = (2 * 2500 + 2 * 900 / 2) / 3
    # Anywhere between the two is as good a median; the distances are 60 m together.
    off = distances([[found.latitude, found.longitude]], two)[0]  # type: ignore[union-attr]
    variance += ((off**2).sum() - 1800) / 2 / 3
    wanted = np.sqrt(2 * 1.5 * variance * 3 * (0.1 ** (-1 / 3) - 1))
    assert found is not None and found.radius == pytest.approx(wanted, rel=1e-6)


def test_the_order_does_not_matter() -> None:
    random = np.random.default_rng(5)
    positions = around(
        (0.0, 180.0), random.normal(0, 80, (12, 2)) * random.choice([1, 20], (12, 1))
    )
    weights, order = random.uniform(1, 9, 12), random.permutation(12)
    one, other = (estimate_location(positions[o], weights[o]) for o in (np.arange(12), order))
    assert one is not None and other is not None
    assert sorted(order[other.agree].tolist()) == one.agree.tolist()
    np.testing.assert_allclose(
        [one.latitude, one.radius], [other.latitude, other.radius], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1]}, "^weights: expected 2"),
        ({"users": ["a"]}, "^users: expected one for each of 2"),
        ({"reach": 0}, "^reach: expected"),
        ({"least": 0}, "^least: expected"),
        ({"share": 1.5}, "^share: expected"),
        ({"spread": -1}, "^spread: expected"),
        ({"doubt": 0}, "^doubt: expected"),
        ({"probability": 1}, "^probability: expected"),
    ],
)
def test_bad_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_location([[1, 2], [1, 2]], **options)  # type: ignore[arg-type]
