"""mAP of every second look at vectors, on real vectors with ground truth.

    python -m benchmarks.graph.map_rerank [--data ../shared/data/oxford5k]

Oxford5k: CaffeNet fc7, PCA to 128 dimensions, whole images as queries, the protocol of Oxford; full rankings.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from kinfold import KNNGraph, Ranking
from kinfold.base.neighbours import exact_neighbours
from kinfold.evaluate import GroundTruth, compare, evaluate
from kinfold.index.base import unit_rows
from kinfold.rerank.vectors import rerank

CASES = [
    ("AQE, 10", "aqe", {"top": 10}),
    ("alpha-QE, 50", "alpha-qe", {"top": 50, "alpha": 3}),
    ("alpha-QE, 10", "alpha-qe", {"top": 10, "alpha": 3}),
    ("DBA, 10", "dba", {"top": 10}),
    ("DBA, 20, alpha 3", "dba", {"top": 20, "alpha": 3}),
    ("k-reciprocal", "k-reciprocal", {}),
    ("k-reciprocal, k1 40", "k-reciprocal", {"k1": 40}),
    ("diffusion", "diffusion", {}),
    ("random walk, 300 steps", "random-walk", {"iterations": 300}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "oxford5k"
    parser.add_argument("--data", type=Path, default=default)
    arguments = parser.parse_args()
    truth = GroundTruth.from_json(arguments.data / "ground_truth.json")
    records = np.fromfile(arguments.data / "caffenet_fc7_pca128.fvecs", np.float32)
    base = unit_rows(np.ascontiguousarray(records.reshape(len(truth.imlist), -1)[:, 1:]))
    queries = base[truth.query_positions()]
    n = len(base)
    first = exact_neighbours(queries, base, n, metric="ip")
    plain = evaluate(Ranking.from_ids(first.ids), truth)
    graph = KNNGraph.build(base)
    print(f"{'cosine (Euclidean)':26} mAP {plain.map:.4f}")
    for name, method, options in CASES:
        began = time.process_time()
        found = rerank(
            first.distances, first.ids, method, queries=queries, base=base, graph=graph, **options
        )
        seconds = time.process_time() - began
        run = evaluate(Ranking.from_ids(found.ids), truth)
        change = compare(plain, run)
        print(
            f"{name:26} mAP {run.map:.4f}  {change.difference:+.4f} "
            f"[{change.low:+.4f}, {change.high:+.4f}]  {1000 * seconds / len(queries):.1f} ms a query"
        )
    for name, method, options in CASES[:6]:
        second = rerank(first.distances, first.ids, method, queries=queries, base=base, **options)
        found = rerank(second.scores, second.ids, "diffusion", base=base, graph=graph)
        print(
            f"{name + ' + diffusion':26} mAP {evaluate(Ranking.from_ids(found.ids), truth).map:.4f}"
        )


if __name__ == "__main__":
    main()
