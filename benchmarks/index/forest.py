"""Randomized k-d forests against FLANN's, and hash tables beside them.

    python benchmarks/index/forest.py --n 1000000 --threads 1 --out forest.json

As curves.py; the effort is the number of rows to look at ("checks"). Kinfold's 8-bit vectors are exact for SIFT.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sweep
from peers.forests import Flann, OpenCV, Proposed
from peers.inverted import System, short

OURS = ("KDForest8", "KDForest8,SQ8", "KDForest4,SQ8", "LSH16x16,SQ8")
RATIOS = {
    "KDForest ÷ FLANN": ("kinfold-kdforest", "flann"),
    "KDForest ÷ OpenCV": ("kinfold-kdforest", "opencv"),
}


def systems(cells: int, name: str) -> dict[str, System]:
    """Both libraries' forests."""
    found: dict[str, System] = {short("kinfold", spec): Proposed(spec) for spec in OURS}
    for module, maker in (("pyflann_ibeis", Flann), ("cv2", OpenCV)):
        try:
            __import__(module)
        except ImportError:
            continue
        found |= {f"{maker.__name__.lower()}-{trees}": maker(trees) for trees in (4, 8)}
    return found


if __name__ == "__main__":
    sweep.main(systems, __doc__, rows=True, ratios=RATIOS)
