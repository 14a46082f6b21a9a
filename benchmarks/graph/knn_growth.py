"""Neighbour lists that change: insertion and removal beside a rebuild, and opening a saved file.

    python -m benchmarks.graph.knn_growth [--n 100000] [--change 1 100 1000] [--threads 1]

SIFT descriptors of real photos, length one, k = 50. CPU seconds. What changes is compared with the rebuild.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from kinfold import KNNLists
from kinfold.index.base import unit_rows

K = 50


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def same(a: KNNLists, b: KNNLists) -> bool:
    return bool((a.ids == b.ids).all() and (a.similarities == b.similarities).all())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--change", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    kf.set_threads(arguments.threads)
    x = unit_rows(data.sift()["base"][: arguments.n])
    whole, rebuild = timed(lambda: KNNLists.build(x, K))
    print(f"{len(x)} vectors: build {rebuild:.2f} s", flush=True)
    for m in arguments.change:
        before = KNNLists.build(x[:-m], K)
        grown, inserting = timed(lambda m=m, before=before: before.insert(x[:-m], x[-m:]))
        gone = np.arange(len(x) - m, len(x))
        shrunk, removing = timed(lambda gone=gone: whole.remove(x, gone))
        print(
            f"{m:6} items: insert {inserting:.3f} s, remove {removing:.3f} s; "
            f"as a rebuild: {same(grown, whole)}, {same(shrunk, before)}",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lists.kin"
        kf.save(whole, path)
        for mapped in (False, True):
            again, loading = timed(lambda mapped=mapped: kf.load(path, mmap=mapped))
            print(
                f"load, mmap={mapped}: {1000 * loading:.1f} ms, {path.stat().st_size / 1e6:.1f} MB, "
                f"the same: {same(again, whole)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
