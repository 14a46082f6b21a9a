"""Where a photo was taken, from the positions of the photos that show the same thing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, as_count, as_number
from kinfold.landmarks.sphere import as_positions, as_weights, distances, median_position

# A second look at who agrees, from the place that they gave, settles at once but for odd cases.
_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Location:
    """A place and how sure it is.

    latitude, longitude : degrees
    radius : metres; a further photo of the thing was taken within it, with the probability that was asked for
    agree : int64 (a,), rows of the positions that give the place
    apart : int64 (b,), rows of those that lie elsewhere: their positions are wrong, or what they show is something else
    witnesses : how many of different users, as far as these are known, agree
    """

    latitude: float
    longitude: float
    radius: float
    agree: Ids
    apart: Ids
    witnesses: int

    def distances(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Metres from the place to positions (n, 2) in degrees."""
        return distances([[self.latitude, self.longitude]], positions)[0]


def estimate_location(
    positions: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    users: Sequence[Hashable | None] | None = None,
    reach: float = 200.0,
    least: int = 2,
    share: float = 0.5,
    spread: float = 50.0,
    doubt: float = 2.0,
    probability: float = 0.9,
) -> Location | None:
    """The place that most of the evidence agrees on; None where too little does.

    positions : (n, 2), latitude and longitude in degrees of photos that show the same thing
    weights : (n,) above 0, how sure it is that they do: inliers
    users : who took each, None where that is not known. Photos of one user are one witness: all of them have the weight
        of the heaviest, for who copies one position to all of his photos proves nothing by their number
    reach : metres; positions no farther than this from the place agree on it
    least : witnesses that must agree
    share : of the weight that must agree
    spread : metres, how far photos of one thing are usually apart (standard deviation along each axis)
    doubt : so many photos' worth of belief in ``spread``, beside the photos themselves
    probability : that a further photo of the thing was taken within the radius

    The place is the weighted geometric median of those that agree, who are found from the position that most weight is
    near. The radius is that of a further sample of a normal distribution around it: with the variance s² pooled of
    ``doubt`` and the n - 1 freedoms of n that agree, ν together, r² = 2 (1 + 1/n) s² ν ((1 - p)^(-1/ν) - 1).
    """
    given = as_positions(positions, "positions")
    w = as_weights(weights, len(given))
    as_number(reach, "reach", least=0.0, open=True)
    as_number(share, "share", least=0.0, most=1.0)
    as_number(spread, "spread", least=0.0)
    as_number(doubt, "doubt", least=0.0, open=True)
    as_number(probability, "probability", least=0.0, most=1.0, open=True)
    least = as_count(least, "least")
    who = _witnesses(users, len(given))
    if not len(given):
        return None
    w = _shared(w, who)
    near = distances(given, given) <= reach
    agree = near[np.argmax(near @ w)]
    for _ in range(_ROUNDS):
        place = median_position(given[agree], w[agree])
        now = distances([place], given)[0] <= reach
        if (now == agree).all() or not now.any():
            break
        agree = now
    witnesses = len(np.unique(who[agree]))
    if witnesses < least or w[agree].sum() < share * w.sum():
        return None
    place = median_position(given[agree], w[agree])
    off = distances([place], given[agree])[0]
    freedom = doubt + len(off) - 1
    variance = (doubt * spread**2 + (off**2).sum() / 2) / freedom
    growth = freedom * ((1 - probability) ** (-1 / freedom) - 1)
    radius = np.sqrt(2 * (1 + 1 / len(off)) * variance * growth)
    latitude, longitude = place.tolist()
    return Location(
        latitude, longitude, float(radius), np.flatnonzero(agree), np.flatnonzero(~agree), witnesses
    )


def _witnesses(users: Sequence[Hashable | None] | None, n: int) -> Ids:
    """A number for the user of each; each its own where that is not known."""
    named = [None] * n if users is None else list(users)
    if len(named) != n:
        raise ValueError(f"users: expected one for each of {n} positions, got {len(named)}")
    number: dict[Hashable, int] = {}
    return np.array(
        [
            n + number.setdefault(user, len(number)) if user is not None else row
            for row, user in enumerate(named)
        ],
        np.int64,
    )


def _shared(w: NDArray[np.float64], who: Ids) -> NDArray[np.float64]:
    """Weights such that all of a witness have that of his heaviest together."""
    _, of = np.unique(who, return_inverse=True)
    total = np.bincount(of, weights=w)
    most = np.zeros(len(total))
    np.maximum.at(most, of, w)
    shared: NDArray[np.float64] = w * (most / total)[of]
    return shared
