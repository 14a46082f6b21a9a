"""Rankings of points on manifolds, frame by frame, and what a manifold tells of hard examples."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.extras import require
from kinfold.base.neighbours import self_neighbours
from kinfold.datasets.manifolds import two_moons, two_spirals
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.knn import KNNGraph
from kinfold.graph.random_walk import RandomWalk
from kinfold.index.kd_tree import KDTree
from kinfold.io.atomic import replace_file
from kinfold.learn.mine.on_manifold import mine_on_manifold
from kinfold.report.figure import write_png
from kinfold.report.manifold_plot import rankings_figure
from kinfold.report.mined_sets import write_mined_points

_FRAMES, _STEPS, _ITERATIONS = 10, 30, 2
_MILLISECONDS = 700
Path = str | os.PathLike[str]


def one_query(path: Path) -> None:
    """A query's similarity flows from its neighbours along the graph: by 30 steps of a random walk a frame, or by two
    iterations of conjugate gradients.

    In the end 20 iterations are where 300 steps are; frame by frame they are not.
    """
    _flows(path, two_moons(1000, noise=0.06).points, np.array([[-0.95, 0.12]]), k=20)


def several_queries(path: Path) -> None:
    """Several queries are one right-hand side: the sum of what each would send.

    Three points of one arm, far from one another, reach all of that arm and none of the other.
    """
    sample = two_spirals(1000)
    arm = np.flatnonzero(sample.labels == 0)
    along = arm[np.argsort(sample.coordinates[arm, 0])]
    _flows(path, sample.points, sample.points[along[[40, 240, 440]]] + 0.01, k=12)


def mined_sets(path: Path) -> None:
    """What is near on the manifold but far in space are hard positives; what is near in space but far on the manifold
    are hard negatives.

    No label is needed. The star is a point near the gap between two moons, where its neighbours in space are of both.
    """
    points = two_moons(1000, noise=0.06).points
    near = self_neighbours(points, 30, metric="l2")
    graph = KNNGraph.from_neighbours(np.exp(-near.distances / (2 * 0.1**2)), near.ids, gamma=1)
    sets = mine_on_manifold(
        points, graph=graph, metric="l2", components="all", anchors=None, k_pos=150, k_neg=150,
        most=150,
    )  # fmt: skip
    row = int(np.abs(points[sets.anchors] - [0, 0.45]).sum(axis=1).argmin())
    write_mined_points(path, points, sets, row)


def _graph(points: Vectors, k: int) -> KNNGraph:
    """All edges weigh the same."""
    found = KDTree(points).query(points, k + 1)[1]
    return KNNGraph.from_neighbours(np.ones(found.shape), found, k=k)


def frames_of(points: Vectors, queries: Any, *, k: int) -> tuple[list[list[Any]], Ids]:
    """Eleven frames of title and scores, of the walk and of the system; and the queries' neighbours, the first frame.

    points : (n, 2); queries : (m, 2); k : neighbours in the graph
    """
    graph = _graph(points, k)
    near: Ids = np.unique(KDTree(points).query(queries, 5)[1])
    start = np.zeros(len(points), np.float32)
    start[near] = 1
    limit = Diffusion(graph, iterations=2000, tolerance=1e-9).scores(np.ones(len(near)), near)
    frames = []
    for at in range(_FRAMES + 1):
        panels = []
        for flow, word, steps in (
            (RandomWalk, "walk, step", _STEPS), (Diffusion, "conjugate gradients,", _ITERATIONS),
        ):  # fmt: skip
            if at == 0:
                panels.append((f"{word} 0: the neighbours", start))
                continue
            scores = flow(graph, iterations=at * steps, tolerance=0).scores(
                np.ones(len(near)), near
            )
            error = np.linalg.norm(scores - limit) / np.linalg.norm(limit)
            panels.append((f"{word} {at * steps}: error {error:.2g}", scores))
        frames.append(panels)
    return frames, near


def _flows(path: Path, points: Vectors, queries: Any, *, k: int) -> None:
    frames, near = frames_of(points, queries, k=k)
    if str(path).lower().endswith(".gif"):
        _write_gif(path, [rankings_figure(points, queries, f, marked=near) for f in frames])
        return
    # Few frames, that are read on a page; the walk above the system.
    shown = [frames[at][row] for row in (0, 1) for at in (0, 1, 4, 10)]
    write_png(path, rankings_figure(points, queries, shown, columns=4, marked=near))


def _write_gif(path: Path, figures: list[Any]) -> None:
    images = require("PIL.Image")
    frames = []
    for figure in figures:
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        frames.append(images.open(picture).convert("P", palette=images.Palette.ADAPTIVE))
    with replace_file(path) as file:
        frames[0].save(
            file, format="GIF", save_all=True, append_images=frames[1:], duration=_MILLISECONDS, loop=0
        )  # fmt: skip
