"""Recall-QPS curves of some systems on one set: build or load, sweep, and read the best rate at a recall."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.measure import (
    REST,
    Set,
    bytes_on_disk,
    heading,
    loaded,
    options,
    recall,
    row,
    seconds,
    settle,
)
from benchmarks.peers.inverted import Setting, System

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
# One query at a time: how many are asked, by a loop for every system.
SINGLES = 200
K = 10
# Seconds of all queries at which more effort is not tried.
LONGEST = 20.0
Point = dict[str, Any]
# Label of a ratio -> beginnings of the names whose best rates are divided; "" stands for all but Kinfold's.
Ratios = dict[str, tuple[str, str]]
OURS: Ratios = {"best of Kinfold ÷ best peer": ("kinfold", "")}


def main(
    makers: Callable[[int, str], dict[str, System]],
    document: str,
    *,
    rows: bool = False,
    ratios: Ratios = OURS,
) -> None:
    """The command line of curves; ``rows``: the tables also show how many rows were scanned."""
    parser = ArgumentParser(description=document.splitlines()[0])
    options(parser)
    parser.add_argument("--batch", type=int, default=1000, help="queries a call; 1: a loop")
    parser.add_argument("--cells", type=int, default=4096, help="of inverted indexes")
    parser.add_argument(
        "--systems", "--only", default="all", help="all, or beginnings of names: kinfold,faiss-pq16"
    )
    parser.add_argument("--build-threads", type=int, default=2)
    parser.add_argument("--rebuild", default="", help="beginnings of names of what is built anew")
    parser.add_argument("--table", type=Path, nargs="+", help="print the tables of these files")
    arguments = parser.parse_args()
    if arguments.table:
        for path in arguments.table:
            print(table(json.loads(path.read_text()), rows=rows, ratios=ratios))
        return
    chosen = {
        name: system
        for name, system in makers(arguments.cells, arguments.data).items()
        if arguments.systems == "all" or name.startswith(tuple(arguments.systems.split(",")))
    }
    if not chosen:
        parser.error(f"--systems: none of {', '.join(makers(arguments.cells, arguments.data))}")
    result = run(chosen, arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result, rows=rows, ratios=ratios))


def run(systems: dict[str, System], arguments: Namespace) -> dict[str, Any]:
    """All figures of some systems on one set."""
    described = settle(arguments)
    rebuilt = tuple(arguments.rebuild.split(",")) if arguments.rebuild else ()
    vectors = loaded(arguments.data, arguments.n)
    figures: dict[str, Any] = {}
    for name, system in systems.items():
        start = time.perf_counter()
        figures[name] = _prepared(system, vectors, arguments, name.startswith(rebuilt))
        print(f"{name}: ready in {time.perf_counter() - start:.1f} s", flush=True)
    least: dict[str, list[Point]] = {}
    for name, system in systems.items():
        least[name] = _frontier(_swept(system, vectors, arguments))
        print(f"{name}: {len(least[name])} settings to time again", flush=True)
    for _ in range(arguments.rounds - 1):
        for name, system in systems.items():
            time.sleep(REST)
            _asked(system, vectors, arguments, least[name][0])
            for point in least[name]:
                took = _asked(system, vectors, arguments, point)[0]
                point["qps"] = max(point["qps"], point["queries"] / took)
    for name in systems:
        figures[name]["points"] = least[name]
    described |= {
        "n": arguments.n,
        "batch": arguments.batch,
        "build_threads": arguments.build_threads,
    }
    return {"run": described, "systems": figures}


def _prepared(system: System, vectors: Set, arguments: Namespace, rebuild: bool) -> dict[str, Any]:
    """A system from the cache folder, or built and saved there; its size and build time."""
    folder = data.CACHE / "indexes"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{arguments.data}-{arguments.n}-{system.spec}".replace(",", "_")
    path, note = folder / (stem + system.suffix), folder / (stem + system.suffix + ".json")
    if not rebuild and note.exists():
        facts = json.loads(note.read_text())
        if facts["stamp"] == system.stamp():
            system.load(path)
            return facts
    took = seconds(lambda: system.build(vectors.train, vectors.base, arguments.build_threads))[0]
    system.save(path)
    facts = {
        "spec": system.spec,
        "stamp": system.stamp(),
        "build_seconds": took,
        "bytes_per_vector": bytes_on_disk(path) / len(vectors.base),
    }
    note.write_text(json.dumps(facts))
    return facts


def _asked(
    system: System, vectors: Set, arguments: Namespace, setting: Setting | Point
) -> tuple[float, Any]:
    """Seconds and answers of the set's queries."""
    queries = vectors.queries
    if arguments.batch == 1:
        singles = [queries[i : i + 1] for i in range(min(SINGLES, len(queries)))]
        return seconds(
            lambda: np.concatenate(
                [system.search(q, K, arguments.threads, setting) for q in singles]
            )
        )
    batches = [queries[i : i + arguments.batch] for i in range(0, len(queries), arguments.batch)]
    return seconds(
        lambda: np.concatenate([system.search(q, K, arguments.threads, setting) for q in batches])
    )


def _swept(system: System, vectors: Set, arguments: Namespace) -> list[Point]:
    """Every setting once; a sweep ends where more effort finds no more, or takes too long."""
    points: list[Point] = []
    for settings in system.sweeps():
        _asked(system, vectors, arguments, settings[0])
        stalled = 0
        for setting in settings:
            before = system.visited()
            took, found = _asked(system, vectors, arguments, setting)
            after = system.visited()
            point: Point = {
                **setting,
                "queries": len(found),
                "qps": len(found) / took,
                "recall1": recall(found, vectors.truth, 1, 1),
                "recall10": recall(found, vectors.truth, 10, 10),
            }
            for kind in ("rows", "cells"):
                if kind in after:
                    point[kind] = (after[kind] - before[kind]) / len(found)
            last = points[-1] if setting is not settings[0] else None
            points.append(point)
            gained = last is None or any(point[r] > last[r] + 5e-4 for r in ("recall1", "recall10"))
            stalled = 0 if gained else stalled + 1
            if stalled == 2 or point["recall10"] > 0.9995 or took > LONGEST:
                break
    return points


def _frontier(points: list[Point]) -> list[Point]:
    """Settings that no other beats by a quarter at the same recall of either kind."""
    return [
        p
        for p in points
        if any(
            1.25 * p["qps"] >= max(q["qps"] for q in points if q[kind] >= p[kind])
            for kind in ("recall1", "recall10")
        )
    ]


def best(points: list[Point], kind: str, level: float) -> Point | None:
    """The quickest setting at or above a recall."""
    return max((p for p in points if p[kind] >= level), key=lambda p: p["qps"], default=None)


def table(result: dict[str, Any], *, rows: bool = False, ratios: Ratios = OURS) -> str:
    """Markdown: for both recalls, the best rate of each system at each level, and ratios of best rates."""
    systems = result["systems"]
    lines = [json.dumps(result["run"]), ""]
    for kind, title in (("recall1", "recall 1@1"), ("recall10", "recall 10@10")):
        head = [f"QPS at {title}", "B/vector", "build s", *map(str, LEVELS), "best recall"]
        lines.append(heading(head))
        rates: dict[str, list[float]] = {}
        for name, facts in systems.items():
            found = [best(facts["points"], kind, level) for level in LEVELS]
            rates[name] = [point["qps"] if point else 0.0 for point in found]
            cells = [
                f"{facts['bytes_per_vector']:.0f}",
                f"{facts['build_seconds']:.1f}",
                *(_cell(point, rows) for point in found),
                f"{max(p[kind] for p in facts['points']):.3f}",
            ]
            lines.append(row([name, *cells]))
        for label, (ours, theirs) in ratios.items():
            over = [r for name, r in rates.items() if name.startswith(ours)]
            under = [r for name, r in rates.items() if _peer(name, theirs)]
            if over and under:
                pairs = zip(np.max(over, axis=0), np.max(under, axis=0))
                cells = [f"{a / b:.2f}" if a and b else "–" for a, b in pairs]
                lines.append(row([f"**{label}**", "", "", *cells, ""]))
        lines.append("")
    return "\n".join(lines)


def _peer(name: str, beginning: str) -> bool:
    return name.startswith(beginning) if beginning else not name.startswith("kinfold")


def _cell(point: Point | None, rows: bool) -> str:
    if point is None:
        return "–"
    scanned = f" ({point['rows']:,.0f} rows)" if rows and "rows" in point else ""
    return f"{point['qps']:,.0f}{scanned}"
