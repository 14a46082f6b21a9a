"""The poses of an object, laid out by a map that was learnt from pairs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.datasets.airplane import airplane
from kinfold.datasets.views import Views
from kinfold.learn.drlim import DrLIM
from kinfold.learn.similar import pose_pairs
from kinfold.report.figure import write_png

Path = str | os.PathLike[str]
_Floats = NDArray[np.float64]
# Pictures are reduced so many times, and learnt for so many epochs: some seconds.
_SMALLER, _EPOCHS = 3, 20


def poses(path: Path) -> None:
    """An airplane, rendered from 18 sides, 9 heights and in 6 lights, on a map that knows which views are adjacent.

    DrLIM draws adjacent azimuths and elevations together, whatever the light, and pushes others apart up to the
    margin. What comes out is a cylinder: around it the azimuth, along it the elevation, and the light nowhere.
    """
    views = airplane()
    side = views.images.shape[1] // _SMALLER
    cells = views.images.reshape(-1, side, _SMALLER, side, _SMALLER)
    small = cells.mean(axis=(2, 4)).astype(np.float32)
    model = DrLIM(3, network="connected", epochs=_EPOCHS, verbose=False)
    points = model.fit(small, pairs=pose_pairs(views)).transform(small)
    write_poses(path, views, points, points)


def write_poses(path: Path, views: Views, points: Any, fitted: Any) -> None:
    """Write a PNG of a map of poses: from aside by azimuth and by elevation, and unrolled with pictures.

    points : (n, 3), where each view is
    fitted : (m, 3), those that the cylinder is fitted to
    """
    angle, height = cylinder(points, fitted)
    if np.corrcoef(height, views.elevations)[0, 1] < 0:  # either end may come out above
        height = -height
    upright = np.stack([*_across(points, fitted), height], axis=1)
    figure = require("matplotlib.figure").Figure(figsize=(12.5, 4.2), dpi=100, layout="constrained")
    for at, (title, values, colours) in enumerate(
        [("by azimuth", views.azimuths, "hsv"), ("by elevation", views.elevations, "viridis")], 1
    ):
        axes = figure.add_subplot(1, 3, at, projection="3d")
        axes.scatter(*upright.T, c=values, cmap=colours, s=7, lw=0)
        axes.set(xticks=[], yticks=[], zticks=[], title=title)
        axes.set_box_aspect(np.ptp(upright, axis=0))
        axes.view_init(28, -60)
    axes = figure.add_subplot(1, 3, 3)
    axes.scatter(np.rad2deg(angle), height, c=views.azimuths, cmap="hsv", s=5, lw=0)
    turns, heights = np.unique(views.azimuths)[::3], np.unique(views.elevations)[[0, 4, -1]]
    for turn in turns:
        for up in heights:
            at = int(((views.azimuths == turn) & (views.elevations == up)).argmax())
            x, y = np.rad2deg(angle[at]), height[at]
            box = (x - 26, x + 26, y - 0.13, y + 0.13)
            axes.imshow(views.images[at], cmap="gray", extent=box, aspect="auto", zorder=3)
    reach = np.abs(height).max() + 0.16
    axes.set(xlim=(-207, 207), ylim=(-reach, reach), title="unrolled", ylabel="height")
    axes.set(xticks=[-180, 0, 180], yticks=[], xlabel="angle around the axis")
    write_png(path, figure)


def cylinder(points: Any, fitted: Any) -> tuple[_Floats, _Floats]:
    """Angle and height of points (n, 3) on the cylinder that fits best.

    Its axis is sought among all directions: that of which the points of ``fitted`` are least unequally far.
    """
    middle = fitted.mean(axis=0)
    angles = np.arange(0, 180, 2) * np.pi / 180
    best, axis = np.inf, np.zeros(3)
    for up in angles[:46]:
        for turn in angles if up else angles[:1]:
            for sign in (1, -1):
                tried = np.array(
                    [np.sin(up) * np.cos(turn), np.sin(up) * np.sin(turn), sign * np.cos(up)]
                )
                flat = fitted - middle
                flat = flat - np.outer(flat @ tried, tried)
                far = np.linalg.norm(flat - flat.mean(axis=0), axis=1)
                if (unequal := far.std() / far.mean()) < best:
                    best, axis = unequal, tried
    centred = points - middle
    flat = centred @ np.linalg.svd(axis[None])[2][1:].T
    return np.arctan2(flat[:, 1], flat[:, 0]), centred @ axis


def _across(points: Any, fitted: Any) -> _Floats:
    """Coordinates (2, n) of points across the cylinder's axis."""
    height = cylinder(points, fitted)[1]
    centred = points - fitted.mean(axis=0)
    axis = np.linalg.lstsq(centred, height, rcond=None)[0]
    found: _Floats = (centred @ np.linalg.svd(axis[None])[2][1:].T).T
    return found
