"""Markdown of a pytest-benchmark JSON: each group's contestants with their ratio to Kinfold.

python -m benchmarks.ratios flat.json
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def main(path: str) -> None:
    groups: dict[str, dict[str, dict]] = defaultdict(dict)
    for entry in json.loads(Path(path).read_text())["benchmarks"]:
        groups[entry["group"]][entry["extra_info"]["peer"]] = entry
    peers = sorted(
        {peer for group in groups.values() for peer in group},
        key=lambda p: (not p.startswith("kinfold"), p),
    )
    print(
        "| case | kinfold | " + " | ".join(f"{p} ÷ kinfold" for p in peers if p != "kinfold") + " |"
    )
    print("|---|" + "---|" * len(peers))
    for name, group in groups.items():
        ours = group["kinfold"]
        least = ours["stats"]["min"]
        queries = ours["extra_info"].get("queries")
        figure = f"{queries / least:,.0f} queries/s" if queries else f"{least:.3f} s"
        cells = []
        for peer in peers:
            if peer == "kinfold":
                continue
            entry = group.get(peer)
            cell = "–" if entry is None else f"{entry['stats']['min'] / least:.2f}"
            if entry is not None and "inertia" in entry["extra_info"]:
                cell += (
                    f" ({entry['extra_info']['inertia'] / ours['extra_info']['inertia'] - 1:+.2%})"
                )
            cells.append(cell)
        print(f"| {name} | {figure} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
