"""Randomized k-d forests and hash tables behind the interface of the curves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.inverted import Kinfold, Setting, System

CHECKS = (50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200)


class Proposed(Kinfold):
    """Kinfold's: KDForest8, LSH16x8."""

    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        return self.index.search(queries, k, checks=setting["effort"], threads=threads)[1]

    def sweeps(self) -> Iterator[list[Setting]]:
        yield [{"effort": checks} for checks in CHECKS]


class _Trees(System):
    """What both copies of FLANN share: an index that is kept beside its vectors."""

    def __init__(self, trees: int) -> None:
        super().__init__(f"{type(self).__name__}{trees}")
        self.trees = trees
        self.base: NDArray[Any] | None = None

    def sweeps(self) -> Iterator[list[Setting]]:
        yield [{"effort": checks} for checks in CHECKS]


class Flann(_Trees):
    """FLANN 1.9 (pyflann_ibeis)."""

    suffix = ".flann"

    def build(self, train: NDArray[Any], base: NDArray[Any], threads: int) -> None:
        from pyflann_ibeis import FLANN

        self.base = base
        self.index = FLANN()
        self.index.build_index(base, algorithm="kdtree", trees=self.trees, cores=threads)

    def save(self, path: Path) -> None:
        self.index.save_index(str(path))
        np.save(path.with_suffix(".npy"), self.base)

    def load(self, path: Path) -> None:
        from pyflann_ibeis import FLANN

        self.base = np.load(path.with_suffix(".npy"))
        self.index = FLANN()
        self.index.load_index(str(path), self.base)

    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        ids, _ = self.index.nn_index(queries, k, checks=setting["effort"], cores=threads)
        return ids.reshape(len(queries), k).astype(np.int64)


class OpenCV(_Trees):
    """OpenCV's FLANN: one thread, whatever is asked for."""

    suffix = ".cv"

    def build(self, train: NDArray[Any], base: NDArray[Any], threads: int) -> None:
        import cv2

        self.base = base
        self.index = cv2.flann.Index(base, {"algorithm": 1, "trees": self.trees})

    def save(self, path: Path) -> None:
        self.index.save(str(path))
        np.save(path.with_suffix(".npy"), self.base)

    def load(self, path: Path) -> None:
        import cv2

        self.base = np.load(path.with_suffix(".npy"))
        self.index = cv2.flann.Index()
        self.index.load(self.base, str(path))

    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        ids, _ = self.index.knnSearch(queries, k, params={"checks": setting["effort"]})
        return ids.astype(np.int64)
