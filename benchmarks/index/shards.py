"""One index in one thread beside its shards in so many processes of one thread each, in turn, the best of the rounds.

    python -m benchmarks.index.shards --n 500000 --shards 2 --rounds 7 --out shards.json

Answers are compared bit for bit first. ``work`` is what the workers' processes spent of processor time for the batch,
beside that of the one index: on a machine with other work on it, wall time says less than both together. A core must be
free for each process: else the ratio tells of the machine.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data

SPECS = {"Flat": {}, "IVF1024,SQ8": {"nprobe": 64}, "IVF1024,PQ32,RSQ8": {"nprobe": 64}, "PQ16": {}}
TICK = os.sysconf("SC_CLK_TCK")


def spent(pids: list[int | None]) -> float:
    """Processor seconds of processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def measured(spec: str, n: int, count: int, rounds: int) -> dict[str, Any]:
    """Seconds of one index and of its shards."""
    some = data.SETS["sift"](n)
    queries, options = some["queries"], SPECS[spec]
    index = kf.index_factory(spec, 128, verbose=False).fit(some["train"])
    index.add(some["base"][:n])
    with tempfile.TemporaryDirectory() as folder:
        kf.shards.divide(index, Path(folder) / "shards", count)
        with kf.ShardedIndex.open(Path(folder) / "shards", threads=1, mmap=True) as shards:
            mine, theirs = (x.search(queries, 10, **options) for x in (index, shards))
            same = all(a.tobytes() == b.tobytes() for a, b in zip(mine, theirs))
            assert same, f"{spec}: shards answer otherwise"
            walls: dict[str, list[float]] = {"one": [], "shards": []}
            work: dict[str, list[float]] = {"one": [], "shards": []}
            for _ in range(rounds):
                for name, asked in (("one", index), ("shards", shards)):
                    pids = [os.getpid(), *(shards.pids if name == "shards" else [])]
                    before, began = spent(pids), time.perf_counter()
                    asked.search(queries, 10, **options)
                    walls[name].append(time.perf_counter() - began)
                    work[name].append(spent(pids) - before)
    best = {name: min(times) for name, times in walls.items()}
    return {
        "spec": spec, "n": n, "shards": count, "one s": best["one"], "shards s": best["shards"],
        "ratio": best["one"] / best["shards"],
        "work": float(np.median(work["shards"]) / np.median(work["one"])),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=500_000)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--specs", nargs="+", choices=SPECS, default=list(SPECS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    kf.set_threads(1)
    print("| index | n | one, s | shards, s | ratio | work |\n|---|---|---|---|---|---|")
    found = []
    for spec in arguments.specs:
        found.append(measured(spec, arguments.n, arguments.shards, arguments.rounds))
        one = found[-1]
        figures = [f"{one[name]:.2f}" for name in ("one s", "shards s", "ratio", "work")]
        print("|", " | ".join([spec, f"{one['n']:,}", *figures]), "|", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
