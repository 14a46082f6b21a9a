from __future__ import annotations

import numpy as np

from kinfold.index.kd_tree import KDTree
from kinfold.report.figures.plane import QUERY, plane_points
from kinfold.report.figures.trees import _forest, _gaps, _leaves, _queue


def area(boxes: np.ndarray) -> float:
    return float(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum())


def test_leaves_tile_the_square_and_hold_their_points() -> None:
    points = plane_points(512)
    boxes, leaves = _leaves(KDTree(points, leafsize=16), points)
    assert abs(area(boxes) - 1) < 1e-9
    assert sorted(np.concatenate(leaves)) == list(range(len(points)))
    for box, rows in zip(boxes, leaves):
        assert (points[rows] >= box[:2] - 1e-6).all() and (points[rows] <= box[2:] + 1e-6).all()


def test_the_nearest_point_is_in_a_leaf_that_is_near_enough() -> None:
    points = plane_points(512)
    boxes, leaves = _leaves(KDTree(points, leafsize=16), points)
    gaps = np.sqrt(((points - QUERY) ** 2).sum(1))
    holds = [gaps.argmin() in rows for rows in leaves].index(True)
    assert _gaps(boxes)[holds] <= gaps.min()


def test_each_tree_tiles_the_square_and_the_queue_is_of_all() -> None:
    built = _forest(plane_points(512), 3)
    for tree in range(3):
        assert abs(area(np.array([box for of, box in built if of == tree])) - 1) < 1e-6
    order = _queue(built)
    gaps = _gaps(np.array([box for _, box in order]))
    assert len(order) == len(built) and (np.diff(gaps) >= 0).all()
    # The query lies in a leaf of each tree: those come first.
    assert {of for of, _ in order[:3]} == {0, 1, 2} and (gaps[:3] == 0).all()
