"""Exhaustive scans of product codes against faiss's IndexPQ and IndexPQFastScan of the same codebooks and its own.

    python -m benchmarks.index.codes --n 1000000 --threads 1 --out codes.json
    FAISS_SIMD_LEVEL=AVX2 python -m benchmarks.index.codes --level avx2

Before anything is timed, ids and distances of some queries must be those of exact search among the decoded vectors.
A rate counts codes times queries per second. recall@R: the true nearest is among the first R of 100 answers; faiss's
4-bit scan ranks by tables rounded to 8 bits. Batch 1 is a loop over single queries.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks.measure import Set, fastest, heading, loaded, options, recall, row, settle
from benchmarks.peers import codes

SPECS = ("PQ8", "PQ16", "PQ16x4fs", "PQ32x4fs")
BATCHES = (1, 64, 1000)
DEPTHS = (100, 10)
# Queries that are compared with exact search among decoded vectors, and single queries of a timed loop.
CHECKED = 16
SINGLES = 20
# faiss's 8-bit scan is slow: a thousand queries would take a quarter of a minute a round.
LONGEST = 8.0


def contestants(spec: str, vectors: Set, only: str) -> dict[str, codes.Search]:
    """Kinfold, faiss with Kinfold's codebooks, faiss with its own."""
    searches: dict[str, codes.Search] = {}
    if "kinfold" in only:
        index = codes.kinfold(spec, vectors.train, vectors.base)
        check(index, vectors)
        searches["kinfold"] = lambda q, k, threads: index.search(q, k, threads=threads)
        if "faiss" in only:
            books = index.codec.quantizer.codebooks
            searches["faiss, our codebooks"] = codes.faiss(spec, vectors.train, vectors.base, books)
    if "faiss" in only:
        searches["faiss"] = codes.faiss(spec, vectors.train, vectors.base)
    return searches


def check(index: Any, vectors: Set) -> None:
    """An index of codes must answer as exact search among the vectors that its codes stand for."""
    queries = vectors.queries[:CHECKED]
    exact = kf.FlatIndex(queries.shape[1])
    for at in range(0, len(vectors.base), 100_000):
        ids = np.arange(at, min(at + 100_000, len(vectors.base)))
        exact.add(index.reconstruct(ids), ids)
    expected, got = exact.search(queries, 100), index.search(queries, 100)
    same = float((expected.ids == got.ids).mean())
    print(f"{index!r}: {same:.2%} of the ids are those of exact search among decoded vectors")
    if same < 1 or not np.array_equal(expected.distances, got.distances):
        raise SystemExit("the answers differ from exact search among decoded vectors")


def measure(spec: str, vectors: Set, arguments: Namespace) -> list[dict[str, Any]]:
    """All figures of one code."""
    searches = contestants(spec, vectors, arguments.only)
    recalls = {}
    for name, search in searches.items():
        found = search(vectors.queries, 100, arguments.threads)[1]
        recalls[name] = [recall(found, vectors.truth, 1, r) for r in (1, 10, 100)]
    records = []
    for k in DEPTHS:
        for batch in BATCHES:
            queries = vectors.queries[: SINGLES if batch == 1 else batch]
            parts = np.split(queries, len(queries)) if batch == 1 else [queries]

            def ask(search: codes.Search, parts: list[Any] = parts, k: int = k) -> None:
                for part in parts:
                    search(part, k, arguments.threads)

            calls = {
                name: lambda search=search, ask=ask: ask(search)
                for name, search in searches.items()
            }
            for search in searches.values():
                search(parts[0][:1], k, arguments.threads)
            least = fastest(calls, arguments.rounds, longest=LONGEST)
            records += [
                {
                    "spec": spec, "system": name, "k": k, "batch": batch, "recall": recalls[name],
                    "rate": len(vectors.base) * len(queries) / took / 1e9,
                }
                for name, took in least.items()
            ]  # fmt: skip
    return records


def table(result: dict[str, Any]) -> str:
    """Markdown: G codes * queries a second, and Kinfold's rate divided by each peer's."""
    cases = [(k, batch) for k in DEPTHS for batch in BATCHES]
    head = [
        "G codes·queries/s",
        "recall@1",
        "@10",
        "@100",
        *(f"k {k}, batch {b}" for k, b in cases),
    ]
    lines = [json.dumps(result["run"]), "", heading(head)]
    rates: dict[tuple[str, str], dict[tuple[int, int], float]] = {}
    recalls = {}
    for record in result["records"]:
        key = record["spec"], record["system"]
        rates.setdefault(key, {})[record["k"], record["batch"]] = record["rate"]
        recalls[key] = record["recall"]
    for (spec, system), found in rates.items():
        ours = rates.get((spec, "kinfold"))
        cells = [
            f"{found[case]:.3f}"
            + (f" ({ours[case] / found[case]:.1f}×)" if ours and system != "kinfold" else "")
            for case in cases
        ]
        lines.append(
            row([f"{spec} {system}", *(f"{r:.3f}" for r in recalls[spec, system]), *cells])
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    options(parser)
    parser.add_argument("--specs", nargs="+", default=SPECS)
    parser.add_argument("--only", default="kinfold,faiss", help="libraries")
    parser.add_argument("--table", type=Path, help="print the table of this file")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(arguments.table.read_text())))
        return
    described = settle(arguments) | {"n": arguments.n}
    vectors = loaded(arguments.data, arguments.n)
    result: dict[str, Any] = {"run": described, "records": []}
    for spec in arguments.specs:
        result["records"] += measure(spec, vectors, arguments)
        if arguments.out:
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
