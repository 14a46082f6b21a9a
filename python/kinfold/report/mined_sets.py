"""What mining on a manifold finds, as pictures: points of the plane, and photos. Needs the extra plot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_count, as_ids, as_vectors
from kinfold.base.extras import require
from kinfold.features.batches import fitted
from kinfold.learn.mine.on_manifold import ManifoldSets
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import BLUE, GREEN, GREY, INK, RED
from kinfold.report.pictures import as_kind


def write_mined_points(
    path: str | os.PathLike[str], points: Any, sets: ManifoldSets, row: int = 0
) -> None:
    """Write a PNG of one anchor's sets among points of the plane: E, M, M without E, E without M.

    points : (n, 2), what was mined
    sets : of ``learn.mine.mine_on_manifold``
    row : which of the anchors
    Raises MissingExtraError without matplotlib.
    """
    x = as_vectors(points, "points", dim=2)
    row = _checked(sets, len(x), [row])[0]
    panels = [
        ("Euclidean neighbours E(x)", sets.euclidean[row], BLUE),
        ("manifold neighbours M(x)", sets.manifold[row], BLUE),
        ("positives M(x) \\ E(x)", sets.positives[row], GREEN),
        ("negatives E(x) \\ M(x)", sets.negatives[row], RED),
    ]
    span = np.ptp(x, axis=0)
    height = 3 * float(np.clip(span[1] / max(span[0], 1e-9), 0.4, 1.6))
    figure = require("matplotlib.figure").Figure(
        figsize=(6.4, 2 * (height + 0.3)), dpi=110, layout="constrained"
    )
    for i, (title, rows, colour) in enumerate(panels):
        axes = figure.add_subplot(2, 2, i + 1)
        axes.scatter(*x.T, s=7, facecolors="none", edgecolors=GREY, linewidths=0.6)
        axes.scatter(*x[rows[rows >= 0]].T, s=12, color=colour, linewidths=0)
        axes.scatter(
            *x[sets.anchors[row]], s=110, marker="*", color=INK, edgecolors="white",
            linewidths=0.8, zorder=3,
        )  # fmt: skip
        axes.set_title(title, fontsize=9, color="#33342e")
        axes.set_aspect("equal")
        _bare(axes)
    write_png(path, figure)


def write_mined_photos(
    path: str | os.PathLike[str],
    photos: Sequence[Any],
    sets: ManifoldSets,
    rows: Any = (0, 1, 2),
    *,
    columns: int = 8,
    seed: int = 0,
) -> None:
    """Write a PNG of some anchors, each with four lines of photos.

    Positives, beside the Euclidean neighbours that one would learn from without the manifold; negatives, beside photos
    drawn from all that are no Euclidean neighbours.

    photos : pixels uint8 (H, W, 3) or files, n of them
    sets : of ``learn.mine.mine_on_manifold``
    rows : which of the anchors
    columns : photos of a line
    seed : of what is drawn
    Raises MissingExtraError without matplotlib.
    """
    chosen, columns = _checked(sets, len(photos), rows), as_count(columns, "columns")
    random = np.random.default_rng(as_count(seed, "seed", least=0))
    figure = require("matplotlib.figure").Figure(
        figsize=(1.0 * (columns + 1.6), 4.2 * len(chosen)), dpi=90, layout="constrained"
    )
    grid = figure.add_gridspec(
        4 * len(chosen), columns + 1, width_ratios=[1.6, *[1] * columns], wspace=0.02, hspace=0.02
    )
    for i, row in enumerate(chosen):
        anchor = sets.anchors[row]
        shown = figure.add_subplot(grid[4 * i : 4 * i + 4, 0])
        _photo(shown, photos[anchor], INK)
        shown.set_title("anchor", fontsize=8, color="#33342e")
        outside = np.setdiff1d(np.arange(len(photos)), [*sets.euclidean[row], anchor])
        lines = [
            ("M \\ E", sets.positives[row], GREEN),
            ("E", sets.euclidean[row], BLUE),
            ("E \\ M", sets.negatives[row], RED),
            ("X \\ E", random.permutation(outside), GREY),
        ]
        for line, (title, ids, colour) in enumerate(lines):
            ids = ids[ids >= 0][:columns]
            for column in range(columns):
                axes = figure.add_subplot(grid[4 * i + line, column + 1])
                if column < len(ids):
                    _photo(axes, photos[ids[column]], colour)
                else:
                    axes.set_axis_off()
                if column == 0:
                    at = (-0.06, 0.5)
                    axes.annotate(
                        title, at, xycoords="axes fraction", rotation=90, ha="right", va="center",
                        fontsize=7, color="#33342e",
                    )  # fmt: skip
    write_png(path, figure)


def _checked(sets: Any, n: int, rows: Any) -> Ids:
    as_kind(sets, "sets", ManifoldSets)
    chosen = as_ids(rows, "rows")
    if len(chosen) == 0 or chosen.max() >= len(sets):
        raise ValueError(f"rows: expected some anchors below {len(sets)}, got {chosen.tolist()}")
    most = max(int(part.max(initial=-1)) for part in (sets.anchors, sets.euclidean, sets.positives))
    if most >= n:
        raise ValueError(f"sets: expected those of {n} items, got item {most}")
    return chosen


def _photo(axes: Any, photo: Any, colour: str) -> None:
    axes.imshow(fitted(photo, 160))
    _bare(axes, colour, 1.6)


def _bare(axes: Any, colour: str = "#e2e0d8", width: float = 0.8) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color(colour)
        side.set_linewidth(width)
