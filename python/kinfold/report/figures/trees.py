"""Cells of k-d trees, and those that a query visits."""

from __future__ import annotations

import heapq
import os

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.index.codecs.raw import RawVectors
from kinfold.index.kd_tree import KDTree
from kinfold.index.proposers.kd_forest import KDForest
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import (
    INK,
    QUERY,
    RED,
    circle,
    dots,
    frame,
    panels,
    plane_points,
    rectangles,
    star,
)  # fmt: skip

Path = str | os.PathLike[str]
_Boxes = NDArray[np.float64]
_LEAF, _SEEN = 16, "#cfe0ee"


def kd_tree(path: Path) -> None:
    """The k-d tree splits space at medians, again and again.

    A query goes down to its leaf, then looks into every leaf whose cell is nearer than the best point so far: few in
    the plane, all of them in many dimensions.
    """
    points = plane_points(512)
    boxes, leaves = _leaves(KDTree(points, leafsize=_LEAF), points)
    best = np.sqrt(((points - QUERY) ** 2).sum(1).min())
    visited = _gaps(boxes) < best
    figure, (left, right) = panels(2, side=3.4)
    rectangles(left, boxes)
    dots(left, points)
    frame(left, f"{len(leaves)} leaves of a k-d tree")
    rectangles(right, boxes, face=["#cfe0ee" if seen else "none" for seen in visited])
    dots(right, points)
    right.plot(*circle(QUERY, best).T, color=RED, lw=1)
    star(right)
    frame(right, f"{visited.sum()} of them hold the answer for sure")
    write_png(path, figure)


def kd_forest(path: Path) -> None:
    """Randomized k-d trees split the same points differently, and share one queue.

    The numbers are the order in which the leaves of all trees come from the queue, the nearest cell first, whichever
    tree it is of.
    """
    points, trees = plane_points(512), 3
    built = _forest(points, trees)
    order = _queue(built)
    figure, several = panels(trees, across=3, side=3.2)
    for tree, axes in enumerate(several):
        boxes = np.array([box for of, box in built if of == tree])
        rectangles(axes, boxes)
        dots(axes, points)
        for place, (of, box) in enumerate(order[:9], 1):
            if of == tree:
                rectangles(axes, box[None], face="#cfe0ee")
                axes.text(
                    (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, str(place), ha="center", va="center",
                    fontsize=10, color=INK, weight="bold", zorder=4,
                )  # fmt: skip
        star(axes)
        frame(axes, f"tree {tree + 1}")
    write_png(path, figure)


def _leaves(tree: KDTree, points: Vectors) -> tuple[_Boxes, list[Ids]]:
    """The cells of a k-d tree's leaves, and their points: from the order of its rows, halved again and again."""
    order = tree.indices
    found: list[tuple[_Boxes, Ids]] = []
    ahead = [(0, len(order), np.array([0.0, 0.0, 1.0, 1.0]))]
    while ahead:
        begin, end, box = ahead.pop()
        rows = order[begin:end]
        middle = (begin + end) // 2
        if end - begin <= _LEAF:
            found.append((box, rows))
            continue
        first, second = points[order[begin:middle]], points[order[middle:end]]
        gaps = second.min(0) - first.max(0)
        axis = int(gaps.argmax())
        at = float(first[:, axis].max() + second[:, axis].min()) / 2
        low, high = box.copy(), box.copy()
        low[2 + axis] = high[axis] = at
        ahead += [(begin, middle, low), (middle, end, high)]
    return np.array([box for box, _ in found]), [rows for _, rows in found]


def _forest(points: Vectors, trees: int) -> list[tuple[int, _Boxes]]:
    """Tree and cell of each leaf of a forest."""
    codec = RawVectors(2).fit(points, np.zeros(len(points), np.int64), None)
    arrays = KDForest(trees, leaf=24, among=2, seed=4).build(points, codec)
    nodes = arrays["nodes"]
    found: list[tuple[int, _Boxes]] = []
    bounds = nodes[:, 2:].copy().view(np.float32)
    for tree, root in enumerate(arrays["roots"]):
        ahead = [(int(root), np.array([0.0, 0.0, 1.0, 1.0]))]
        while ahead:
            node, box = ahead.pop()
            axis, link = nodes[node, :2]
            if axis < 0:
                found.append((tree, box))
                continue
            low, high = box.copy(), box.copy()
            low[2 + axis] = high[axis] = bounds[node].mean()
            ahead += [(int(root) + int(link), high), (node + 1, low)]
    return found


def _queue(built: list[tuple[int, _Boxes]]) -> list[tuple[int, _Boxes]]:
    """Leaves of all trees as one queue gives them: the nearest cell first."""
    queue = [(float(_gaps(box[None])[0]), i) for i, (_, box) in enumerate(built)]
    heapq.heapify(queue)
    return [built[heapq.heappop(queue)[1]] for _ in range(len(queue))]


def _gaps(boxes: _Boxes) -> NDArray[np.float64]:
    """From the query to boxes (m, 4): (m,)."""
    outside = np.maximum(np.maximum(boxes[:, :2] - QUERY, QUERY - boxes[:, 2:]), 0)
    return np.sqrt((outside**2).sum(1))
