"""A set of points in the plane, and how its parts are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.extras import require

INK, GREY, BLUE, RED, GREEN = "#16170f", "#b9b7ae", "#1f5f8b", "#c2371a", "#17693a"
_Floats = NDArray[np.float64]
# Of the square in which everything lies.
LOW, HIGH = 0.0, 1.0
_GRID = 360


def plane_points(n: int = 640) -> Vectors:
    """Points float32 (n, 2) of the unit square, in four clusters that lie along different directions."""
    random = np.random.default_rng(3)
    means = np.array([[0.25, 0.7], [0.7, 0.76], [0.3, 0.25], [0.74, 0.3]])
    angles, spreads = np.deg2rad([35, -20, 100, 60]), np.array([0.13, 0.04])
    which = np.arange(n) % len(means)
    turns = np.stack(
        [np.stack([np.cos(angles), np.sin(angles)], 1), np.stack([-np.sin(angles), np.cos(angles)], 1)], 1
    )  # fmt: skip
    points = means[which] + np.einsum(
        "nk,nkd->nd", random.standard_normal((n, 2)) * spreads, turns[which]
    )
    return np.clip(points, 0.02, 0.98).astype(np.float32)


QUERY: Vectors = np.array([0.56, 0.44], np.float32)


def panels(count: int, *, across: int = 4, side: float = 2.9) -> tuple[Any, list[Any]]:
    """A figure of equal squares, so many in a row."""
    across = min(count, across)
    down = -(-count // across)
    figure = require("matplotlib.figure").Figure(
        figsize=(side * across, (side + 0.3) * down), dpi=110, layout="constrained"
    )
    return figure, [figure.add_subplot(down, across, i + 1) for i in range(count)]


def frame(axes: Any, title: str = "") -> None:
    """The unit square, without ticks."""
    axes.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=9, color="#33342e")
    for side in axes.spines.values():
        side.set_color("#e2e0d8")


def dots(axes: Any, points: Any, *, colour: Any = GREY, size: float = 5) -> None:
    """Points, small."""
    axes.scatter(*np.asarray(points).T, s=size, c=colour, linewidths=0, zorder=2)


def star(axes: Any, at: Any = QUERY) -> None:
    """Where the query is."""
    axes.scatter(
        *np.asarray(at).T, s=110, marker="*", color=INK, edgecolors="white", linewidths=0.9, zorder=5
    )  # fmt: skip


def lattice() -> Vectors:
    """Places all over the square, row by row: float32 (m, 2)."""
    steps = (np.arange(_GRID) + 0.5) / _GRID
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2).astype(np.float32)


def cells(
    axes: Any, label: Callable[[Vectors], Any], shade: Callable[[NDArray[np.int64]], Any] | None = None
) -> None:  # fmt: skip
    """Edges between places of different labels, and a shade of each in [0, 1] if given.

    label : places (m, 2) -> whole numbers (m,)
    """
    labels = np.asarray(label(lattice())).astype(np.int64).reshape(_GRID, _GRID)
    if shade is not None:
        axes.imshow(
            shade(labels), origin="lower", extent=(LOW, HIGH, LOW, HIGH), cmap="Blues", vmin=0, vmax=1.6,
            interpolation="nearest", zorder=0,
        )  # fmt: skip
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    rgba = np.zeros((*edge.shape, 4))
    rgba[edge] = (0.38, 0.39, 0.35, 1)
    axes.imshow(
        rgba, origin="lower", extent=(LOW, HIGH, LOW, HIGH), interpolation="antialiased", zorder=1
    )


def rectangles(axes: Any, boxes: _Floats, *, face: Any = "none", edge: str = "#63645c") -> None:
    """Boxes (m, 4): x0, y0, x1, y1; one colour, or one for each."""
    rectangle = require("matplotlib.patches").Rectangle
    faces = [face] * len(boxes) if isinstance(face, str) else face
    for (x0, y0, x1, y1), colour in zip(boxes, faces):
        axes.add_patch(
            rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=colour, edgecolor=edge, lw=0.6, zorder=1)
        )  # fmt: skip


def circle(middle: Any, radius: Any) -> _Floats:
    """Points all around: (m, 2)."""
    turns = np.linspace(0, 2 * np.pi, 100)
    found: _Floats = np.asarray(middle) + np.stack([np.cos(turns), np.sin(turns)], 1) * radius
    return found


def ellipse(axes: Any, mean: Any, axes_of: Any, deviations: Any, colour: str) -> None:
    """Two standard deviations along each direction, and the directions as arrows.

    axes_of : (2, 2), directions as rows
    """
    around = circle((0, 0), 2 * np.asarray(deviations))
    axes.plot(*(mean + around @ np.asarray(axes_of)).T, color=colour, lw=1, zorder=3)
    for direction, deviation in zip(np.asarray(axes_of), deviations):
        axes.annotate(
            "", xy=mean + 2 * deviation * direction, xytext=mean,
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.4}, zorder=4,
        )  # fmt: skip
