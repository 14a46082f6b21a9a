"""Where a photo was taken: a map that asks nothing of the network, and the photos that say so."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinfold.io.atomic import write_text
from kinfold.report.answer import results_section
from kinfold.report.content import Answer
from kinfold.report.page import Album, facts_list, name, sheet, text

# Sides of the map, what is left free around, and the least that it shows, in metres each way.
_WIDTH, _HEIGHT, _MARGIN, _LEAST = 640, 440, 36, 120.0
# Metres of a degree of latitude.
_DEGREE = 111_195.0
_STATES = {
    "agrees": "agree on the place",
    "elsewhere": "lie elsewhere: wrongly geo-tagged, or of something else",
    "unsure": "do not agree",
}
_COMPASS = (
    "north",
    "north-east",
    "east",
    "south-east",
    "south",
    "south-west",
    "west",
    "north-west",
)


@dataclass(frozen=True)
class Spot:
    """A photo on the map.

    position : latitude and longitude in degrees
    state : "agrees", "elsewhere", or "unsure" where there is no place
    """

    name: str
    position: tuple[float, float]
    state: str


@dataclass(frozen=True)
class Place:
    """What a page shows of where a photo was taken.

    position, radius : in degrees and metres; None where the evidence does not suffice
    reason : why it does not
    spots : the photos that have a position
    unavailable : how many of the same thing have none
    suggested, frequent : tags, and how many use each
    """

    position: tuple[float, float] | None
    radius: float
    reason: str
    spots: tuple[Spot, ...] = ()
    unavailable: int = 0
    suggested: tuple[tuple[str, int], ...] = ()
    frequent: tuple[tuple[str, int], ...] = ()


def metres(value: float) -> str:
    """A distance for eyes: two digits, metres or kilometres."""
    if value >= 995:
        return f"{value / 1000:,.{1 if value < 9950 else 0}f} km"
    return f"{float(f'{value:.2g}'):.0f} m"


def degrees(position: tuple[float, float]) -> str:
    """A position for eyes, to a metre."""
    latitude, longitude = position
    return (
        f"{abs(latitude):.5f}° {'N' if latitude >= 0 else 'S'}, "
        f"{abs(longitude):.5f}° {'E' if longitude >= 0 else 'W'}"
    )


def location_page(answer: Answer, place: Place) -> str:
    """A self-contained HTML page: the query, its place on a map, tags, and the photos that say so."""
    album = Album()
    if place.position is None:
        said = f'<p class="advice">Not enough evidence: {text(place.reason)}.</p>'
    else:
        count = sum(spot.state == "agrees" for spot in place.spots)
        said = (
            f'<p class="advice"><b>{degrees(place.position)}</b>, within {metres(place.radius)}: '
            f"{count} photo{'s agree' if count > 1 else ' agrees'}.</p>"
        )
    head = (
        '<header class="ask"><figure>'
        f"{album.figure(answer.picture, f'Query: {answer.picture.name}', box=answer.box)}"
        f"<figcaption>Query {name(answer.picture.name)}</figcaption></figure>"
        f"<div><h1>{text(answer.title)}</h1>{said}{_tags(place)}{facts_list(answer.facts)}</div></header>"
    )
    body = f"{head}{_map(place)}{results_section(album, answer, 'm')}"
    return sheet(answer.title, body, album)


def write_location(path: str | os.PathLike[str], answer: Answer, place: Place) -> None:
    """Write the page; the file appears whole or not at all. Raises OSError."""
    write_text(path, location_page(answer, place))


def _tags(place: Place) -> str:
    lists = ""
    for title, tags in (
        ("Suggested tags", place.suggested),
        ("Frequent user tags", place.frequent),
    ):
        if tags:
            items = "".join(
                f'<li>{text(tag)} <span class="quiet">{users}</span></li>' for tag, users in tags
            )
            lists += f'<h3>{title}</h3><ul class="legend">{items}</ul>'
    return lists


def _map(place: Place) -> str:
    """The map, with a legend; nothing where no photo has a position."""
    if not place.spots:
        return ""
    positions = np.array([spot.position for spot in place.spots], np.float64)
    centre = np.array(place.position if place.position is not None else positions[0])
    offsets = _plane(positions, centre)
    half = _half(place, offsets)
    scale = min((_WIDTH / 2 - _MARGIN) / half, (_HEIGHT / 2 - _MARGIN) / half)
    drawn = [_grid(scale)]
    middle = f'{_WIDTH / 2:.1f}" cy="{_HEIGHT / 2:.1f}'
    if place.position is not None:
        drawn.append(f'<circle class="within" cx="{middle}" r="{place.radius * scale:.1f}"/>')
    lines = []
    for spot, offset in zip(place.spots, offsets.tolist()):
        drawn.append(_spot(spot, offset, scale))
        if spot.state == "elsewhere":
            far, way = math.hypot(*offset), _direction(offset)
            lines.append(f"<li>{name(spot.name)}: {metres(far)} to the {way}</li>")
    if place.position is not None:
        drawn.append(f'<circle class="here" cx="{middle}" r="9"/>')
    legend = []
    if place.position is not None:
        legend.append(_key('<circle class="here" r="6"/>', "estimated location"))
    for state, said in _STATES.items():
        if count := sum(spot.state == state for spot in place.spots):
            legend.append(_key(_mark(state), f"{count} {said}"))
    if place.unavailable:
        legend.append(f"<li>{place.unavailable} without a position</li>")
    label = "Map of the photos of the same thing"
    return (
        f'<section class="map"><h2>Where they were taken</h2><ul class="legend">{"".join(legend)}</ul>'
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'
        f"{_away(lines)}</section>"
    )


def _key(mark: str, said: str) -> str:
    return f'<li><svg class="key" viewBox="-8 -8 16 16">{mark}</svg>{said}</li>'


def _away(lines: Sequence[str]) -> str:
    return (
        f'<h3>Positions that lie elsewhere</h3><ul class="plain">{"".join(lines)}</ul>'
        if lines
        else ""
    )


def _plane(positions: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres to the east and to the north of the centre, (n, 2), the shorter way round; along great circles."""
    lat, lon = np.radians(positions).T
    lat0, lon0 = np.radians(centre)
    east = np.cos(lat) * np.sin(lon - lon0)
    north = np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(lon - lon0)
    up = np.sin(lat0) * np.sin(lat) + np.cos(lat0) * np.cos(lat) * np.cos(lon - lon0)
    level = np.hypot(east, north)
    length = np.arctan2(level, up) * np.degrees(1) * _DEGREE
    grow = np.divide(length, level, out=np.zeros_like(level), where=level > 0)
    return np.column_stack([east * grow, north * grow])


def _half(place: Place, offsets: NDArray[np.float64]) -> float:
    """Half of what the map shows, in metres: those that agree, and others that are not too far."""
    off = np.abs(offsets).max(axis=1)
    if place.position is None:
        return max(_LEAST, float(off.max()))
    near = np.array([spot.state == "agrees" for spot in place.spots])
    inner = max(_LEAST, 1.15 * place.radius, float(off[near].max(initial=0)))
    beside = off[off <= 2.5 * inner]
    return max(inner, float(beside.max(initial=0)))


def _spot(spot: Spot, offset: Sequence[float], scale: float) -> str:
    """A mark where the photo is, or an arrow at the rim towards it."""
    x, y = _WIDTH / 2 + offset[0] * scale, _HEIGHT / 2 - offset[1] * scale
    inside = 10 <= x <= _WIDTH - 10 and 10 <= y <= _HEIGHT - 10
    title = f"<title>{text(spot.name)}</title>"
    if inside:
        return f'<g transform="translate({x:.1f} {y:.1f})">{title}{_mark(spot.state)}</g>'
    x, y = x - _WIDTH / 2, y - _HEIGHT / 2
    share = 1 / max(abs(x) / (_WIDTH / 2 - 16), abs(y) / (_HEIGHT / 2 - 16))
    x, y = _WIDTH / 2 + share * x, _HEIGHT / 2 + share * y
    turn = math.degrees(math.atan2(offset[0], offset[1]))
    return (
        f'<g transform="translate({x:.1f} {y:.1f}) rotate({turn:.1f})">{title}'
        f'<path class="{spot.state}" d="M0-9 7 7 0 3-7 7Z"/></g>'
    )


def _mark(state: str) -> str:
    if state == "elsewhere":
        return '<path class="elsewhere" d="M-5-5 5 5M-5 5 5-5"/>'
    return f'<circle class="{state}" r="4.5"/>'


def _grid(scale: float) -> str:
    """Lines a round number of metres apart, a bar as long, and where north is."""
    step = 10 ** math.floor(math.log10(120 / scale))
    step *= next(k for k in (5, 2, 1) if k * step * scale <= 120)
    lines = []
    for size, along in ((_WIDTH, "x"), (_HEIGHT, "y")):
        other = _HEIGHT if along == "x" else _WIDTH
        count = int(size / 2 / (step * scale))
        for k in range(-count, count + 1):
            at = size / 2 + k * step * scale
            ends = (at, 0, at, other) if along == "x" else (0, at, other, at)
            lines.append(
                '<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*ends)
            )
    bar = f'<path class="bar" d="M16 {_HEIGHT - 16}h{step * scale:.1f}"/>'
    label = f'<text class="axis" x="16" y="{_HEIGHT - 24}">{metres(step)}</text>'
    north = f'<text class="axis" x="{_WIDTH - 24}" y="26">N ↑</text>'
    return "".join(lines) + bar + label + north


def _direction(offset: Sequence[float]) -> str:
    return _COMPASS[round(math.degrees(math.atan2(offset[0], offset[1])) / 45) % 8]
