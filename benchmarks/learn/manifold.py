"""Mining on manifolds: the picture of two moons, what is mined among the real photos, and what a network learns of it.

python benchmarks/learn/manifold.py picture docs/pictures/mined_moons.png
python benchmarks/learn/manifold.py sheet FILE [--network mobilenet_v2]
python benchmarks/learn/manifold.py mined [--network squeezenet1_1]
python benchmarks/learn/manifold.py train [--seeds 0 1 2 3 4]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import kinfold as kf
from kinfold.base.neighbours import self_neighbours
from kinfold.datasets.manifolds import two_moons
from kinfold.learn.mine.on_manifold import mine_on_manifold
from kinfold.report.mined_sets import write_mined_points


def picture(options: argparse.Namespace) -> None:
    """Of a point near the gap between two moons; similarities are Gaussian, of width .1."""
    points = two_moons(1000, noise=0.06).points
    near = self_neighbours(points, 30, metric="l2")
    similarities = np.exp(-near.distances / (2 * 0.1**2))
    graph = kf.KNNGraph.from_neighbours(similarities, near.ids, gamma=1)
    sets = mine_on_manifold(
        points, graph=graph, metric="l2", components="all", anchors=None, k_pos=150, k_neg=150,
        most=150,
    )  # fmt: skip
    row = int(np.abs(points[sets.anchors] - [0, 0.45]).sum(axis=1).argmin())
    write_mined_points(options.path, points, sets, row)


def main() -> None:
    """Choose one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    drawing = commands.add_parser("picture")
    drawing.add_argument("path", type=Path)
    drawing.set_defaults(run=picture)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
