"""Locally optimized product codes against PQ and OPQ of equal bytes, cells and effort.

    python -m benchmarks.index.lopq --data sift --out lopq.json
    python -m benchmarks.index.lopq --data multimodal --cells 64 --words 8
    python -m benchmarks.index.lopq --data oxford5k --cells 16 --words 3 --nprobe 4 --budget 1000 --n 4563
    python -m benchmarks.index.lopq --data sift --n 30000 --learn 20000 --cells 64 --nprobe 8 --where all lists

First all codes are looked at (of codes of residuals: every list), then inverted indexes visit --nprobe cells,
multi-indexes cells until --budget rows are met. recall@R: the true nearest is among the first R of 100 answers; error:
the mean squared one of the queries, had they been added. Time is relative to our index with plain product codes and the
same cells, all in turn. The published Python package took 10 to 25 µs a candidate and encoded 2,100 vectors a second:
compare with the last columns. --train 500000 learns from as many vectors of the base, for all systems. What takes long
is run in pieces, --where lists, --bytes 16, --specs LOPQ: --table prints the files of several as one.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Set, fastest, heading, loaded, options, recall, row, seconds, settle
from benchmarks.peers.inverted import LIBRARIES, Kinfold, System

# All codes, inverted indexes, multi-indexes.
WHERE = ("all", "lists", "multi")
# Vectors whose addition is timed: cells, rotation and code together.
ENCODED = 100_000


def specs(m: int, cells: int, words: int) -> dict[str, list[str]]:
    """For all codes, and for each kind of cells: plain codes first."""
    lists, multi = f"IVF{cells}", f"IMI2x{words}"
    # Of a multi-index also codes of the vectors themselves, and axes that give its halves equal parts, as is published.
    more = {lists: [], multi: [f"{multi},PQ{m}_direct", f"OPQ{m},{multi},LOPQ{m}"]}
    return {"all": [f"PQ{m}", f"OPQ{m},PQ{m}", f"{lists},PQ{m}", f"{lists},LOPQ{m}"]} | {
        where: [f"{where},PQ{m}", f"OPQ{m},{where},PQ{m}", f"{where},LOPQ{m}", *more[where]]
        for where in (lists, multi)
    }


def measure(m: int, vectors: Set, arguments: Namespace) -> list[dict[str, Any]]:
    """All figures of codes of m bytes."""
    records: list[dict[str, Any]] = []
    kinds = zip(WHERE, specs(m, arguments.cells, arguments.words).items())
    for where, names in (item for kind, item in kinds if kind in arguments.where):
        names = [name for name in names if any(word in name for word in arguments.specs)]
        multi, effort = where.startswith("IMI"), arguments.nprobe
        if where == "all":
            effort = arguments.cells
        elif multi:
            effort = arguments.budget
        systems: dict[str, System] = {}
        group: dict[str, dict[str, Any]] = {}
        for library in arguments.only.split(","):
            for spec in names:
                # faiss has no LOPQ, and its multi-index stops by cells, not rows: nothing to compare at equal effort.
                if library == "faiss" and (multi or "LOPQ" in spec):
                    continue
                name = f"{library} {spec}" + (
                    " (all lists)" if where == "all" and "IVF" in spec else ""
                )
                systems[name], group[name] = built(library, spec, vectors, arguments)
        setting = {"effort": effort, "refine": 1}

        def ask(system: System, setting: dict[str, int] = setting) -> Any:
            return system.search(vectors.queries, 100, arguments.threads, setting)

        for name, system in systems.items():
            before = system.visited()
            found = ask(system)
            for r in (1, 10, 100):
                group[name][f"recall@{r}"] = recall(found, vectors.truth, 1, r)
            seen = system.visited().get("rows", 0) - before.get("rows", 0)
            group[name]["rows"] = seen / len(found)
            group[name]["error"] = error(system, vectors.queries)
        least = fastest(
            {name: lambda system=system, ask=ask: ask(system) for name, system in systems.items()},
            arguments.rounds,
        )
        plain = least.get(next((f"kinfold {name}" for name in names if is_plain(name)), ""))
        for name, took in least.items():
            group[name]["qps"] = len(vectors.queries) / took
            group[name]["ns_per_row"] = (
                took * 1e9 / len(vectors.queries) / max(group[name]["rows"], 1)
            )
            group[name]["time_to_plain"] = took / plain if plain else None
            records.append({"system": name, "bytes": m, **group[name]})
    return records


def is_plain(spec: str) -> bool:
    """Whether codes are PQ's, without a rotation."""
    return "OPQ" not in spec


def error(system: System, x: NDArray[np.float32]) -> float | None:
    """Mean squared error of vectors that were not learnt from, as they are reconstructed; of our own indexes."""
    if not isinstance(system, Kinfold):
        return None
    ids = system.index.add(x)
    lost = x.astype(np.float64) - system.index.reconstruct(ids)
    system.index.remove(ids)
    return float(np.einsum("ij,ij->", lost, lost)) / len(x)


def built(
    library: str, spec: str, vectors: Set, arguments: Namespace
) -> tuple[System, dict[str, Any]]:
    """A system with all vectors, and how long that took."""
    system = LIBRARIES[library](spec)
    train = vectors.train
    if arguments.learn is not None:
        rows = np.random.default_rng(0).permutation(len(train))
        train = train[rows[: arguments.learn]]
    if arguments.train is not None:
        train = vectors.base[: arguments.train]
    trained = seconds(lambda: system.build(train, vectors.base[:0], arguments.threads))[0]
    first = vectors.base[:ENCODED]
    added = seconds(lambda: system.index.add(first))[0]
    system.index.add(vectors.base[ENCODED:])
    print(f"{library} {spec}: trained in {trained:.1f} s", flush=True)
    return system, {"train_seconds": trained, "encoded_per_second": len(first) / added}


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    head = [
        "codes", "error", "recall@1", "@10", "@100", "rows a query",
        "QPS", "time ÷ our PQ", "ns a row", "train s", "encoded/s",
    ]  # fmt: skip
    lines = [json.dumps(result["run"]), "", heading(head)]
    for r in result["records"]:
        relative = f"{r['time_to_plain']:.2f}" if r["time_to_plain"] else "–"
        lines.append(
            row(
                [
                    r["system"], f"{r['error']:.5g}" if r.get("error") else "–",
                    *(f"{r[f'recall@{at}']:.3f}" for at in (1, 10, 100)), f"{r['rows']:,.0f}",
                    f"{r['qps']:,.0f}", relative, f"{r['ns_per_row']:.2f}", f"{r['train_seconds']:.1f}",
                    f"{r['encoded_per_second']:,.0f}",
                ]
            )
        )  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    options(parser)
    parser.add_argument("--bytes", type=int, nargs="+", default=[16, 8])
    parser.add_argument("--cells", type=int, default=1024, help="of inverted indexes")
    parser.add_argument(
        "--words", type=int, default=8, help="bits of a half's codebook of the multi-index"
    )
    parser.add_argument("--nprobe", type=int, default=32)
    parser.add_argument("--budget", type=int, default=30_000)
    parser.add_argument(
        "--train", type=int, help="learn from so many base vectors, not the training set"
    )
    parser.add_argument("--learn", type=int, help="learn from so many of the training set")
    parser.add_argument("--only", default="kinfold,faiss", help="libraries")
    parser.add_argument("--where", choices=WHERE, nargs="+", default=WHERE)
    parser.add_argument(
        "--specs", nargs="+", default=[""], help="what the names of the codes hold: LOPQ IVF"
    )
    parser.add_argument(
        "--table", type=Path, nargs="+", help="print the tables of these files as one"
    )
    arguments = parser.parse_args()
    if arguments.table:
        results = [json.loads(path.read_text()) for path in arguments.table]
        records = [record for result in results for record in result["records"]]
        print(table({"run": results[0]["run"], "records": records}))
        return
    described = settle(arguments) | {
        name: getattr(arguments, name) for name in ("n", "cells", "words", "nprobe", "budget", "train", "learn")
    }  # fmt: skip
    vectors = loaded(arguments.data, arguments.n)
    result: dict[str, Any] = {"run": described, "records": []}
    for m in arguments.bytes:
        result["records"] += measure(m, vectors, arguments)
        if arguments.out:
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
