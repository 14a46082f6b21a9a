"""What looking along a few directions first saves an exhaustive scan: time beside other filters and faiss, pairs left.

    python -m benchmarks.index.first_look [--rows 400000] [--batches 1 32 1000] [--k 10 100]

One thread, seconds of the processor, best of some runs, contestants in turn. Every contestant's answers are those of
``scan="none"``, bit for bit among Kinfold's. *sift*: descriptors of real photos; *clusters*: 256 Gaussian ones, 256
dimensions; *noise*: Gaussian, where no direction says anything and none is looked along.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data


def seconds(run: Callable[[], Any], runs: int) -> float:
    best = np.inf
    for _ in range(runs):
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return best


def sets(rows: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    sift, clusters = data.sift(rows), data.gaussian(rows // 2, 256, 1)
    noise = random.standard_normal((rows // 2 + 1000, 128), np.float32)
    return {
        "sift": (sift["base"], sift["queries"]),
        "clusters": (clusters["base"], clusters["queries"]),
        "noise": (noise[:-1000], noise[-1000:]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 1000])
    parser.add_argument("--k", type=int, nargs="+", default=[10, 100])
    options = parser.parse_args()
    import faiss

    faiss.omp_set_num_threads(1)
    kf.set_threads(1)
    print(
        "| set | batch, k | queries/s | u8 ÷ | f32 ÷ | faiss ÷ | pairs along directions, distances |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (base, queries) in sets(options.rows).items():
        index, peer = kf.FlatIndex(base.shape[1]), faiss.IndexFlatL2(base.shape[1])
        index.add(base)
        peer.add(base)
        for batch in options.batches:
            for k in options.k:
                asked = np.resize(queries, (batch, base.shape[1]))
                before = index.stats()["scanned"]
                found = index.search(asked, k)
                after = index.stats()["scanned"]
                exact = index.search(asked[:20], k, scan="none")
                assert all((a[:20] == b).all() for a, b in zip(found, exact))
                runs = 2 if batch > 100 else 5
                own = seconds(lambda: index.search(asked, k), runs)  # noqa: B023
                others = [
                    seconds(lambda: index.search(asked, k, scan=scan), runs)  # noqa: B023
                    for scan in ("u8", "f32")
                ]
                others.append(seconds(lambda: peer.search(asked, k), runs))  # noqa: B023
                pairs = len(base) * batch
                shares = [(after[r] - before[r]) / pairs for r in ("along directions", "distances")]
                ratios = " | ".join(f"{other / own:.2f}" for other in others)
                print(
                    f"| {name} {len(base) // 1000}k x {base.shape[1]} | {batch}, {k} | {batch / own:,.0f} | "
                    f"{ratios} | {shares[0]:.2f}, {shares[1]:.2%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
