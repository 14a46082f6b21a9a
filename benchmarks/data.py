"""Data of the benchmarks, made once and kept in a cache folder (KINFOLD_BENCH_CACHE).

SIFT: OpenCV descriptors of real photos where `../shared/data/photos` is there, whole photos kept apart for
queries and for training, repeated with small noise up to a million where the photos yield fewer; else
synthetic whole numbers of similar statistics. Which one it was is printed with every result.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
CACHE = Path(os.environ.get("KINFOLD_BENCH_CACHE", Path.home() / ".cache" / "kinfold-benchmarks"))


def _photo_descriptors() -> list[NDArray[np.uint8]]:
    import cv2

    cv2.setNumThreads(1)
    sift = cv2.SIFT_create(nfeatures=1300, contrastThreshold=0.02)
    found = []
    for path in sorted((SHARED / "photos" / "jpg").glob("*.jpg")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        descriptors = sift.detectAndCompute(grey, None)[1]
        if descriptors is not None:
            found.append(descriptors.astype(np.uint8))
    return found


def sift(n: int = 1_000_000) -> dict[str, NDArray[np.float32]]:
    """base (n, 128), train (100,000 or fewer, 128), queries (1,000, 128): float32 of whole numbers."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "sift.npz"
    if not path.exists():
        random = np.random.default_rng(0)
        if SHARED.exists():
            photos = _photo_descriptors()
            order = random.permutation(len(photos))
            queries = np.concatenate([photos[i] for i in order[:20]])
            train = np.concatenate([photos[i] for i in order[20:100]])
            base = np.concatenate([photos[i] for i in order[100:]])
        else:
            draw = random.gamma(0.6, 50, (1_100_000, 128)).clip(0, 255)
            queries, train, base = np.split(draw.astype(np.uint8), [2000, 102_000])
        queries = queries[random.permutation(len(queries))[:1000]]
        np.savez(path, base=base, train=train[:100_000], queries=queries)
    with np.load(path) as data:
        base = data["base"]
        if len(base) < n:
            random = np.random.default_rng(1)
            more = base[random.integers(len(base), size=n - len(base))].astype(np.int16)
            more += random.integers(-4, 5, more.shape, dtype=np.int16)
            base = np.concatenate([base, more.clip(0, 255).astype(np.uint8)])
        return {
            "base": base[:n].astype(np.float32),
            "train": data["train"].astype(np.float32),
            "queries": data["queries"].astype(np.float32),
        }


def gaussian(n: int, d: int, queries: int, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """A mixture of 256 Gaussians of falling variance: float32, clustered, no whole numbers."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((256, d)).astype(np.float32)
    spread = (0.7 * np.arange(1, d + 1) ** -0.25).astype(np.float32)

    def draw(count: int) -> NDArray[np.float32]:
        noise = random.standard_normal((count, d), dtype=np.float32)
        return centres[random.integers(256, size=count)] + spread * noise

    return {"base": draw(n), "queries": draw(queries)}
