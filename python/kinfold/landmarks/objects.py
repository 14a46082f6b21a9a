"""From what geometry says of the photos of some classes: which to learn from, and where in them the object is."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.offered import call_by_name
from kinfold.landmarks.boxes import Boxes, object_boxes
from kinfold.landmarks.cleaning import Cleaning, clean_classes
from kinfold.local.match_graph import MatchGraph


def objects(
    graph: MatchGraph, labels: Any, *, least_inliers: int = 12, copies: Any = None, **options: Any
) -> tuple[Cleaning, Boxes]:
    """What is kept of each class, and the box of the object in each photo that is, in its pixels: float64 (n, 4).

    graph : pairs within classes that were looked at
    labels : int (n,), the class of each photo of the graph
    least_inliers, copies : see cleaning.clean_classes
    options : further ones of boxes.object_boxes
    Boxes of photos that are not kept are NaN.
    """
    rows = graph.confirmed(least_inliers)
    cleaning = clean_classes(
        labels, graph.tried[rows], graph.inliers[rows], least_inliers=least_inliers, copies=copies
    )
    kept = np.isin(np.arange(len(graph)), cleaning.kept)
    same = cleaning.labels[graph.tried[rows, 0]] == cleaning.labels[graph.tried[rows, 1]]
    rows = rows[kept[graph.tried[rows]].all(1) & same]
    # A map that a mirror image or a line of features gives may not be inverted: it tells nothing of boxes.
    rows = rows[np.linalg.matrix_rank(graph.maps[rows]) == 3] if len(rows) else rows
    boxes = object_boxes(
        graph.sizes, graph.tried[rows], graph.maps[rows], graph.boxes(rows), **options
    )
    return cleaning, boxes


call_by_name(__name__)
