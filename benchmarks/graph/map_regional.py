"""mAP on real photos: Euclidean against each re-ranking, global and over regions.

    python -m benchmarks.features.map_cnn --table methods --no-windows --networks squeezenet1_1
    python -m benchmarks.graph.map_regional [--network squeezenet1_1] [--out FILE]

The first keeps the descriptors in the cache folder. Regions are those of the feature map, 21 and fewer a photo; the
global descriptor is their sum (R-MAC). Whitened to 128 dimensions, exponent 0.25, learnt on the database. Mutual
neighbours among 10 (global) and 50 (regions), alpha 0.9: objects have a few photos here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks.data import CACHE, SHARED
from benchmarks.features.methods import small_regions
from kinfold.base.neighbours import exact_neighbours
from kinfold.evaluate.average_precision import average_precision
from kinfold.graph.regional import gmp_weights
from kinfold.rerank.query_expansion import (
    alpha_query_expansion,
    average_query_expansion,
    database_augmentation,
)
from kinfold.rerank.vectors import rerank
from kinfold.transform.normalize import l2_normalize

# Objects have three or four photos here: the usual numbers of neighbours, and smaller ones.
SECOND_LOOKS: list[tuple[str, str, dict[str, Any]]] = [
    ("AQE, 2 answers", "aqe", {"top": 2}),
    ("AQE, 10 answers", "aqe", {"top": 10}),
    ("alpha-QE, 10 answers, alpha 3", "alpha-qe", {"top": 10}),
    ("alpha-QE, 50 answers, alpha 3", "alpha-qe", {"top": 50}),
    ("DBA, 2 neighbours", "dba", {"top": 2}),
    ("DBA, 10 neighbours, alpha 3", "dba", {"top": 10, "alpha": 3}),
    ("k-reciprocal, k1 6, k2 2", "k-reciprocal", {"k1": 6, "k2": 2}),
    ("k-reciprocal, k1 20, k2 6", "k-reciprocal", {}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--max-side", type=int, default=640)
    parser.add_argument("--k-global", type=int, default=10)
    parser.add_argument("--k-regional", type=int, default=50)
    parser.add_argument("--alpha", type=float, default=0.9)
    parser.add_argument(
        "--k-query", type=int, default=2, help="neighbours of each of a query's regions"
    )
    parser.add_argument("--out", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    alpha = arguments.alpha
    kf.set_threads(1)
    weights = SHARED / "weights" / f"{arguments.network}.safetensors"
    truth = json.loads((SHARED / "photos" / "ground_truth.json").read_text())
    n = len(truth["imlist"])
    regions, starts = small_regions(CACHE, weights, arguments.max_side, n)
    owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    whole = l2_normalize(np.add.reduceat(regions, starts[:-1], axis=0))
    figures: dict[str, float] = {}

    def judge(name: str, ranked: Any, began: float) -> None:
        spent = 1000 * (time.process_time() - began) / len(truth["gnd"])
        values = [
            average_precision(row[row >= 0], entry["ok"], entry["junk"])
            for row, entry in zip(ranked, truth["gnd"])
        ]
        figures[name] = float(np.mean(values))
        print(f"{name:48}{figures[name]:8.4f}{spent:12.2f} ms a query", flush=True)

    def then_rest(found: Any, first: Any) -> list[Any]:
        """What a diffusion does not reach follows in the order of the first answer."""
        rows = []
        for scores, ids, before in zip(*found, first):
            reached = ids[(ids >= 0) & (scores > 0)]
            rows.append(np.concatenate([reached, before[~np.isin(before, reached)]]))
        return rows

    began = time.process_time()
    near = exact_neighbours(whole[n:], whole[:n], n, metric="ip")
    judge("global, Euclidean", near.ids, began)
    graph = kf.KNNGraph.build(whole[:n], arguments.k_global)
    for name, method, options in SECOND_LOOKS:
        began = time.process_time()
        found = rerank(
            near.distances, near.ids, method, queries=whole[n:], base=whole[:n], **options
        )
        judge(f"global, {name}", found.ids, began)
    for k_query in (5, 10):
        first = near.distances[:, :k_query], near.ids[:, :k_query]
        began = time.process_time()
        judge(
            f"global, diffusion, {k_query} neighbours",
            then_rest(kf.Diffusion(graph, alpha=alpha).rank(*first, k=n), near.ids),
            began,
        )
    first = near.distances[:, :5], near.ids[:, :5]
    for size in (100, 300):
        cut = near.distances[:, :size], near.ids[:, :size]
        began = time.process_time()
        truncated = kf.TruncatedDiffusion(graph, k_query=5, alpha=alpha)
        judge(f"global, truncated to {size}", then_rest(truncated.rank(*cut, k=n), near.ids), began)
    lists = exact_neighbours(whole[:n], whole[:n], 300, metric="ip").ids
    for name, offline in (
        (
            "global, offline, 300, keep 100",
            kf.OfflineDiffusion.build(graph, lists, keep=100, alpha=alpha),
        ),
        (
            "global, offline, 300, keep 300",
            kf.OfflineDiffusion.build(graph, lists, keep=300, alpha=alpha),
        ),
    ):
        began = time.process_time()
        judge(name, then_rest(offline.rank(*first, k=n), near.ids), began)
    for r in (50, 100, 200):
        spectral = kf.SpectralRanking(r, alpha=alpha).fit(graph)
        began = time.process_time()
        judge(f"global, spectral, rank {r}", then_rest(spectral.rank(*first, k=n), near.ids), began)

    base, asked = regions[: starts[n]], regions[starts[n] :]
    images = owners[: starts[n]]
    index = kf.RegionalIndex(128)
    index.add(np.split(base, starts[1:n]))
    queries = np.split(asked, starts[n + 1 : -1] - starts[n])
    began = time.process_time()
    plain = [index.search(query, n)[1] for query in queries]
    judge("regional, Euclidean", plain, began)
    lists = exact_neighbours(asked, base, 10, metric="ip").ids
    for name, points, sought in (
        ("AQE, 2 answers a region", base, average_query_expansion(asked, base, lists, top=2)),
        ("alpha-QE, 10 answers a region", base, alpha_query_expansion(asked, base, lists, top=10)),
        ("DBA, 2 neighbours a region", database_augmentation(base, top=2), asked),
    ):
        augmented = kf.RegionalIndex(128)
        augmented.add(np.split(points, starts[1:n]))
        began = time.process_time()
        judge(
            f"regional, {name}",
            [augmented.search(q, n)[1] for q in np.split(sought, starts[n + 1 : -1] - starts[n])],
            began,
        )
    k_query = 10
    most = max(len(query) for query in queries)
    found = exact_neighbours(asked, base, k_query, metric="ip")
    ids = np.full((len(queries), most, k_query), -1, np.int64)
    values = np.zeros(ids.shape, np.float32)
    for row, at in enumerate(starts[n:-1] - starts[n]):
        count = len(queries[row])
        ids[row, :count] = found.ids[at : at + count]
        values[row, :count] = found.distances[at : at + count]
    began = time.process_time()
    graph = kf.KNNGraph.build(base, arguments.k_regional)
    print(f"{graph}: {time.process_time() - began:.1f} s")
    gmp = gmp_weights(base, images)
    for pooling, given in (("sum", None), ("generalised max pooling", gmp)):
        for wide in (arguments.k_query, k_query):
            part = values[..., :wide], ids[..., :wide]
            began = time.process_time()
            regional = kf.RegionalDiffusion(kf.Diffusion(graph, alpha=alpha), images, given)
            ranked = then_rest(regional.rank(*part, k=n), plain)
            judge(f"regional, diffusion, {pooling}, {wide} neighbours", ranked, began)
    few = values[..., : arguments.k_query], ids[..., : arguments.k_query]
    for name, make in (
        ("offline, keeping 1,000", lambda: kf.OfflineDiffusion.build(graph, alpha=alpha)),
        ("spectral, rank 500", lambda: kf.SpectralRanking(500, alpha=alpha).fit(graph)),
    ):
        began = time.process_time()
        regional = kf.RegionalDiffusion(make(), images, gmp)
        print(f"{name}: made in {time.process_time() - began:.1f} s")
        began = time.process_time()
        judge(f"regional, {name}", then_rest(regional.rank(*few, k=n), plain), began)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
