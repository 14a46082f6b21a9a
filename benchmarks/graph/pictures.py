"""Draw how two solvers rank the points of two moons or spirals, frame by frame.

    python benchmarks/graph/pictures.py docs/pictures/diffusion.png [--data moons] [--k 20]

Ten frames each: 30 steps of the random walk a frame, two iterations of conjugate gradients a frame, and
the relative error against the limit. All edges weigh the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import kinfold as kf
from kinfold.datasets.manifolds import two_moons, two_spirals
from kinfold.report.manifold_plot import write_rankings

FRAMES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--data", choices=["moons", "spirals"], default="moons")
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--query", type=int, default=0, help="which point is the query")
    arguments = parser.parse_args()
    make = two_moons if arguments.data == "moons" else two_spirals
    points = make(arguments.n).points
    found = kf.KDTree(points).query(points, arguments.k + 1)[1]
    graph = kf.KNNGraph.from_neighbours(np.ones(found.shape), found, k=arguments.k)
    query = [1.0], [arguments.query]
    limit = kf.Diffusion(graph, iterations=2000, tolerance=1e-9).scores(*query)
    rankings = []
    for flow, word, steps in (
        (kf.RandomWalk, "walk, step", 30),
        (kf.Diffusion, "conjugate gradients,", 2),
    ):
        for frame in range(1, FRAMES + 1):
            scores = flow(graph, iterations=frame * steps, tolerance=0).scores(*query)
            error = np.linalg.norm(scores - limit) / np.linalg.norm(limit)
            print(f"{word} {frame * steps}: relative error {error:.2g}")
            rankings.append((f"{word} {frame * steps}: error {error:.2g}", scores))
    write_rankings(arguments.path, points, points[arguments.query], rankings)


if __name__ == "__main__":
    main()
