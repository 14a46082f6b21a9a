"""The page of a comparison of indexes: recall against speed, a table, and which to take."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.base.arrays import as_number
from kinfold.io.atomic import write_text
from kinfold.report.page import Album, facts_list, number, sheet, text

# As many as there are colours that are told apart; more are drawn grey.
COLOURS = 9
_WIDTH, _HEIGHT = 960, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 24, 26, 52
# What is added to the share that is missed, before its logarithm: it decides how wide the last percent is.
_OFFSET = 0.005
_RECALLS = (0.0, 0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)


@dataclass(frozen=True)
class Spot:
    """One setting: recall in [0, 1], queries a second, and how it is written."""

    recall: float
    qps: float
    label: str = ""

    def __post_init__(self) -> None:
        as_number(self.recall, "recall", least=0.0, most=1.0)
        as_number(self.qps, "qps", least=0.0, open=True)


@dataclass(frozen=True)
class Curve:
    """One index.

    spots : by ascending recall
    chosen : the spot for the recall that was wanted, or what comes nearest
    reached : whether that has it
    fits : whether the memory that was allowed suffices
    """

    name: str
    spots: tuple[Spot, ...]
    chosen: Spot
    reached: bool
    fits: bool
    bytes_per_vector: float
    build_seconds: float


@dataclass(frozen=True)
class Comparison:
    """What a page shows.

    measure : the recall's name, such as "10@10"
    wanted : the recall that was asked for
    best : position of the recommended curve, or None
    advice : a sentence for people
    example : lines of Python that use it
    """

    title: str
    curves: tuple[Curve, ...]
    measure: str
    wanted: float
    best: int | None
    advice: str
    example: str
    facts: Mapping[str, str]


def curves_page(comparison: Comparison) -> str:
    """A comparison as a self-contained HTML page."""
    body = (
        f'<header class="summary"><h1>{text(comparison.title)}</h1>'
        f'<p class="advice">{text(comparison.advice)}</p>{facts_list(comparison.facts)}</header><main>'
        f"<h2>Recall against speed</h2>{_legend(comparison.curves)}{_chart(comparison)}"
        '<p class="hint">Up and to the right is better. Rest the pointer on a dot to read its setting.</p>'
        f"<h2>Each index at recall {text(comparison.measure)} ≥ {comparison.wanted:g}</h2>"
        f"{_table(comparison)}"
    )
    if comparison.example:
        lines = "\n".join(map(text, comparison.example.splitlines()))
        body += f"<h2>How to use it</h2><pre>{lines}</pre>"
    return sheet(comparison.title, f"{body}</main>", Album())


def write_curves(path: str | os.PathLike[str], comparison: Comparison) -> None:
    """Write the page; the file appears whole or not at all. Raises OSError."""
    write_text(path, curves_page(comparison))


def stretched(recall: float) -> float:
    """Where a recall lies on the axis: by the logarithm of what is missed, from 0 to 1."""
    return math.log((1 + _OFFSET) / (1 - recall + _OFFSET)) / math.log((1 + _OFFSET) / _OFFSET)


def recall_ticks(least: float) -> list[float]:
    """The recalls that an axis names, from the last at or below ``least``."""
    start = max(tick for tick in _RECALLS if tick <= least)
    return [tick for tick in _RECALLS if tick >= min(start, 0.9)]


def rate_ticks(least: float, most: float) -> list[float]:
    """Round rates that enclose all: powers of ten, with 2 and 5 where there are few."""
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    below = max(tick for tick in ticks if tick <= least * 1.0001)
    above = min((tick for tick in ticks if tick >= most * 0.9999), default=ticks[-1])
    if below == above:
        above = 10 * below
    return [tick for tick in ticks if below <= tick <= above] + [above] * (above > ticks[-1])


class _Frame:
    """From recall and rate to positions in the drawing."""

    def __init__(self, comparison: Comparison) -> None:
        spots = [spot for curve in comparison.curves for spot in curve.spots]
        self.recalls = recall_ticks(min([*(spot.recall for spot in spots), comparison.wanted]))
        self.rates = rate_ticks(min(s.qps for s in spots), max(s.qps for s in spots))

    def x(self, recall: float) -> float:
        first = stretched(self.recalls[0])
        share = (stretched(recall) - first) / (1 - first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, qps: float) -> float:
        low, high = math.log(self.rates[0]), math.log(self.rates[-1])
        share = (math.log(qps) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def rate(value: float) -> str:
    """Queries a second, to as many digits as matter."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _kind(i: int) -> str:
    return f"k{i}" if i < COLOURS else "k"


def _chart(comparison: Comparison) -> str:
    if not comparison.curves:
        return '<p class="empty">Nothing was measured.</p>'
    frame = _Frame(comparison)
    left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
    at = frame.x(min(max(comparison.wanted, frame.recalls[0]), 1.0))
    parts = [
        f'<rect class="enough" x="{at:.1f}" y="{top}" width="{right - at:.1f}" height="{bottom - top}"/>'
    ]
    for tick in frame.rates:
        y = frame.y(tick)
        parts.append(
            f'<path class="grid" d="M{left} {y:.1f}H{right}"/>'
            f'<text x="{left - 10}" y="{y + 4.5:.1f}" text-anchor="end">{rate(tick)}</text>'
        )
    for tick in frame.recalls:
        x = frame.x(tick)
        parts.append(
            f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>'
            f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{tick:g}</text>'
        )
    parts.append(
        f'<path class="wanted" d="M{at:.1f} {top}V{bottom}"/>'
        f'<text class="axis" x="{(left + right) / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">'
        f"recall {text(comparison.measure)}</text>"
        f'<text class="axis" x="{left - 10}" y="14" text-anchor="end">queries/s</text>'
    )
    for i, curve in enumerate(comparison.curves):
        places = [(frame.x(spot.recall), frame.y(spot.qps)) for spot in curve.spots]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6"><title>{_title(curve, spot)}</title></circle>'
            for (x, y), spot in zip(places, curve.spots)
        )
        parts.append(f'<g class="curve {_kind(i)}"><path d="M{line}"/>{dots}</g>')
    if comparison.best is not None:
        curve = comparison.curves[comparison.best]
        x, y = frame.x(curve.chosen.recall), frame.y(curve.chosen.qps)
        parts.append(
            f'<circle class="ring {_kind(comparison.best)}" cx="{x:.1f}" cy="{y:.1f}" r="9">'
            f"<title>{_title(curve, curve.chosen)}</title></circle>"
        )
    label = f"Recall {comparison.measure} against queries per second of {len(comparison.curves)} indexes"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}">'
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(label)}">'
        f"{''.join(parts)}</svg></div>"
    )


def _title(curve: Curve, spot: Spot) -> str:
    setting = f" · {spot.label}" if spot.label else ""
    return text(f"{curve.name}{setting}: recall {spot.recall:.4f}, {rate(spot.qps)} queries/s")


def _legend(curves: Sequence[Curve]) -> str:
    items = "".join(
        f'<li><i class="swatch {_kind(i)}"></i>{text(curve.name)}</li>'
        for i, curve in enumerate(curves)
    )
    return f'<ul class="legend">{items}</ul>'


def _table(comparison: Comparison) -> str:
    lines = []
    for i, curve in enumerate(comparison.curves):
        badge = ""
        if i == comparison.best:
            badge = '<span class="badge ok">recommended</span>'
        elif not curve.reached:
            badge = '<span class="badge junk">recall not reached</span>'
        elif not curve.fits:
            badge = '<span class="badge junk">too large</span>'
        chosen = curve.chosen
        lines.append(
            f'<tr><th scope="row"><i class="swatch {_kind(i)}"></i>{text(curve.name)}</th>'
            f"<td>{number(chosen.recall)}</td><td>{rate(chosen.qps)}</td>"
            f"<td>{rate(curve.bytes_per_vector)}</td><td>{number(curve.build_seconds, 1)}</td>"
            f'<td class="words">{text(chosen.label) or "–"}</td><td class="words">{badge}</td></tr>'
        )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Each index"><table><thead><tr>'
        '<th scope="col">index</th><th scope="col">recall</th><th scope="col">queries/s</th>'
        '<th scope="col">bytes/vector</th><th scope="col">build, s</th>'
        '<th class="words" scope="col">setting</th><td></td>'
        f"</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
