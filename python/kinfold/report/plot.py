"""The curves of a comparison as a picture for papers and slides. Needs the extra plot."""

from __future__ import annotations

import os

from kinfold.base.extras import require
from kinfold.report.curves import Comparison, rate, rate_ticks, recall_ticks, stretched
from kinfold.report.figure import write_png

_COLOURS = (
    "#1f5f8b",
    "#c2571a",
    "#17693a",
    "#8e3b8a",
    "#a3301f",
    "#8a7414",
    "#0f8a8a",
    "#d0408a",
    "#7a4a2b",
)


def write_plot(path: str | os.PathLike[str], comparison: Comparison) -> None:
    """Write a PNG of recall against queries a second; raises MissingExtraError without matplotlib."""
    figure_of = require("matplotlib.figure").Figure
    figure = figure_of(figsize=(8, 4.6), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    spots = [spot for curve in comparison.curves for spot in curve.spots]
    for i, curve in enumerate(comparison.curves):
        axes.plot(
            [stretched(spot.recall) for spot in curve.spots],
            [spot.qps for spot in curve.spots],
            "o-",
            ms=3.5,
            lw=1.6,
            color=_COLOURS[i] if i < len(_COLOURS) else "#777777",
            label=curve.name,
        )
    if comparison.best is not None:
        chosen = comparison.curves[comparison.best].chosen
        axes.plot(stretched(chosen.recall), chosen.qps, "o", ms=11, mfc="none", mec="#22231f")
    axes.axvline(stretched(comparison.wanted), color="#63645c", lw=1, ls="--")
    recalls = recall_ticks(min([*(spot.recall for spot in spots), comparison.wanted]))
    rates = rate_ticks(min(s.qps for s in spots), max(s.qps for s in spots))
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xticks([stretched(tick) for tick in recalls], [f"{tick:g}" for tick in recalls])
    axes.set_yticks(rates, [rate(tick) for tick in rates])
    axes.set(
        xlabel=f"recall {comparison.measure}",
        ylabel="queries/s",
        xlim=(stretched(recalls[0]), 1.01),
        ylim=(rates[0], rates[-1]),
        title=comparison.title,
    )
    axes.grid(color="#e2e0d8", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    write_png(path, figure)
