"""Scalar and locally-adaptive codes in lists beside faiss's of the same bits and the same cells.

    python -m benchmarks.index.scalar --data sift --n 200000 --out scalar.json
    python -m benchmarks.index.scalar --data cnn --n 200000

faiss is given Kinfold's centroids and codes vectors, not residuals, as Kinfold does. Before anything is timed, ids and
distances of some queries must be those of exact search among the decoded vectors. A rate is queries per second, of
one batch and of single queries in a loop.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks.measure import Set, fastest, heading, loaded, options, recall, row, settle

# Ours, and faiss's quantizer of as many bits.
CODES = {"SQ4": "QT_4bit", "SQ6": "QT_6bit", "SQ8": "QT_8bit", "LVQ8": "", "LVQ4x8": ""}
SINGLES, CHECKED = 100, 16
Ask = Callable[[Any, int], Any]


def ours(code: str, lists: int, vectors: Set) -> Any:
    """An index, checked."""
    d = vectors.base.shape[1]
    index = kf.index_factory(f"IVF{lists},{code}", d, verbose=False)
    index.train(vectors.train)
    index.add(vectors.base, verbose=False)
    exact = kf.FlatIndex(d)
    exact.add(index.reconstruct(index.ids), index.ids)
    queries = vectors.queries[:CHECKED]
    expected, got = exact.search(queries, 10), index.search(queries, 10, nprobe=lists)
    if not (np.array_equal(expected.ids, got.ids) and (expected.distances == got.distances).all()):
        raise SystemExit(f"{code}: the answers differ from exact search among decoded vectors")
    return index


def theirs(code: str, index: Any, vectors: Set) -> Any:
    """faiss's scalar quantizer in the same cells."""
    import faiss

    centroids = index.coarse.centroids
    quantizer = faiss.IndexFlatL2(centroids.shape[1])
    quantizer.add(centroids)
    kind = getattr(faiss.ScalarQuantizer, CODES[code])
    made = faiss.IndexIVFScalarQuantizer(
        quantizer, centroids.shape[1], len(centroids), kind, faiss.METRIC_L2, False
    )
    made.own_fields = True  # the quantizer goes with the index
    quantizer.this.disown()
    made.train(vectors.train)
    made.add(vectors.base)
    return made


def contestants(lists: int, vectors: Set) -> dict[str, tuple[float, Ask]]:
    """Bytes of a vector and a search by name."""
    found: dict[str, tuple[float, Ask]] = {}
    for code, kind in CODES.items():
        index = ours(code, lists, vectors)
        found[f"{code} kinfold"] = (
            index.stats()["bytes_per_vector"] - 8,
            lambda q, nprobe, index=index: index.search(q, 10, nprobe=nprobe)[1],
        )
        if kind:
            made = theirs(code, index, vectors)

            def ask(q: Any, nprobe: int, made: Any = made) -> Any:
                made.nprobe = nprobe
                return made.search(q, 10)[1]

            found[f"{code} faiss"] = made.code_size, ask
    return found


def measure(vectors: Set, arguments: Namespace) -> list[dict[str, Any]]:
    """All figures."""
    searches = contestants(arguments.lists, vectors)
    queries, singles = vectors.queries, [q[None] for q in vectors.queries[:SINGLES]]
    records = []
    for nprobe in arguments.nprobe:
        batch = {n: lambda ask=ask, p=nprobe: ask(queries, p) for n, (_, ask) in searches.items()}
        one = {
            n: lambda ask=ask, p=nprobe: [ask(q, p) for q in singles]
            for n, (_, ask) in searches.items()
        }
        batches, ones = fastest(batch, arguments.rounds), fastest(one, arguments.rounds)
        for name, (size, ask) in searches.items():
            ids = ask(queries, nprobe)
            records.append(
                {
                    "code": name, "bytes": size, "nprobe": nprobe,
                    "recall@1": recall(ids, vectors.truth, 1, 1), "recall@10": recall(ids, vectors.truth, 10, 10),
                    "batch": len(queries) / batches[name], "single": SINGLES / ones[name],
                }
            )  # fmt: skip
    return records


def main() -> None:
    """Measure and print a table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    options(parser)
    parser.add_argument("--lists", type=int, default=1024)
    parser.add_argument("--nprobe", type=int, nargs="+", default=[8, 32, 128])
    arguments = parser.parse_args()
    run = settle(arguments)
    vectors = loaded(arguments.data, arguments.n)
    records = measure(vectors, arguments)
    names = ["code", "bytes", "nprobe", "recall@1", "recall@10", "batch", "single"]
    print(run, arguments.n)
    print(heading(names))
    for record in records:
        cells = (
            record[name] if name == "code" else f"{record[name]:.3f}" if "recall" in name else f"{record[name]:,.0f}"
            for name in names
        )  # fmt: skip
        print(row(cells))
    if arguments.out:
        arguments.out.write_text(json.dumps({**run, "n": arguments.n, "figures": records}))


if __name__ == "__main__":
    main()
