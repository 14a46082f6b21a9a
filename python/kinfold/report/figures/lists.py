"""Lists of points by cell, and the order in which a query reads them."""

from __future__ import annotations

import os

import numpy as np

from kinfold.index.coarse.multi import MultiCells, multi_sequence
from kinfold.quantize.kmeans import KMeans, assign
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import (
    INK,
    QUERY,
    RED,
    cells,
    dots,
    frame,
    panels,
    plane_points,
    star,
)  # fmt: skip

Path = str | os.PathLike[str]


def inverted_lists(path: Path) -> None:
    """An inverted file keeps the points of a cell together; a query reads the lists of the nearest centroids.

    What is coded is the residual of a point from its centroid: residuals of all cells lie around one origin.
    """
    points = plane_points()
    coarse = KMeans(12, verbose=False).fit(points)
    gaps = ((coarse.centroids - QUERY) ** 2).sum(1)
    ranks = np.argsort(np.argsort(gaps))
    figure, (left, right) = panels(2, side=3.4)
    cells(left, coarse.assign, lambda labels: np.where(ranks[labels] < 4, 1 - ranks[labels] / 4, 0))
    dots(left, points)
    dots(left, coarse.centroids, colour=RED, size=26)
    for rank in range(4):
        at = coarse.centroids[ranks == rank][0]
        left.annotate(str(rank + 1), at, xytext=(4, 4), textcoords="offset points", color=RED)
    star(left)
    frame(left, "lists read for a query: the 4 nearest")
    of = coarse.assign(points)
    dots(right, points - coarse.centroids[of] + 0.5, colour=of.astype(float), size=8)
    right.axhline(0.5, color="#e2e0d8", lw=0.8, zorder=0)
    right.axvline(0.5, color="#e2e0d8", lw=0.8, zorder=0)
    frame(right, "residuals of all lists, by list")
    write_png(path, figure)


def multi_index(path: Path) -> None:
    """The inverted multi-index has a cell for each pair of centroids of its two halves.

    The numbers are the order in which the multi-sequence algorithm visits cells: by ascending sum of both distances,
    without ever sorting all pairs.
    """
    points, k = plane_points(), 7
    coarse = MultiCells(k, verbose=False).fit(points)
    halves = coarse.centroids[..., 0]
    left, right = ((halves[side] - QUERY[side]) ** 2 for side in (0, 1))
    by = [np.argsort(gaps, kind="stable") for gaps in (left, right)]
    first, second, _ = multi_sequence(left[by[0]], right[by[1]], 16)
    order = {
        (int(by[0][i]), int(by[1][j])): place for place, (i, j) in enumerate(zip(first, second), 1)
    }
    shade = np.zeros(k * k)
    for (i, j), place in order.items():
        shade[i * k + j] = 1 - (place - 1) / 16
    figure, (axes,) = panels(1, side=4.2)
    cells(
        axes,
        lambda x: (
            assign(x[:, :1], halves[0][:, None])[0] * k + assign(x[:, 1:], halves[1][:, None])[0]
        ),
        lambda labels: shade[labels],
    )
    dots(axes, points)
    for (i, j), place in order.items():
        axes.text(
            halves[0][i], halves[1][j], str(place), ha="center", va="center", fontsize=8, color=INK,
            weight="bold", zorder=4,
        )  # fmt: skip
    star(axes)
    frame(axes, f"{k} x {k} cells, the first 16 of a query")
    write_png(path, figure)
