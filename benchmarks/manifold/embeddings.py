"""Embeddings beside scikit-learn: time of `fit`, and whether the coordinates are the same.

python -m benchmarks.manifold.embeddings --data mnist --n 10000 --methods isomap laplacian

CPU time of the process with one thread, wall time with more. Peers run in the same process, once each; both search
their own neighbours.
"""

from __future__ import annotations

import gzip
import json
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data
from kinfold.datasets.manifolds import swiss_roll


def mnist(n: int) -> NDArray[np.float32]:
    """The first n training digits, pixels in [0, 1]."""
    (path,) = (data.SHARED / "mnist").glob("train-images*.gz")
    pixels = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16)
    return pixels.reshape(-1, 784)[:n].astype(np.float32) / 255


SETS: dict[str, Callable[[int], Any]] = {
    "mnist": mnist, "roll": lambda n: swiss_roll(n).points, "sift": lambda n: data.sift()["base"][:n],
}  # fmt: skip


def pairs(k: int, dim: int) -> dict[str, tuple[Any, Callable[[], Any]]]:
    """Each method of ours, and what makes its peer."""

    def isomap() -> Any:
        from sklearn.manifold import Isomap

        return Isomap(n_neighbors=k, n_components=dim)

    def kernel_pca() -> Any:
        from sklearn.decomposition import KernelPCA

        return KernelPCA(dim, kernel="rbf", gamma=0.01)

    def laplacian() -> Any:
        from sklearn.manifold import SpectralEmbedding

        return SpectralEmbedding(dim, affinity="nearest_neighbors", n_neighbors=k + 1)

    def lle() -> Any:
        from sklearn.manifold import LocallyLinearEmbedding

        return LocallyLinearEmbedding(n_neighbors=k, n_components=dim)

    return {
        "isomap": (kf.Isomap(dim, n_neighbors=k), isomap),
        "kernel_pca": (kf.KernelPCA(dim, kernel="rbf", gamma=0.01), kernel_pca),
        "laplacian": (kf.LaplacianEigenmaps(dim, n_neighbors=k, weights="mean"), laplacian),
        "lle": (kf.LocallyLinearEmbedding(dim, n_neighbors=k), lle),
    }


def gap(a: Any, b: Any) -> float:
    """The largest difference of coordinates beside the largest, up to signs."""
    signs = np.sign((a * b).sum(axis=0))
    return float(np.abs(a - b * signs).max() / np.abs(b).max())


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=SETS, default="mnist")
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--dim", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--methods", nargs="+", default=["isomap", "kernel_pca", "laplacian", "lle"]
    )
    parser.add_argument("--landmarks", type=int, help="of Isomap; then there is no peer")
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--rounds", type=int, default=2, help="of ours; the best counts")
    arguments = parser.parse_args()
    from threadpoolctl import threadpool_limits

    warnings.simplefilter("ignore")
    kf.set_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    x = SETS[arguments.data](arguments.n)
    with threadpool_limits(arguments.threads):
        for name in arguments.methods:
            ours, peer = pairs(arguments.k, arguments.dim)[name]
            if arguments.landmarks:
                ours.set_params(landmarks=arguments.landmarks)
            times = []
            for _ in range(arguments.rounds):
                start = clock()
                ours.fit(x)
                times.append(clock() - start)
            row = {
                "method": name,
                "data": arguments.data,
                "n": len(x),
                "threads": arguments.threads,
            }
            row["kinfold s"] = round(min(times), 2)
            if hasattr(ours, "residual_variance_"):
                row["residual variance"] = round(ours.residual_variance_, 4)
            if not (arguments.landmarks or arguments.alone):
                theirs = peer()
                start = clock()
                theirs.fit(x)
                spent = clock() - start
                expected = getattr(theirs, "embedding_", None)
                if expected is None:
                    expected = theirs.eigenvectors_ * np.sqrt(theirs.eigenvalues_)
                row |= {"scikit-learn s": round(spent, 2), "ratio": round(spent / min(times), 1)}
                row["largest difference"] = float(f"{gap(ours.embedding_, expected):.1e}")
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
