"""mAP on Oxford5k: plain search against diffusion, expansion and both, from real CNN vectors.

    python -m benchmarks.graph.map_oxford [--data ../shared/data/oxford5k] [--json FILE]

CaffeNet fc7, PCA to 128 dimensions, whole images as queries, the protocol of Oxford. Diffusion: mutual
neighbours among 50, alpha 0.99, gamma 3, 10 neighbours of the query, 20 iterations, as published.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from kinfold import (
    Diffusion,
    KNNGraph,
    OfflineDiffusion,
    Ranking,
    SpectralRanking,
    TruncatedDiffusion,
)
from kinfold.base.neighbours import exact_neighbours
from kinfold.evaluate import Evaluation, GroundTruth, compare, evaluate
from kinfold.graph.random_walk import RandomWalk
from kinfold.rerank.query_expansion import alpha_query_expansion, average_query_expansion

RANKS, KEPT, SIZES = (100, 500, 1000), (100, 1000), (500, 1000, 2000)


def completed(found: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """What a ranking does not reach follows in the order of the plain search."""
    rows = []
    for ids, before in zip(found, plain):
        reached = ids[ids >= 0]
        rows.append(np.concatenate([reached, before[~np.isin(before, reached)]]))
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "oxford5k"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()

    truth = GroundTruth.from_json(arguments.data / "ground_truth.json")
    records = np.fromfile(arguments.data / "caffenet_fc7_pca128.fvecs", np.float32)
    vectors = np.ascontiguousarray(records.reshape(len(truth.imlist), -1)[:, 1:])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = truth.query_positions()
    n = len(unit)

    runs: dict[str, Evaluation] = {}

    def judge(name: str, ids: np.ndarray) -> None:
        runs[name] = evaluate(Ranking.from_ids(ids), truth)

    judge("Euclidean", exact_neighbours(vectors[rows], vectors, n).ids)
    plain = exact_neighbours(unit[rows], unit, n, metric="ip")
    judge("cosine", plain.ids)
    for name, expand in (
        ("AQE 10", average_query_expansion),
        ("alpha-QE 50", alpha_query_expansion),
    ):
        queries = expand(unit[rows], unit, plain.ids)
        judge(name, exact_neighbours(queries, unit, n, metric="ip").ids)

    began = time.perf_counter()
    graph = KNNGraph.build(vectors, 50, gamma=3)
    built = time.perf_counter() - began
    for k_query in (1, 5, 10, 20):
        near = plain.distances[:, :k_query], plain.ids[:, :k_query]
        judge(f"diffusion, {k_query} neighbours", Diffusion(graph).rank(*near, k=n).ids)
    near = plain.distances[:, :10], plain.ids[:, :10]
    began = time.perf_counter()
    Diffusion(graph).rank(*near, k=100)
    ranked = time.perf_counter() - began
    judge("300 steps of the walk, 10 neighbours", RandomWalk(graph).rank(*near, k=n).ids)

    exact = Diffusion(graph, iterations=300).scores(*near)
    for name, make in (
        *((f"spectral, rank {r}", lambda r=r: SpectralRanking(r).fit(graph)) for r in RANKS),
        *(
            (f"offline, keeping {k}", lambda k=k: OfflineDiffusion.build(graph, keep=k))
            for k in KEPT
        ),
    ):
        began = time.process_time()
        flow = make()
        made = time.process_time() - began
        found = flow.rank(*near, k=n).ids
        # Past what a sparse row reaches, the order of the plain search.
        judge(name, completed(found, plain.ids))
        error = np.linalg.norm(flow.scores(*near) - exact) / np.linalg.norm(exact)
        print(f"{name}: made in {made:.1f} s, relative error {error:.3f}")
    for size in SIZES:
        cut = plain.distances[:, :size], plain.ids[:, :size]
        judge(
            f"truncated to {size}",
            completed(TruncatedDiffusion(graph).rank(*cut, k=n).ids, plain.ids),
        )

    print(f"{'method':40} {'mAP':>7} {'mP@1':>7} {'mP@5':>7} {'mP@10':>7}   against cosine [95 %]")
    for name, run in runs.items():
        change = compare(runs["cosine"], run)
        figures = " ".join(f"{value:7.4f}" for value in (run.map, *run.mp_at_k.values()))
        span = f"{change.difference:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
        print(f"{name:40} {figures}   {span}")
    print(f"graph of {len(graph)} nodes and {len(graph.neighbours)} entries in {built:.2f} s;")
    print(f"{len(rows)} queries diffused and ranked in {1000 * ranked:.1f} ms")
    if arguments.json:
        figures = {name: run.to_dict()["map"] for name, run in runs.items()}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
