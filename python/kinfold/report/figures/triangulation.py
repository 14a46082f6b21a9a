"""The geometry of triangulation embedding."""

from __future__ import annotations

import os

import numpy as np

from kinfold.quantize.kmeans import KMeans
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import (
    BLUE,
    GREEN,
    INK,
    RED,
    circle,
    dots,
    frame,
    panels,
    plane_points,
)  # fmt: skip


def triangulation(path: str | os.PathLike[str]) -> None:
    """A local descriptor is seen from every centroid, not from the nearest alone.

    Residuals to all centroids are brought to length one: what is kept are directions, as in triangulation, however
    far a centroid is.
    """
    points = plane_points(160)
    centroids = KMeans(4, verbose=False).fit(points).centroids
    chosen = np.array([[0.45, 0.52], [0.62, 0.62]], np.float32)
    residuals = chosen[:, None] - centroids
    units = residuals / np.linalg.norm(residuals, axis=-1, keepdims=True)
    figure, (first, second, third, fourth) = panels(4)
    for axes, title in (
        (first, "descriptors"), (second, "codebook"), (third, "residuals to all"),
        (fourth, "normalised: directions"),
    ):  # fmt: skip
        frame(axes, title)
    for axes in (first, second, third):
        dots(axes, points, size=7)
        dots(axes, chosen, colour=[BLUE, GREEN], size=36)
    for axes in (second, third):
        dots(axes, centroids, colour=RED, size=40)
    for unit, at, colour in zip(units, chosen, (BLUE, GREEN)):
        for i, centroid in enumerate(centroids):
            third.annotate(
                "", xy=at, xytext=centroid, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.2}
            )  # fmt: skip
            fourth.annotate(
                "", xy=0.5 + 0.38 * unit[i], xytext=(0.5, 0.5),
                arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.2},
            )  # fmt: skip
    fourth.plot(*circle((0.5, 0.5), 0.38).T, color="#b9b7ae", lw=0.8)
    for i, centroid in enumerate(centroids):
        second.annotate(str(i + 1), centroid, xytext=(5, 5), textcoords="offset points", color=INK)
    write_png(path, figure)
