"""What a billion vectors in lists cost, from what lists of 100,000 and 500,000 cost here.

    python -m benchmarks.index.billion --check 1000000 10000000 --out billion.json

1. *Measured*: an index of ``--spec`` at two sizes: rows that a query meets, its time at several ``nprobe``; by least
   squares the time of a query, of a cell that it visits, and of a row that it meets. Time to look through centroids,
   for a query and for a row that is added.
2. *Generated*: how unequal cells are (of the small index, what chance adds taken off) gives the spread of a lognormal;
   of it, cells' shares; of these, by a multinomial draw, lengths of lists for any number of rows. A query comes from
   where rows are: it meets a cell with the cell's share.
3. *Checked*: rows met and time, as generated, beside those measured at ``--check`` rows, which took no part in 1.
4. *Predicted*: 100 million and a thousand million rows: lengths of lists, rows a query, time, bytes.

The vectors are those of data.py; beyond a million they are repeated with noise, so cells keep their shares. Times are
processor time of this thread.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

import kinfold as kf
from benchmarks import data
from kinfold.quantize.kmeans import assign

PROBES = (1, 4, 16, 64)
SMALL = (100_000, 500_000)
LARGE = (100_000_000, 1_000_000_000)
D, K = 128, 10


def seconds(call: Callable[[], Any], rounds: int) -> float:
    """Processor time of a call, the least of so many."""
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
    return min(times)


def lengths_of(index: Any) -> NDArray[np.int64]:
    """Rows of every cell, empty ones too."""
    lengths = np.zeros(index.coarse.n_cells, np.int64)
    for part in index._held.parts:
        np.add.at(lengths, part.cells, np.diff(part.starts))
    return lengths


def unevenness(lengths: NDArray[np.int64]) -> float:
    """Cells' number times the sum of their squared shares, 1 where they are equal; without what chance adds."""
    n = lengths.sum()
    return float(len(lengths) * (lengths * (lengths - 1.0)).sum() / (n * (n - 1.0)))


def shares_of(cells: int, uneven: float, seed: int) -> NDArray[np.float64]:
    """Shares of so many cells, lognormal, as uneven as that."""
    drawn = np.exp(np.sqrt(np.log(uneven)) * np.random.default_rng(seed).standard_normal(cells))
    return drawn / drawn.sum()


def lists_of(rows: int, cells: int, uneven: float, seed: int = 0) -> dict[str, float]:
    """Lengths of lists of so many rows, generated."""
    shares = shares_of(cells, uneven, seed)
    lengths = np.random.default_rng(seed + 1).multinomial(rows, shares)
    middle, high = np.quantile(lengths, [0.5, 0.99])
    return {
        "rows": rows, "cells": cells, "median": float(middle), "99 %": float(high), "longest": int(lengths.max()),
        "empty": int((lengths == 0).sum()), "met a cell": float((shares * lengths).sum()),
    }  # fmt: skip


def one_by_one(index: Any, queries: Any, nprobe: int) -> None:
    """Each query alone: among so many lists no two of a batch share one, as they do here."""
    for query in queries:
        index.search(query, K, nprobe=nprobe, threads=1)


def searched(index: Any, queries: Any, rounds: int) -> list[tuple[int, float, float]]:
    """nprobe, rows met and seconds of a query that comes alone."""
    found = []
    for nprobe in PROBES:
        before = index.stats()["per_query"]["rows"] * index.stats()["queries"]
        one_by_one(index, queries, nprobe)
        met = index.stats()["per_query"]["rows"] * index.stats()["queries"] - before
        spent = seconds(lambda nprobe=nprobe: one_by_one(index, queries, nprobe), rounds)
        found.append((nprobe, met / len(queries), spent / len(queries)))
    return found


def centroid_costs(x: Any, queries: Any, rounds: int) -> list[tuple[int, float, float]]:
    """Of so many centroids: seconds of a query of a batch that looks for the nearest 16, and of a row to assign."""
    costs = []
    for cells in (4096, 16_384, 65_536):
        # Vectors of the set stand for centroids: as many, spread as they are.
        centroids = np.ascontiguousarray(x[:: len(x) // cells][:cells])
        flat = kf.FlatIndex(D)
        flat.add(centroids)
        asked = seconds(lambda flat=flat: flat.search(queries, 16, threads=1), rounds)
        added = seconds(lambda c=centroids: assign(queries, c), rounds)
        costs.append((cells, asked / len(queries), added / len(queries)))
    return costs


def main() -> None:
    """Measure, generate, compare, predict; print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--spec", default="IVF4096,PQ16")
    parser.add_argument("--check", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--cells", type=int, nargs="+", default=[1 << 16, 1 << 18, 1 << 20])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    kf.set_threads(1)
    some = data.SETS["sift"](data.MILLION)
    queries = some["queries"]
    index = kf.index_factory(arguments.spec, D, verbose=False).fit(some["train"])
    parts = data.base_parts("sift", max([*SMALL, *arguments.check]))
    measured: dict[int, list[tuple[int, float, float]]] = {}
    uneven, adding = 1.0, 0.0
    for part in parts:
        began = time.thread_time()
        index.add(part, verbose=False)
        adding += time.thread_time() - began
        if len(index) in (*SMALL, *arguments.check):
            index.compact()
            measured[len(index)] = searched(index, queries, arguments.rounds)
            if len(index) == SMALL[-1]:
                uneven = unevenness(lengths_of(index))
    added = adding / len(index)
    known = [one for n in SMALL for one in measured[n]]
    facts = np.array([[1.0, nprobe, met] for nprobe, met, _ in known])
    truth = np.array([spent for *_, spent in known])
    # Relative errors count: a query at nprobe 1 takes a hundredth of one at 64.
    query, cell, row = nnls(facts / truth[:, None], np.ones(len(truth)))[0]
    print(
        f"a query {query * 1e6:.1f} us, a cell {cell * 1e9:.0f} ns, a row {row * 1e9:.2f} ns; unevenness {uneven:.2f}"
    )
    cells = index.coarse.n_cells
    print(
        "\n| n | nprobe | rows, generated | rows, measured | us, predicted | us, measured |\n|---|---|---|---|---|---|"
    )
    checked = []
    for n in arguments.check:
        met = lists_of(n, cells, uneven)["met a cell"]
        for nprobe, true_met, true_spent in measured[n]:
            spent = query + cell * nprobe + row * met * nprobe
            checked.append((n, nprobe, met * nprobe, true_met, spent, true_spent))
            times = f"{spent * 1e6:.0f} | {true_spent * 1e6:.0f}"
            print(f"| {n:,} | {nprobe} | {met * nprobe:,.0f} | {true_met:,.0f} | {times} |")
    costs = centroid_costs(some["base"], queries, arguments.rounds)
    print("\n| centroids | us a query | us a row added |\n|---|---|---|")
    for count, asked, assigned in costs:
        print(f"| {count:,} | {asked * 1e6:.0f} | {assigned * 1e6:.1f} |")
    # The last step, per centroid, goes on.
    asked_each, assigned_each = (costs[-1][i] / costs[-1][0] for i in (1, 2))
    size = float(index.stats()["bytes_per_vector"])
    print(
        "\n| rows | cells | median list | 99 % | longest | rows at 16 cells | centroids, us | lists, us | GB of rows |"
        " assigning, core days |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    predicted = []
    for rows in LARGE:
        for count in arguments.cells:
            one = lists_of(rows, count, uneven)
            met = 16 * one["met a cell"]
            look, walk = asked_each * count, 16 * cell + row * met
            days = rows * assigned_each * count / 86_400
            predicted.append({**one, "met": met, "look s": look, "walk s": walk, "core days": days})
            names = ("median", "99 %", "longest")
            lengths = " | ".join(f"{one[name]:,.0f}" for name in names)
            print(
                f"| {rows:,} | {count:,} | {lengths} | {met:,.0f} |"
                f" {look * 1e6:,.0f} | {walk * 1e6:,.0f} | {rows * size / 1e9:,.0f} | {days:,.1f} |"
            )
    print(f"\nadding at {cells} cells: {added * 1e6:.1f} us a row; {size:.0f} bytes a row")
    if arguments.out:
        found = {
            "query": query, "cell": cell, "row": row, "unevenness": uneven, "checked": checked, "centroids": costs,
            "predicted": predicted, "added": added, "bytes": size, "measured": measured,
        }  # fmt: skip
        arguments.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
