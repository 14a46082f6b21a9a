"""Codebooks of up to a million words: assignment exactly and through k-d trees, and the ways of learning.

    python benchmarks/local/words.py [--words 65536 262144 1048576] [--learn 4096]

SIFT of real photos. *iteration*: of k-means over as many descriptors as the set has, from the time of an assignment
and of the trees' construction. CPU time, one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


import data
import kinfold as kf
from kinfold import _core
from kinfold.local.words import VisualWords
from measure import heading, row

CHECKS = (256, 1024)
ASKED = 1000


def seconds(call) -> tuple[float, object]:
    """CPU time of a call, and its result."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, nargs="+", default=[65536, 262144, 1048576])
    parser.add_argument(
        "--learn", type=int, default=4096, help="words of the second table: a square, for the tree"
    )
    parser.add_argument("--level", choices=_core.levels(), default=_core.level())
    arguments = parser.parse_args()
    kf.set_threads(1)
    _core.set_level(arguments.level)
    n = max(arguments.words, default=0)
    base = data.sift(max(n, 900_000))["base"]
    asked = data.sift(1000)["queries"]
    asked = asked[:ASKED]
    print(heading(["words", "way", "us a descriptor", "recall", "s an iteration of 900k"]))
    for k in arguments.words:
        words = VisualWords.from_state(
            VisualWords(k).params(), {"centroids": base[:: len(base) // k][:k]}
        )
        spent, (truth, _) = seconds(lambda words=words: words.assign(asked))
        each = spent / len(asked)
        print(row([f"{k:,}", "exact", f"{each * 1e6:.0f}", "1", f"{each * 9e5:.0f}"]), flush=True)
        built, _ = seconds(lambda words=words: words.assign(asked[:1], checks=1))
        for checks in CHECKS:
            spent, (found, _) = seconds(lambda words=words, c=checks: words.assign(asked, checks=c))
            each, recall = spent / len(asked), float((found == truth).mean())
            cells = [f"{each * 1e6:.0f}", f"{recall:.2f}", f"{built + each * 9e5:.0f}"]
            print(row([f"{k:,}", f"{checks} checks", *cells]), flush=True)
    if arguments.learn:
        k, x = arguments.learn, base[: 10 * arguments.learn]
        print(heading([f"{k:,} words of {len(x):,}", "s", "distortion"]))
        ways = {
            "exact": {}, "256 checks": {"checks": 256},
            "tree": {"branch": round(k**0.5)},
        }  # fmt: skip
        for name, choices in ways.items():
            words = VisualWords(k, iterations=4, verbose=False, **choices)
            spent, _ = seconds(lambda words=words: words.fit(x))
            distortion = float(words.assign(x[::7])[1].mean())
            print(row([name, f"{spent:.1f}", f"{distortion:,.0f}"]), flush=True)


if __name__ == "__main__":
    main()
