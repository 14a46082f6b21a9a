"""Aggregated selective match kernel: photos compared word by word, what is very alike counting most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_ids, as_number, as_vectors
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.ranking import Neighbours
from kinfold.base.state import (
    JSON,
    Arrays,
    add_prefix,
    check_only,
    check_range,
    check_starts,
    strip_prefix,
    take,
    take_param,
)
from kinfold.local.words import VisualWords
from kinfold.transform.rotation import Rotation

BINARIZE = ("zero", "median", "none")
# Fewer residuals than this tell nothing of a word's median.
_FEW = 8


class Aggregated(NamedTuple):
    """A photo's words with what the photo holds of each.

    words : int64 (m,), ascending
    parts : uint64 (m, ceil(d / 64)) signs, or float32 (m, d) vectors of length one
    """

    words: Ids
    parts: NDArray[Any]


class _Lists(NamedTuple):
    """The inverted file of the present photos."""

    engine: Any
    idf: Vectors
    norms: Vectors


class ASMK:
    """Photos as sets of aggregated residuals, searched through an inverted file.

    What a photo holds of a word is the sum of the residuals of its descriptors to it, as signs (ASMK*) or scaled to
    length one. Two photos' similarity is the sum over common words of idf * sign(u) |u|^alpha for u > tau, where u
    is the inner product of both (of signs: 1 - 2 * differing / d), normalised so that a photo's similarity to itself
    is one.

    Parameters
    ----------
    words : VisualWords, or how many to learn
    alpha, tau : the selectivity
    multiple : words of each descriptor of a query; of a stored photo, one
    binarize : "zero": bits are signs of the sums (16 bytes for 128 dimensions); "median": a sum against the median of
        its word in training; "none": vectors
    rotate : turn the sums by a random rotation before their signs are taken: components of like spread make better bits
    idf : weight words by log(photos / photos that hold it), of the photos that are stored
    centred : subtract the mean of the training descriptors and scale to length one, before anything else

    Tolias, Avrithis and Jegou, ICCV 2013 and IJCV 2016.
    Several threads may search while one adds or removes.
    """

    kind: ClassVar[str] = "local.ASMK"

    def __init__(
        self,
        words: VisualWords | int = 16384,
        *,
        alpha: float = 3.0,
        tau: float = 0.0,
        multiple: int = 5,
        binarize: str = "zero",
        rotate: bool = True,
        idf: bool = True,
        centred: bool = True,
    ) -> None:
        self.words = VisualWords(words) if isinstance(words, int) else words
        self.alpha = as_number(alpha, "alpha", least=0.0, most=100.0)
        self.tau = as_number(tau, "tau", least=-1.0, most=1.0)
        self.multiple = as_count(multiple, "multiple", most=1024)
        self.binarize = as_choice(binarize, "binarize", BINARIZE)
        self.rotate = bool(rotate) and self.binarize != "none"
        self.idf = bool(idf)
        self.centred = bool(centred)
        self._lock = RLock()
        self._mean: Vectors | None = None
        self._medians: Vectors | None = None
        self._rotation: Vectors | None = None
        self._clear()

    def __repr__(self) -> str:
        return f"ASMK({self.words!r}, binarize={self.binarize!r}, photos={len(self)})"

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Ids:
        """The ids of the stored photos."""
        return self._ids

    @property
    def dim(self) -> int:
        """Dimension of the descriptors."""
        if self._mean is None:
            raise NotTrainedError("ASMK: call fit first")
        return len(self._mean)

    def fit(self, descriptors: Any) -> ASMK:
        """Learn mean, words and medians from local descriptors (n, d); words that are learnt already stay."""
        x = as_vectors(descriptors, "descriptors")
        self._mean = np.zeros(x.shape[1], np.float32)
        if self.centred:
            self._mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        shifted = self._shifted(x)
        try:
            self.words.centroids  # noqa: B018
        except NotTrainedError:
            self.words.fit(shifted)
        if self.rotate:
            self._rotation = Rotation.random(x.shape[1], seed=self.words.seed).matrix
        if self.binarize == "median":
            self._medians = self._learnt_medians(shifted)
        self._clear()
        return self

    def _learnt_medians(self, x: Vectors) -> Vectors:
        found, _ = self.words.assign(x)
        residuals = self._turned(x - self.words.centroids[found[:, 0]])
        medians = np.repeat(np.median(residuals, axis=0)[None], self.words.k, axis=0)
        order = np.argsort(found[:, 0], kind="stable")
        used, starts = np.unique(found[order, 0], return_index=True)
        for word, rows in zip(used, np.split(order, starts[1:])):
            if len(rows) >= _FEW:
                medians[word] = np.median(residuals[rows], axis=0)
        return medians.astype(np.float32)

    def _shifted(self, x: Vectors) -> Vectors:
        if not self.centred:
            return x
        moved = x - np.asarray(self._mean)
        norms = np.sqrt(np.einsum("ij,ij->i", moved, moved))[:, None]
        return np.divide(moved, norms, out=np.zeros_like(moved), where=norms > 0)

    def _turned(self, sums: Vectors) -> Vectors:
        if self._rotation is None:
            return sums
        zeros = np.zeros(self.dim, np.float32)
        turned: Vectors = _core.quantize.linear(
            np.ascontiguousarray(sums), None, np.ascontiguousarray(self._rotation.T), zeros
        )
        return turned

    def aggregate(self, descriptors: Any, multiple: int = 1) -> Aggregated:
        """What a photo holds of its words, from local descriptors (n, d)."""
        x = self._shifted(as_vectors(descriptors, "descriptors", dim=self.dim, empty=True))
        assigned, _ = self.words.assign(x, min(multiple, self.words.k))
        found, sums = _core.scan.aggregate_residuals(
            np.ascontiguousarray(x), assigned, self.words.centroids
        )
        norms = np.sqrt(np.einsum("ij,ij->i", sums, sums))
        kept = norms > 0
        if not kept.all():
            found, sums, norms = found[kept], sums[kept], norms[kept]
        if self.binarize == "none":
            return Aggregated(found, sums / norms[:, None])
        above = self._turned(sums) > (0 if self._medians is None else self._medians[found])
        codes = np.zeros((len(found), 8 * self._width), np.uint8)
        packed = np.packbits(above, axis=1, bitorder="little")
        codes[:, : packed.shape[1]] = packed
        return Aggregated(found, codes.view(np.uint64))

    @property
    def _width(self) -> int:
        return -(-self.dim // 64)

    def add(self, photos: Sequence[Any], ids: Any = None) -> Ids:
        """Add photos, each its local descriptors (n_i, d); returns their ids, which number on where none are given.

        Raises ValueError for ids that are there already or occur twice.
        """
        aggregated = [self.aggregate(photo) for photo in photos]
        with self._lock:
            if ids is None:
                new = self._next_id + np.arange(len(aggregated), dtype=np.int64)
            else:
                new = as_ids(ids, "ids", n=len(aggregated))
                if len(np.unique(new)) != len(new):
                    raise ValueError("ids: expected each id once, got one twice")
                present = new[np.isin(new, self._ids)]
                if len(present):
                    raise ValueError(f"ids: {present[0]} is there already")
            if not aggregated:
                return new
            counts = [len(a.words) for a in aggregated]
            starts = self._starts[-1] + np.cumsum(counts)
            self._store(
                np.concatenate([self._ids, new]),
                np.concatenate([self._starts, starts]),
                np.concatenate([self._words, *[a.words.astype(np.uint32) for a in aggregated]]),
                np.concatenate([self._parts, *[a.parts for a in aggregated]]),
                max(self._next_id, int(new.max()) + 1),
            )
            return new

    def remove(self, ids: Any) -> int:
        """Remove photos by id and return how many were there; unknown ids are ignored."""
        with self._lock:
            keep = ~np.isin(self._ids, as_ids(ids, "ids"))
            removed = int(len(keep) - keep.sum())
            if removed:
                counts = np.diff(self._starts)
                rows = np.repeat(keep, counts)
                starts = np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64)
                self._store(
                    self._ids[keep], starts, self._words[rows], self._parts[rows], self._next_id
                )
            return removed

    def ordered(self, ids: Any) -> ASMK:
        """The same photos in the order of ``ids``, which holds each once."""
        wanted = as_ids(ids, "ids", n=len(self._ids))
        with self._lock:
            by_id = np.argsort(self._ids, kind="stable")
            place = by_id[
                np.searchsorted(self._ids, wanted, sorter=by_id).clip(max=max(len(by_id) - 1, 0))
            ]
            if not np.array_equal(self._ids[place], wanted) or len(np.unique(wanted)) < len(wanted):
                raise ValueError("ids: expected the ids of all photos, each once")
            counts = np.diff(self._starts)[place]
            starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            rows = np.repeat(self._starts[place] - starts[:-1], counts) + np.arange(starts[-1])
            self._store(wanted, starts, self._words[rows], self._parts[rows], self._next_id)
        return self

    def _clear(self) -> None:
        trained = self._mean is not None
        if self.binarize == "none":
            parts: NDArray[Any] = np.empty((0, self.dim if trained else 0), np.float32)
        else:
            parts = np.empty((0, self._width if trained else 0), np.uint64)
        self._store(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, np.uint32), parts, 0)

    def _store(
        self, ids: Ids, starts: Ids, words: NDArray[np.uint32], parts: NDArray[Any], next_id: int
    ) -> None:
        self._ids, self._starts, self._words, self._parts = ids, starts, words, parts
        self._next_id = next_id
        self._lists: _Lists | None = None

    def _inverted(self) -> tuple[_Lists, Ids]:
        """The lists of the present photos, made where photos came or went, and the photos' ids."""
        with self._lock:
            if self._lists is None:
                photos = len(self._ids)
                holders = np.repeat(np.arange(photos, dtype=np.uint32), np.diff(self._starts))
                order = np.argsort(self._words, kind="stable")
                held = np.bincount(self._words, minlength=self.words.k)
                starts = np.concatenate([[0], np.cumsum(held)]).astype(np.int64)
                idf = np.ones(self.words.k)
                if self.idf:
                    idf = np.log(np.maximum(photos, 1) / np.maximum(held, 1))
                own = idf[self._words] * float(self.tau < 1.0)
                totals = np.bincount(holders, weights=own, minlength=photos)
                norms = np.divide(1.0, np.sqrt(totals), out=np.zeros(photos), where=totals > 0)
                parts = np.ascontiguousarray(self._parts[order])
                engine = _core.scan.WordLists(
                    photos, starts, holders[order],
                    **{"vectors" if self.binarize == "none" else "codes": parts},
                )  # fmt: skip
                self._lists = _Lists(engine, idf.astype(np.float32), norms.astype(np.float32))
            return self._lists, self._ids

    def scores(self, queries: Sequence[Any], *, threads: int = 0) -> Vectors:
        """Similarities of queries, each its local descriptors (n_i, d), to all photos: float32 (queries, photos)."""
        lists, _ = self._inverted()
        return self._scores(lists, queries, threads)

    def _scores(self, lists: _Lists, queries: Sequence[Any], threads: int) -> Vectors:
        parts, norms = [], []
        for query in queries:
            words, held = self.aggregate(query, self.multiple)
            weights = lists.idf[words]
            total = float(weights.sum(dtype=np.float64)) * (self.tau < 1.0)
            norms.append(total**-0.5 if total > 0 else 0.0)
            parts.append((words, weights, held))
        return self._ranked(lists, parts, np.asarray(norms, np.float32), threads)

    def _ranked(self, lists: _Lists, parts: Sequence[Any], norms: Vectors, threads: int) -> Vectors:
        scores: Vectors = lists.engine.score(
            parts, None if self.binarize == "none" else self._selectivity(), self.alpha, self.tau,
            threads=as_count(threads, "threads", least=0, most=1024),
        )  # fmt: skip
        scores *= norms[:, None] * lists.norms
        return scores

    def neighbours(self, k: int = 10, *, threads: int = 0) -> Neighbours:
        """The k most similar other photos of each stored one, by what is stored of both.

        Returns similarities float32 (photos, k) and positions in ``ids`` int64 (photos, k); where there are fewer: -inf
        and -1.
        """
        k = as_count(k, "k", most=1 << 24)
        with self._lock:
            lists, _ = self._inverted()
            starts, words, parts = self._starts, self._words.astype(np.int64), self._parts
        n = len(starts) - 1
        similarities = np.full((n, k), -np.inf, np.float32)
        found = np.full((n, k), -1, np.int64)
        have = min(k, max(n - 1, 0))
        for at in range(0, n, 64):
            rows = range(at, min(at + 64, n))
            queries = []
            for row in rows:
                own = slice(int(starts[row]), int(starts[row + 1]))
                queries.append((words[own], lists.idf[words[own]], parts[own]))
            scores = self._ranked(lists, queries, lists.norms[list(rows)], threads)
            scores[np.arange(len(scores)), list(rows)] = -np.inf
            order = np.argsort(-scores, axis=1, kind="stable")[:, :have]
            found[at : at + len(scores), :have] = order
            similarities[at : at + len(scores), :have] = np.take_along_axis(scores, order, axis=1)
        return Neighbours(similarities, found)

    def _selectivity(self) -> Vectors:
        """Of each number of differing bits."""
        u = 1 - 2 * np.arange(64 * self._width + 1) / self.dim
        counted = np.sign(u) * np.abs(u) ** self.alpha
        return np.where(u > self.tau, counted, 0).astype(np.float32)

    def search(self, queries: Any, k: int = 10, *, threads: int = 0) -> Neighbours:
        """The k most similar photos of each query, ties by ascending id.

        queries : local descriptors (n, d) of one photo, which is answered by (k,); or a list of such arrays
        Returns similarities float32 (n, k) and ids int64 (n, k); where there are fewer than k: -inf and -1.
        """
        k = as_count(k, "k", most=1 << 24)
        one = isinstance(queries, np.ndarray) and queries.ndim == 2
        lists, ids = self._inverted()
        scores = self._scores(lists, [queries] if one else queries, threads)
        n, have = len(scores), min(k, len(ids))
        similarities = np.full((n, k), -np.inf, np.float32)
        found = np.full((n, k), -1, np.int64)
        for row in range(n):
            order = np.lexsort((ids, -scores[row]))[:have]
            similarities[row, :have], found[row, :have] = scores[row, order], ids[order]
        return Neighbours(similarities[0], found[0]) if one else Neighbours(similarities, found)

    def stats(self) -> dict[str, JSON]:
        """Photos, postings, and bytes of a photo."""
        size = self._parts.nbytes + 4 * len(self._words)
        return {
            "photos": len(self),
            "postings": len(self._words),
            "bytes_per_photo": size / max(1, len(self)) + 8,
        }

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "words": self.words.params(), "alpha": self.alpha, "tau": self.tau, "multiple": self.multiple,
            "binarize": self.binarize, "rotate": self.rotate, "idf": self.idf, "centred": self.centred,
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """What was learnt, and the photos one after the other."""
        self.dim  # noqa: B018
        with self._lock:
            arrays = add_prefix("words", self.words.arrays()) | {
                "mean": np.asarray(self._mean), "ids": self._ids, "starts": self._starts,
                "held": self._words, "parts": self._parts,
                "next_id": np.array([self._next_id], np.uint64),
            }  # fmt: skip
        if self._rotation is not None:
            arrays["rotation"] = self._rotation
        return arrays if self._medians is None else {**arrays, "medians": self._medians}

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> ASMK:
        """Words and photos from their parts."""
        names = {"words", "alpha", "tau", "multiple", "binarize", "rotate", "idf", "centred"}
        check_only(params, names, "parameters")
        asmk = cls(
            VisualWords.from_state(
                take_param(params, "words", dict), strip_prefix("words", arrays)
            ),
            alpha=take_param(params, "alpha", (int, float)),
            tau=take_param(params, "tau", (int, float)),
            multiple=take_param(params, "multiple", int),
            binarize=take_param(params, "binarize", str),
            rotate=take_param(params, "rotate", bool),
            idf=take_param(params, "idf", bool),
            centred=take_param(params, "centred", bool),
        )
        known = {"mean", "ids", "starts", "held", "parts", "next_id"}
        if asmk.binarize == "median":
            known.add("medians")
        if asmk.rotate:
            known.add("rotation")
        check_only({n: 0 for n in arrays if not n.startswith("words.")}, known, "arrays")
        dim = asmk.words.centroids.shape[1]
        mean = take(arrays, "mean", np.float32, (dim,))
        if not np.isfinite(mean).all():
            raise FileFormatError("array 'mean': expected finite numbers")
        asmk._mean = np.ascontiguousarray(mean)
        if asmk.rotate:
            rotation = take(arrays, "rotation", np.float32, (dim, dim))
            if not np.isfinite(rotation).all():
                raise FileFormatError("array 'rotation': expected finite numbers")
            asmk._rotation = np.ascontiguousarray(rotation)
        if asmk.binarize == "median":
            medians = take(arrays, "medians", np.float32, (asmk.words.k, dim))
            asmk._medians = np.ascontiguousarray(medians)
        ids = take(arrays, "ids", np.int64, (None,))
        starts = take(arrays, "starts", np.int64, (len(ids) + 1,))
        held = take(arrays, "held", np.uint32, (None,))
        check_starts(starts, len(held), "starts")
        check_range(held, asmk.words.k, "held")
        next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
        if len(ids) and (ids.min() < 0 or ids.max() >= next_id or len(np.unique(ids)) < len(ids)):
            raise FileFormatError("array 'ids': expected distinct ids from 0 below next_id")
        if next_id > 1 << 63:
            raise FileFormatError(f"array 'next_id': got {next_id}")
        if asmk.binarize == "none":
            parts = take(arrays, "parts", np.float32, (len(held), dim))
        else:
            parts = take(arrays, "parts", np.uint64, (len(held), asmk._width))
            spare = 64 * asmk._width - dim
            if spare and len(parts) and (parts[:, -1] >> np.uint64(64 - spare)).any():
                raise FileFormatError("array 'parts': expected zeros beyond the last bit")
        asmk._store(ids, starts, held, parts, next_id)
        return asmk
