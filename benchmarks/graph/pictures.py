"""How two solvers rank the points of two moons or spirals, frame by frame: errors, and all frames as a picture.

    python -m benchmarks.graph.pictures FILE.png [--data moons] [--k 20]

Ten frames each: 30 steps of the random walk a frame, two iterations of conjugate gradients a frame, and the relative
error against the limit. All edges weigh the same. `kinfold figures manifold-walk` draws some of these frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kinfold.datasets.manifolds import two_moons, two_spirals
from kinfold.report.figures.flows import frames_of
from kinfold.report.manifold_plot import write_rankings


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
    query = points[[arguments.query]]
    frames, near = frames_of(points, query, k=arguments.k)
    rankings = [panels[flow] for flow in (0, 1) for panels in frames[1:]]
    for title, _ in rankings:
        print(title)
    write_rankings(arguments.path, points, query, rankings, marked=near)


if __name__ == "__main__":
    main()
