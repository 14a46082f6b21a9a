"""Indexes with cells behind one interface: built, saved, loaded, set, searched."""

from __future__ import annotations

import re
import shutil
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinfold as kf

Setting = dict[str, int]
PROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
# A multi-index's cells are small: faiss counts those that it visits, Kinfold the rows that it meets.
MANY_PROBES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
BUDGETS = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000)
# Of k = 10, how many times k are re-scored by a second look.
FACTORS = (1, 2, 4, 8, 16, 32, 64)


class System(ABC):
    """One contestant. A setting's ``effort`` is what a sweep raises; ``refine``: how many times k are re-scored."""

    suffix: str

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.multi = "IMI" in spec
        self.refined = bool(re.search(r",R", spec)) or "Refine" in spec

    @abstractmethod
    def build(self, train: NDArray[Any], base: NDArray[Any], threads: int) -> None:
        """Learn and fill."""

    @abstractmethod
    def save(self, path: Path) -> None: ...

    @abstractmethod
    def load(self, path: Path) -> None: ...

    @abstractmethod
    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        """Ids (n, k)."""

    def stamp(self) -> str:
        """What a saved index depends on besides its spec and the data."""
        return ""

    def visited(self) -> dict[str, float]:
        """Rows scanned and cells visited so far, where they are counted."""
        return {}

    def efforts(self) -> tuple[int, ...]:
        return MANY_PROBES if self.multi else PROBES

    def sweeps(self) -> Iterator[list[Setting]]:
        """Lists of settings, each of ascending effort."""
        for factor in FACTORS if self.refined else (1,):
            yield [{"effort": effort, "refine": factor} for effort in self.efforts()]


class Kinfold(System):
    suffix = ".kin"

    def build(self, train: NDArray[Any], base: NDArray[Any], threads: int) -> None:
        with kf.use_threads(threads):
            self.index = kf.index_factory(self.spec, base.shape[1], verbose=False)
            self.index.train(train)
            self.index.add(base, verbose=False)

    def save(self, path: Path) -> None:
        self.index.save(path)

    def load(self, path: Path) -> None:
        self.index = kf.load(path, mmap=False)

    def stamp(self) -> str:
        """The sources of what learns and encodes."""
        package = Path(kf.__file__).parent
        files = [
            p for room in ("index", "quantize") for p in sorted((package / room).rglob("*.py"))
        ]
        return f"{zlib.crc32(b''.join(p.read_bytes() for p in files)):08x}"

    def efforts(self) -> tuple[int, ...]:
        return BUDGETS if self.multi else PROBES

    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        knob: dict[str, Any] = {"budget" if self.multi else "nprobe": setting["effort"]}
        if self.refined:
            knob["refine_factor"] = setting["refine"]
        return self.index.search(queries, k, threads=threads, **knob).ids

    def visited(self) -> dict[str, float]:
        stats = self.index.stats()
        return {name: value * stats["queries"] for name, value in stats["per_query"].items()}


class Faiss(System):
    """By `index_factory`, which lets a multi-index's quantizer train alone."""

    suffix = ".faiss"

    def build(self, train: NDArray[Any], base: NDArray[Any], threads: int) -> None:
        import faiss

        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        self._adopt(faiss.index_factory(base.shape[1], self.spec))
        self.index.train(train)
        self.index.add(base)
        faiss.omp_set_num_threads(before)

    def _adopt(self, index: Any) -> None:
        import faiss

        self.index = index
        # A second look comes outermost; inverted lists, if any, may lie under a rotation.
        inner = faiss.downcast_index(index.base_index) if self.refined else index
        self.lists = faiss.try_extract_index_ivf(inner)

    def save(self, path: Path) -> None:
        import faiss

        faiss.write_index(self.index, str(path))

    def load(self, path: Path) -> None:
        import faiss

        self._adopt(faiss.read_index(str(path)))

    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        if self.lists is not None:
            self.lists.nprobe = setting["effort"]
        if self.refined:
            self.index.k_factor = setting["refine"]
        return self.index.search(queries, k)[1]

    def visited(self) -> dict[str, float]:
        import faiss

        stats = faiss.cvar.indexIVF_stats
        return {"rows": float(stats.ndis), "cells": float(stats.nlist)}


class Scann(System):
    """A tree, asymmetric hashing with two dimensions a code, exact reordering. Spec: the number of leaves.

    Vectors of length one are searched by inner product with the anisotropic loss that its authors advise.
    """

    suffix = ".scann"

    def __init__(self, spec: str) -> None:
        super().__init__(spec)
        self.refined = True

    def build(self, train: NDArray[Any], base: NDArray[Any], threads: int) -> None:
        import scann

        unit = np.allclose(np.linalg.norm(base[:1000], axis=1), 1, atol=1e-3)
        builder = scann.scann_ops_pybind.builder(
            base, 10, "dot_product" if unit else "squared_l2"
        ).set_n_training_threads(threads)
        builder = builder.tree(
            num_leaves=int(self.spec), num_leaves_to_search=100, training_sample_size=250_000
        )
        loss = {"anisotropic_quantization_threshold": 0.2} if unit else {}
        self.index = builder.score_ah(2, **loss).reorder(100).build()

    def save(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        self.index.serialize(str(path))

    def load(self, path: Path) -> None:
        import scann

        self.index = scann.scann_ops_pybind.load_searcher(str(path))

    def search(self, queries: NDArray[Any], k: int, threads: int, setting: Setting) -> NDArray[Any]:
        knobs = {
            "final_num_neighbors": k,
            "pre_reorder_num_neighbors": k * setting["refine"],
            "leaves_to_search": min(setting["effort"], int(self.spec)),
        }
        if len(queries) == 1:
            return np.asarray(self.index.search(queries[0], **knobs)[0], np.int64)[None]
        if threads == 1:
            return self.index.search_batched(queries, **knobs)[0].astype(np.int64)
        self.index.set_num_threads(threads)
        return self.index.search_batched_parallel(queries, **knobs)[0].astype(np.int64)


LIBRARIES: dict[str, type[System]] = {"kinfold": Kinfold, "faiss": Faiss, "scann": Scann}


def systems(cells: int, name: str) -> dict[str, System]:
    """The contestants of the recall-QPS curves, by short names. 4-bit codes: of 4 and 2 dimensions each."""
    few, many = ("PQ64x4fs", "PQ128x4fs") if name == "cnn" else ("PQ32x4fs", "PQ64x4fs")
    fast = [f"{few},RFlat", f"{many},RFlat"]
    common = ["Flat", "SQ8", "PQ16", "PQ16,RFlat", *fast]
    own = [*common, "PQ16,RSQ8", "PQ32,RFlat", "PQ32,RSQ8", f"{few},RSQ8"]
    # Of faiss's fast scans of scalar codes there is none (1.15).
    theirs = [*common, f"{few},Refine(SQ8)", "RaBitQfs,RFlat", "RaBitQfs4,RFlat"]
    found: dict[str, System] = {short("kinfold", s): Kinfold(f"IVF{cells},{s}") for s in own}
    found |= {short("faiss", s): Faiss(f"IVF{cells},{s}") for s in theirs}
    return found | {"scann": Scann(str(max(1, cells * 2000 // 4096)))}


def short(library: str, spec: str) -> str:
    """A name without commas."""
    return f"{library}-{spec.lower().replace('refine(sq8)', 'rsq8').replace(',', '-')}"
