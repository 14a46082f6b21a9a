"""Rankings of points in the plane as pictures, one an iteration. Needs the extra plot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfold.base.arrays import as_array, as_count, as_ids, as_vectors
from kinfold.base.extras import require
from kinfold.report.figure import write_png


def write_rankings(
    path: str | os.PathLike[str],
    points: Any,
    query: Any,
    rankings: Sequence[tuple[str, Any]],
    **options: Any,
) -> None:
    """Write ``rankings_figure`` as a PNG."""
    write_png(path, rankings_figure(points, query, rankings, **options))


def rankings_figure(
    points: Any,
    query: Any,
    rankings: Sequence[tuple[str, Any]],
    *,
    columns: int = 5,
    marked: Any = (),
) -> Any:
    """Matplotlib's figure with a panel for each ranking: the points, coloured by rank, and the query.

    points : (n, 2)
    query : (2,), or (m, 2) for a query of several points
    rankings : pairs of a title and scores (n,); the larger the nearer. Points of score 0 or less, which
        a flow has not reached, are drawn as rings
    columns : panels beside one another
    marked : int (k,), points with a ring around: the query's neighbours
    Raises MissingExtraError without matplotlib.
    """
    x = as_vectors(points, "points", dim=2)
    q = as_vectors(query, "query", dim=2, one=True)
    columns, ringed = as_count(columns, "columns"), as_ids(marked, "marked")
    if len(ringed) and ringed.max() >= len(x):
        raise ValueError(f"marked: expected points below {len(x)}, got {ringed.max()}")
    panels = [(title, as_array(scores, "scores")) for title, scores in rankings]
    if not panels:
        raise ValueError("rankings: expected at least one pair of title and scores")
    for title, scores in panels:
        if scores.shape != (len(x),):
            raise ValueError(
                f"rankings: expected {len(x)} scores for {title!r}, got shape {scores.shape}"
            )
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    span = np.ptp(x, axis=0)
    height = 2.6 * float(np.clip(span[1] / max(span[0], 1e-9), 0.4, 1.6))
    figure = require("matplotlib.figure").Figure(
        figsize=(2.6 * columns, (height + 0.35) * rows), dpi=120, layout="constrained"
    )
    for i, (title, scores) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, i + 1)
        reached = scores > 0
        order = np.argsort(np.argsort(-scores, kind="stable"), kind="stable")
        axes.scatter(*x[~reached].T, s=9, facecolors="none", edgecolors="#c9c7be", linewidths=0.6)
        axes.scatter(
            *x[reached].T,
            s=11,
            c=order[reached],
            cmap="turbo_r",
            vmin=0,
            vmax=len(x) - 1,
            linewidths=0,
        )
        axes.scatter(
            *x[ringed].T, s=40, facecolors="none", edgecolors="#1f5f8b", linewidths=1.1, zorder=2
        )
        axes.scatter(
            *q.T, s=60, marker="*", color="#16170f", edgecolors="white", linewidths=0.8, zorder=3
        )
        axes.set_title(title, fontsize=8, color="#33342e")
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_color("#e2e0d8")
    return figure
