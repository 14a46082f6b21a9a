"""How building, searching, bytes, saving and loading grow with the number of vectors, for one index.

    python -m benchmarks.index.growth --spec IVF4096,PQ16,RSQ8 --n 10000 100000 1000000 10000000 --out growth.json
    python -m benchmarks.index.growth --spec IVF4096,PQ16 --library faiss --effort 16

Vectors are added in parts of 100,000, never all held; those beyond a million are the first million's with small noise.
Where an index has more cells than a size has vectors to fill, only the search's fixed cost is seen: that is the point.
"""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import kinfold as kf
from benchmarks import data
from benchmarks.measure import (
    bytes_on_disk,
    fastest,
    heading,
    options,
    recall,
    row,
    seconds,
    settle,
    truth,
)
from benchmarks.peers.inverted import LIBRARIES, System

COLUMNS = {
    "n": "{:,}", "train s": "{:.1f}", "add s": "{:.1f}", "vectors/s": "{:,.0f}", "B/vector": "{:.1f}",
    "save s": "{:.2f}", "load ms": "{:.1f}", "first query ms": "{:.1f}", "QPS": "{:,.0f}", "QPS, single": "{:,.0f}",
    "rows": "{:,.0f}", "recall 1@1": "{:.3f}", "10@10": "{:.3f}",
}  # fmt: skip
SINGLES = 200


def measure(n: int, arguments: Namespace) -> dict[str, float]:
    """All figures of one size."""
    some = data.SETS[arguments.data](1)
    train, queries = some["train"], some["queries"]
    exact = truth(arguments.data, n, queries, data.base_parts(arguments.data, n))
    system = LIBRARIES[arguments.library](arguments.spec)
    figures: dict[str, float] = {"n": n}
    figures["train s"] = seconds(lambda: system.build(train, train[:0], arguments.threads))[0]
    figures["add s"] = sum(
        seconds(lambda part=part: system.index.add(part))[0]
        for part in data.base_parts(arguments.data, n)
    )
    figures["vectors/s"] = n / figures["add s"]
    with tempfile.TemporaryDirectory(dir=data.CACHE) as folder:
        path = Path(folder) / f"index{system.suffix}"
        figures["save s"] = seconds(lambda: system.save(path))[0]
        figures["B/vector"] = bytes_on_disk(path) / n
        if arguments.library == "kinfold":
            figures["load ms"], index = seconds(lambda: kf.load(path, mmap=True, verify=False))
            figures["first query ms"] = seconds(lambda: index.search(queries[0]))[0] * 1e3
            figures["load ms"] *= 1e3
            del index
    setting = {"effort": arguments.effort, "refine": arguments.refine}
    before = system.visited()
    found = system.search(queries, 10, arguments.threads, setting)
    if "rows" in before:
        figures["rows"] = (system.visited()["rows"] - before["rows"]) / len(queries)
    figures["recall 1@1"] = recall(found, exact, 1, 1)
    figures["10@10"] = recall(found, exact, 10, 10)
    least = fastest(
        {
            "QPS": lambda: system.search(queries, 10, arguments.threads, setting),
            "QPS, single": lambda: singles(system, queries[:SINGLES], arguments.threads, setting),
        },
        arguments.rounds,
    )
    figures["QPS"] = len(queries) / least["QPS"]
    figures["QPS, single"] = SINGLES / least["QPS, single"]
    return figures


def singles(system: System, queries: Any, threads: int, setting: dict[str, int]) -> None:
    """One query after the other."""
    for i in range(len(queries)):
        system.search(queries[i : i + 1], 10, threads, setting)


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    options(parser, sizes=True)
    parser.add_argument("--spec", default="IVF4096,PQ16,RSQ8")
    parser.add_argument("--library", choices=("kinfold", "faiss"), default="kinfold")
    parser.add_argument(
        "--effort", type=int, default=16, help="nprobe; ours, multi-index: budget of rows"
    )
    parser.add_argument("--refine", type=int, default=8)
    arguments = parser.parse_args()
    described = settle(arguments) | {
        "spec": arguments.spec, "library": arguments.library, "effort": arguments.effort, "refine": arguments.refine,
    }  # fmt: skip
    print(json.dumps(described) + "\n\n" + heading(list(COLUMNS)), flush=True)
    records = []
    for n in arguments.n:
        records.append(measure(n, arguments))
        cells = (f.format(records[-1][c]) if c in records[-1] else "–" for c, f in COLUMNS.items())
        print(row(cells), flush=True)
        if arguments.out:
            result = {"run": described, "records": records}
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
