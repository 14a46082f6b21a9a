"""Embeddings as pictures: points in the plane by colour. Needs the extra plot."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from kinfold.base.arrays import as_array, as_vectors
from kinfold.base.extras import require
from kinfold.report.figure import write_png

# Panels in a row.
_ACROSS = 4


def write_embeddings(
    path: str | os.PathLike[str],
    embeddings: Mapping[str, Any],
    colours: Any = None,
    *,
    title: str = "",
) -> None:
    """Write a PNG of embeddings, four in a row, each point in the colour of its number.

    embeddings : title -> vectors (n, 2), or (n, 3) seen from aside
    colours : (n,) numbers: a coordinate along the manifold, or whole numbers of at most ten classes; one colour if None
    Raises ValueError for other shapes; MissingExtraError without matplotlib.
    """
    if not embeddings:
        raise ValueError("embeddings: expected at least one")
    points = {name: as_vectors(x, f"embeddings[{name!r}]") for name, x in embeddings.items()}
    values = None if colours is None else as_array(colours, "colours")
    for name, x in points.items():
        if x.shape[1] not in (2, 3):
            raise ValueError(
                f"embeddings[{name!r}]: expected points (n, 2) or (n, 3), got {x.shape}"
            )
        if values is not None and values.shape != (len(x),):
            raise ValueError(
                f"colours: expected one for each of {len(x)} points, got {values.shape}"
            )
    classes = values is not None and values.dtype.kind in "iub" and len(np.unique(values)) <= 10
    figure_of = require("matplotlib.figure").Figure
    across = min(len(points), _ACROSS)
    down = -(-len(points) // across)
    figure = figure_of(
        figsize=(3.2 * across, 3.4 * down + 0.3 * bool(title)), dpi=110, layout="constrained"
    )
    size = float(np.clip(6000 / max(len(x) for x in points.values()), 1.5, 18))
    for at, (name, x) in enumerate(points.items(), 1):
        solid = x.shape[1] == 3
        axes = figure.add_subplot(down, across, at, projection="3d" if solid else None)
        colour = (
            {"c": "#1f5f8b"}
            if values is None
            else {"c": values, "cmap": "tab10" if classes else "viridis"}
        )
        shown = axes.scatter(*x.T, s=size, lw=0, **colour)
        axes.set_title(name, fontsize=10)
        axes.set(xticks=[], yticks=[])
        if solid:
            axes.set_zticks([])
            axes.view_init(12, -75)
        else:
            axes.set_aspect("equal", adjustable="datalim")
            axes.margins(0.04)
            if classes and at == len(points):
                axes.legend(
                    *shown.legend_elements(),
                    fontsize=7,
                    frameon=False,
                    loc="center left",
                    bbox_to_anchor=(1, 0.5),
                )
    if title:
        figure.suptitle(title, fontsize=11)
    write_png(path, figure)
