"""Inverted multi-indexes against faiss's, and against our own inverted indexes.

    python -m benchmarks.index.multi --n 1000000 --threads 1 --out multi.json
    python -m benchmarks.index.multi --only kinfold --n 5000000 --out large.json

As curves.py. In brackets: rows scanned a query, which is where a multi-index is ahead; the `Flat` systems show how
short the lists are in which the true nearest is. faiss's effort is its nprobe, Kinfold's the budget of rows.
"""

from __future__ import annotations

from benchmarks import sweep
from benchmarks.peers.inverted import Faiss, Kinfold, System, short

# Kinfold against faiss one to one: those that reach every recall.
ENDS = ("IMI2x8,PQ16,RFlat", "IMI2x10,PQ16,RFlat")
MULTI = ("IMI2x8,PQ16", "IMI2x8,PQ16,RFlat", "IMI2x10,PQ16", "IMI2x10,PQ16,RFlat")
RATIOS = {
    **{f"{spec}: Kinfold ÷ faiss": (short("kinfold", spec), short("faiss", spec)) for spec in ENDS},
    "Kinfold's multi-indexes ÷ Kinfold's IVF": ("kinfold-imi", "kinfold-ivf"),
    "Kinfold's multi-indexes ÷ faiss's IVF": ("kinfold-imi", "faiss-ivf"),
}


def systems(cells: int, name: str) -> dict[str, System]:
    """Both libraries' multi-indexes; our inverted indexes of the same codes."""
    lists = tuple(f"IVF{cells},{codec}" for codec in ("PQ16", "PQ16,RFlat", "Flat"))
    own = (*MULTI, "IMI2x10,Flat", *lists)
    theirs = (*MULTI, *lists[:2])
    found: dict[str, System] = {short("kinfold", spec): Kinfold(spec) for spec in own}
    return found | {short("faiss", spec): Faiss(spec) for spec in theirs}


if __name__ == "__main__":
    sweep.main(systems, __doc__, rows=True, ratios=RATIOS)
