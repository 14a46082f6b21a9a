from __future__ import annotations

import numpy as np

from kinfold.landmarks.boxes import object_boxes
from kinfold.landmarks.cleaning import COPY, LEFT_OUT
from kinfold.landmarks.objects import objects
from kinfold.local.match_graph import MatchGraph


def planted() -> MatchGraph:
    """Photos 0 to 3 show one thing, each shifted by 10 pixels; 4 and 5, of their class, another; 6 is of another class.

    Every pair has 20 inliers on a grid, but 3 and 4, which have 5.
    """
    grid = np.array([(x, y) for x in range(100, 200, 20) for y in range(120, 200, 20)], np.float32)
    pairs = [(0, 1), (0, 2), (1, 2), (1, 6), (2, 3), (3, 4), (4, 5)]
    maps, points = [], []
    for a, b in pairs:
        shift = 10.0 * (b - a)
        maps.append([[1, 0, shift], [0, 1, 0], [0, 0, 1]])
        first = grid[: 5 if (a, b) == (3, 4) else 20] + np.array([10 * a, 0])
        points.append(np.hstack([first, first + np.array([shift, 0])]))
    starts = np.concatenate([[0], np.cumsum([len(p) for p in points])])
    return MatchGraph(
        np.arange(7) * 3, np.full((7, 2), (640.0, 480.0)), tried=pairs, matched=np.full(7, 30),
        maps=maps, starts=starts, points=np.concatenate(points).astype(np.float32),
    )  # fmt: skip


def test_kept_photos_and_their_boxes() -> None:
    labels = [0, 0, 0, 0, 0, 0, 1]
    cleaning, boxes = objects(planted(), labels)
    assert cleaning.kept.tolist() == [0, 1, 2, 3] and cleaning.dropped.tolist() == [1]
    assert (cleaning.states[4:] == LEFT_OUT).all()
    expected = [[100 + 10 * i, 120, 180 + 10 * i, 180] for i in range(4)]
    assert np.allclose(boxes[:4], expected, atol=1e-3) and np.isnan(boxes[4:]).all()
    # Weaker pairs counted, both things hang together.
    assert len(objects(planted(), labels, least_inliers=5)[0].kept) == 6


def test_boxes_are_those_of_the_kept_pairs_alone() -> None:
    graph = planted()
    boxes = objects(graph, [0, 0, 0, 0, 0, 0, 1], rounds=3, tolerance=0)[1]
    rows = [0, 1, 2, 4]
    alone = object_boxes(
        graph.sizes, graph.tried[rows], graph.maps[rows], graph.boxes(rows), rounds=3, tolerance=0
    )
    assert np.array_equal(boxes, alone, equal_nan=True)


def test_copies_and_none_at_all() -> None:
    cleaning, boxes = objects(planted(), [0] * 7, copies=[0, 1, 2, 3, 4, 5, 1])
    assert cleaning.states[6] == COPY and np.isnan(boxes[6]).all()
    cleaning, boxes = objects(MatchGraph([1, 2], np.ones((2, 2))), [0, 0])
    assert not len(cleaning.kept) and np.isnan(boxes).all()


def test_a_map_that_cannot_be_inverted_tells_nothing_of_boxes() -> None:
    graph = planted()
    flat = graph.maps.copy()
    flat[0] = [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    other = MatchGraph(
        graph.ids, graph.sizes, tried=graph.tried, matched=graph.matched, maps=flat,
        starts=graph.starts, points=graph.points,
    )  # fmt: skip
    cleaning, boxes = objects(other, [0, 0, 0, 0, 0, 0, 1])
    assert len(cleaning.kept) == 4 and np.isfinite(boxes[:4]).all()
