"""Codebooks of up to a million words: assignment exactly, by k-d trees and by descending; the ways of learning.

    python -m benchmarks.local.words [--words 65536 262144 1048576] [--learn 4096]

SIFT of real photos, words learnt by a tree. *iteration*: of k-means over 900,000 descriptors, from the
time of an assignment and of the trees' construction. CPU time, one thread.
"""

from __future__ import annotations

import argparse
import time

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold import _core
from kinfold.words.words import VisualWords

CHECKS = (256, 1024)
PATHS = (1, 4, 16, 64)
ASKED = 1000
LEARNT_ON = 900_000


def seconds(call) -> tuple[float, object]:
    """CPU time of a call, and its result."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


def learnt(k: int, branch: int) -> VisualWords:
    """Words by a tree, kept in the cache folder."""
    path = data.CACHE / f"sift-tree-{k}-{branch}.kin"
    if not path.exists():
        base = data.sift(max(LEARNT_ON, 2 * k))["base"][: max(LEARNT_ON, 2 * k)]
        words = VisualWords(k, branch=branch, iterations=5, verbose=False)
        spent, _ = seconds(lambda: words.fit(base))
        print(f"{k:,} words learnt on {len(base):,} descriptors in {spent:.0f} s", flush=True)
        kf.save(words, path)
    return kf.load(path)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, nargs="+", default=[65536, 262144, 1048576])
    parser.add_argument(
        "--learn", type=int, default=4096, help="words of the second table: a square, for the tree"
    )
    parser.add_argument("--branch", type=int, help="of the tree; a square root where not given")
    parser.add_argument("--level", choices=_core.levels(), default=_core.level())
    arguments = parser.parse_args()
    kf.set_threads(1)
    _core.set_level(arguments.level)
    asked = data.sift(1000)["queries"][:ASKED]
    print(heading(["words", "way", "us a descriptor", "recall", "s an iteration of 900k"]))
    for k in arguments.words:
        branch = arguments.branch or round(k**0.5)
        words = learnt(k, branch)
        spent, (truth, _) = seconds(lambda words=words: words.assign(asked))
        each = spent / len(asked)
        print(row([f"{k:,}", "exact", f"{each * 1e6:.0f}", "1", f"{each * 9e5:.0f}"]), flush=True)
        built, _ = seconds(lambda words=words: words.assign(asked[:1], checks=1))
        for checks in CHECKS:
            spent, (found, _) = seconds(lambda words=words, c=checks: words.assign(asked, checks=c))
            each, recall = spent / len(asked), float((found == truth).mean())
            cells = [f"{each * 1e6:.0f}", f"{recall:.2f}", f"{built + each * 9e5:.0f}"]
            print(row([f"{k:,}", f"{checks} checks", *cells]), flush=True)
        for paths in PATHS:
            spent, (found, _) = seconds(lambda words=words, p=paths: words.assign(asked, paths=p))
            each, recall = spent / len(asked), float((found == truth).mean())
            print(
                row(
                    [
                        f"{k:,}",
                        f"{paths} paths of {branch}",
                        f"{each * 1e6:.0f}",
                        f"{recall:.2f}",
                        "",
                    ]
                ),
                flush=True,
            )
    if arguments.learn:
        k, x = arguments.learn, data.sift(10 * arguments.learn)["base"][: 10 * arguments.learn]
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
