"""Randomized k-d forests against FLANN's, and hash tables beside them.

    python -m benchmarks.index.forest --n 1000000 --threads 1 --out forest.json
    python -m benchmarks.index.forest --splits --n 1000000

As curves.py; the effort is the number of rows to look at ("checks"). Kinfold's 8-bit vectors are exact for SIFT.
--splits: recall of trees that are split at the mean and at the median, after equal rows, and how deep their leaves lie.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial

import numpy as np

import kinfold as kf
from benchmarks import sweep
from benchmarks.measure import fastest, heading, loaded, options, recall, row, seconds, settle
from benchmarks.peers.forests import Flann, OpenCV, Proposed
from benchmarks.peers.inverted import System, short

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


def depths(nodes: np.ndarray) -> np.ndarray:
    """The depth of each leaf of one tree: the left child is the next node."""
    found, above = [], [(0, 0)]
    while above:
        node, depth = above.pop()
        dimension, link = nodes[node, :2].tolist()
        if dimension < 0:
            found.append(depth)
        else:
            above += [(node + 1, depth + 1), (link, depth + 1)]
    return np.array(found)


def splits() -> None:
    """Print what both splits find after equal rows."""
    parser = ArgumentParser(description=splits.__doc__)
    options(parser)
    parser.add_argument("--splits", action="store_true")
    arguments = parser.parse_args()
    print(settle(arguments))
    vectors = loaded(arguments.data, arguments.n)
    checks = (400, 800, 1600, 3200, 6400, 12800)
    print(
        heading(["split", "build s", "leaves of a tree", "depth", *(f"{c:,} rows" for c in checks)])
    )
    for spec in ("KDForest8,SQ8", "KDForest8_median,SQ8"):
        index = kf.index_factory(spec, vectors.base.shape[1], verbose=False).train(vectors.train)
        built = seconds(lambda index=index: index.add(vectors.base))[0]
        arrays = index.arrays()
        nodes, roots = (
            next(a for name, a in arrays.items() if name.endswith(f".{of}"))
            for of in ("nodes", "roots")
        )
        deep = depths(nodes[: int(roots[1])])
        cells = []
        for c in checks:
            ask = partial(index.search, vectors.queries, 10, checks=c, threads=arguments.threads)
            took = fastest({0: ask}, arguments.rounds)[0]
            found = recall(ask().ids, vectors.truth, 1, 1)
            cells.append(f"{found:.3f} · {len(vectors.queries) / took:,.0f}")
        spread = f"{deep.mean():.1f} ({deep.min()} to {deep.max()})"
        print(
            row([index.proposer.split, f"{built:.1f}", f"{len(deep):,}", spread, *cells]),
            flush=True,
        )


if __name__ == "__main__" and "--splits" in sys.argv:
    splits()
elif __name__ == "__main__":
    sweep.main(systems, __doc__, rows=True, ratios=RATIOS)
