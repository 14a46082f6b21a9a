"""Search of binary codes by Hamming distance against faiss's IndexBinaryFlat.

    python -m benchmarks.index.hamming --n 1000000 --threads 1

The codes are signs of random projections of the set's vectors. Before anything is timed, the distances of both
libraries must agree. A rate counts codes times queries per second; batch 1 is a loop over single queries. recall
10@10: of the vectors' true neighbours.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks.measure import fastest, heading, loaded, options, recall, row, settle

BITS = (64, 128, 256, 512, 1024)
BATCHES = (1, 100, 1000)
SINGLES = 50
K = 10


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    options(parser)
    arguments = parser.parse_args()
    described = settle(arguments) | {"n": arguments.n}
    vectors = loaded(arguments.data, arguments.n)
    lines = [json.dumps(described), ""]
    cases = [f"batch {batch}" for batch in BATCHES]
    lines.append(heading(["G codes·queries/s", "recall 10@10", *cases]))
    for bits in BITS:
        lines += measure(bits, vectors, arguments)
        print("\n".join(lines[-2:]), flush=True)
    print("\n".join(lines))


def measure(bits: int, vectors: Any, arguments: Any) -> list[str]:
    """The lines of one length."""
    index = kf.index_factory(f"LSH{bits}", vectors.base.shape[1], verbose=False)
    index.train(vectors.train)
    index.add(vectors.base, verbose=False)
    codes = index.signs.encode(vectors.base)
    queries = index.signs.encode(vectors.queries)
    distances, ids = index.search(vectors.queries, K)
    share = recall(ids, vectors.truth, K, K)
    searches = {
        "kinfold": lambda a, b: index.search(vectors.queries[a:b], K, threads=arguments.threads)
    }
    words = index._words(vectors.queries)
    scan = index._held.scan
    searches["kinfold, codes given"] = lambda a, b: scan.search(
        words[a:b], vectors.queries[a:b], K, K, arguments.threads
    )
    try:
        import faiss
    except ImportError:
        pass
    else:
        theirs = faiss.IndexBinaryFlat(bits)
        theirs.add(codes)
        found, _ = theirs.search(queries, K)
        if not np.array_equal(found, distances):
            raise SystemExit("the distances differ")
        searches["faiss"] = lambda a, b: theirs.search(queries[a:b], K)
    rates: dict[str, list[float]] = {name: [] for name in searches}
    for batch in BATCHES:
        n = SINGLES if batch == 1 else batch

        def ask(search: Any, n: int = n, batch: int = batch) -> None:
            for at in range(0, n, batch):
                search(at, at + batch)

        calls = {
            name: (lambda search=search, ask=ask: ask(search)) for name, search in searches.items()
        }
        for name, took in fastest(calls, arguments.rounds).items():
            rates[name].append(arguments.n * n / took / 1e9)
    lines = []
    for name, found in rates.items():
        cells = [
            f"{rate:.2f}" + (f" ({ours / rate:.1f}×)" if name == "faiss" else "")
            for rate, ours in zip(found, rates["kinfold"])
        ]
        lines.append(row([f"{bits} bits {name}", f"{share:.3f}", *cells]))
    return lines


if __name__ == "__main__":
    main()
