"""Aggregated selective match kernel: photos compared word by word, what is very alike counting most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import (
    Ids,
    Vectors,
    as_choice,
    as_count,
    as_ids,
    as_number,
    as_vectors,
    read_only,
)
from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.base.locks import Lock
from kinfold.base.ranking import Neighbours
from kinfold.base.state import (
    JSON,
    Arrays,
    Restorable,
    add_prefix,
    check_only,
    check_range,
    check_starts,
    steady,
    strip_prefix,
    take,
    take_param,
)
from kinfold.transform.rotation import Rotation
from kinfold.words.inverted_file import Held, InvertedFile, Rule
from kinfold.words.words import VisualWords

BINARIZE = ("zero", "median", "none")
# Fewer residuals than this tell nothing of a word's median.
_FEW = 8
# Words of descriptors that are assigned together; photos whose neighbours are.
_TOGETHER = 1 << 17
_ROWS = 64


class _Photos(NamedTuple):
    """One consistent state, replaced as a whole."""

    ids: Ids
    lists: InvertedFile | None
    next_id: int


class _Ready(NamedTuple):
    """What a search reads: photos with the weights of words and photos.

    ids : of all rows of the lists, those that were removed too
    """

    photos: _Photos
    ids: Ids
    lists: InvertedFile
    rule: Rule


class ASMK(Restorable):
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
        self._lock = Lock()
        self._mean: Vectors | None = None
        self._medians: Vectors | None = None
        self._rotation: Vectors | None = None
        self._turned_words: Vectors | None = None
        self._training: object = None  # another after each
        self._photos = _Photos(np.empty(0, np.int64), None, 0)
        self._ready: _Ready | None = None

    def __repr__(self) -> str:
        return f"ASMK({self.words!r}, binarize={self.binarize!r}, photos={len(self)})"

    def __len__(self) -> int:
        return len(self._photos.ids)

    @property
    def ids(self) -> Ids:
        """The ids of the stored photos; read-only."""
        return read_only(self._photos.ids)

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
        self._turned_words = None
        self._training = object()
        self._photos = _Photos(np.empty(0, np.int64), self._no_lists(), 0)
        return self

    def _no_lists(self) -> InvertedFile:
        if self.binarize == "none":
            parts: NDArray[Any] = np.empty((0, self.dim), np.float32)
        else:
            parts = np.empty((0, self._width), np.uint64)
        return InvertedFile.of(self.words.k, Held.empty(parts))

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

    def aggregate(
        self, photos: Sequence[Any], multiple: int = 1, *, name: str = "photos", threads: int = 0
    ) -> Held:
        """What photos, each its local descriptors (n_i, d), hold of their words; messages call them ``name``."""
        rows = [
            as_vectors(photo, f"{name}[{at}]", dim=self.dim, empty=True)
            for at, photo in enumerate(photos)
        ]
        if not rows:
            return Held.empty(self._inverted().parts)
        # So many photos at once that their words are assigned together, in bounded memory.
        held, first = [], 0
        for at in range(len(rows)):
            if at + 1 == len(rows) or sum(map(len, rows[first : at + 2])) * multiple > _TOGETHER:
                held.append(self._aggregated(rows[first : at + 1], multiple, threads))
                first = at + 1
        return Held.joined(held)

    def _aggregated(self, photos: Sequence[Vectors], multiple: int, threads: int) -> Held:
        starts = np.concatenate([[0], np.cumsum([len(photo) for photo in photos])])
        x = self._shifted(np.concatenate(photos))
        assigned, _ = self.words.assign(x, min(multiple, self.words.k))
        # Turning descriptors and words turns the sums, which are more where a descriptor has several words.
        words = self.words.centroids
        if self._rotation is not None:
            if self._turned_words is None:
                self._turned_words = self._turned(words)
            x, words = self._turned(x), self._turned_words
        return Held(
            *_core.words.aggregate(
                np.ascontiguousarray(x), starts.astype(np.int64), assigned, words, self._medians,
                self.binarize != "none", threads,
            )
        )  # fmt: skip

    @property
    def _width(self) -> int:
        return -(-self.dim // 64)

    def add(self, photos: Sequence[Any], ids: Any = None) -> Ids:
        """Add photos, each its local descriptors (n_i, d); returns their ids, which number on where none are given.

        Raises ValueError for ids that are there already or occur twice.
        """
        training = self._training
        held = self.aggregate(photos)
        given = None if ids is None else as_ids(ids, "ids", n=len(held))
        with self._lock:
            if self._training is not training:
                raise ValueError("photos: others were learnt from meanwhile; add these again")
            known, lists, next_id = self._photos
            if given is None:
                new = next_id + np.arange(len(held), dtype=np.int64)
            else:
                new = given
                if len(np.unique(new)) != len(new):
                    raise ValueError("ids: expected each id once, got one twice")
                present = new[np.isin(new, known)]
                if len(present):
                    raise ValueError(f"ids: {present[0]} is there already")
            if len(held):
                next_id = max(next_id, int(new.max()) + 1)
                grown = _made(lists).added(held)
                self._photos = _Photos(np.concatenate([known, new]), grown, next_id)
            return new

    def remove(self, ids: Any) -> int:
        """Remove photos by id and return how many were there; unknown ids are ignored."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            known, lists, next_id = self._photos
            keep = ~np.isin(known, wanted)
            removed = int(len(keep) - keep.sum())
            if removed:
                self._photos = _Photos(known[keep], _made(lists).kept(keep), next_id)
            return removed

    def ordered(self, ids: Any) -> ASMK:
        """The same photos in the order of ``ids``, which holds each once."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            known, lists, next_id = self._photos
            order = np.argsort(known, kind="stable")
            if not np.array_equal(np.sort(wanted), known[order]):
                raise ValueError("ids: expected the ids of all photos, each once")
            place = order[np.searchsorted(known, wanted, sorter=order)]
            self._photos = _Photos(known[place], _made(lists).ordered(place), next_id)
        return self

    def _inverted(self) -> InvertedFile:
        return _made(self._photos.lists)

    def _present(self) -> _Ready:
        """The present photos; their weights are made by the first search after photos came or went."""
        photos, ready = self._photos, self._ready
        if ready is None or ready.photos is not photos:
            lists = _made(photos.lists)
            idf = np.ones(self.words.k, np.float32)
            if self.idf:
                held = np.maximum(lists.holders(), 1)
                idf = np.log(max(len(photos.ids), 1) / held).astype(np.float32)
            table = None if self.binarize == "none" else self._selectivity()
            norms = self._norms(lists.totals(idf))
            ids = photos.ids
            if lists.alive is not None:
                ids = np.full(lists.rows, -1, np.int64)
                ids[lists.alive != 0] = photos.ids
            rule = Rule(idf, table, self.alpha, self.tau, norms)
            self._ready = ready = _Ready(photos, ids, lists, rule)
        return ready

    def _norms(self, totals: NDArray[np.float64]) -> Vectors:
        """What makes a photo's similarity to itself one, from the sum of its words' weights."""
        counted = totals * float(self.tau < 1.0)
        roots = np.sqrt(counted)
        return np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0).astype(np.float32)

    @steady
    def scores(self, queries: Sequence[Any], *, threads: int = 0) -> Vectors:
        """Similarities of queries, each its local descriptors (n_i, d), to all photos: float32 (queries, photos)."""
        return self._scores(self._present(), self._queries(queries, threads), threads)

    def _queries(self, queries: Sequence[Any], threads: int) -> Held:
        return self.aggregate(queries, self.multiple, name="queries", threads=threads)

    def _scores(self, present: _Ready, queries: Held, threads: int) -> Vectors:
        factors = self._norms(queries.totals(present.rule.weights))
        return present.lists.scores(queries, present.rule, factors, _threads(threads))

    def _best(self, present: _Ready, queries: Held, ids: Ids, k: int, threads: int) -> Neighbours:
        """The k best photos of each query by what these hold, called by ids, one a row of the lists."""
        have = min(k, len(present.lists))
        factors = self._norms(queries.totals(present.rule.weights))
        best = present.lists.best(queries, present.rule, factors, ids, have, _threads(threads))
        similarities = np.full((len(queries), k), -np.inf, np.float32)
        found = np.full((len(queries), k), -1, np.int64)
        similarities[:, :have], found[:, :have] = best
        return Neighbours(similarities, found)

    @steady
    def neighbours(self, k: int = 10, *, threads: int = 0) -> Neighbours:
        """The k most similar other photos of each stored one, by what is stored of both.

        Returns similarities float32 (photos, k) and positions in ``ids`` int64 (photos, k); where there are fewer: -inf
        and -1. What is stored is held twice while this runs.
        """
        k = as_count(k, "k", most=1 << 24)
        present = self._present()
        stored = present.lists.by_photo()
        n = len(stored)
        places = np.full(present.lists.rows, -1, np.int64)
        places[present.lists.living(np.arange(len(places)))] = np.arange(n)
        similarities = np.full((n, k), -np.inf, np.float32)
        found = np.full((n, k), -1, np.int64)
        for at in range(0, n, _ROWS):
            own = np.arange(at, min(at + _ROWS, n))
            near = self._best(present, stored.photos(own), places, min(k + 1, n), threads)
            # A photo that is itself not among the first has others as alike before it.
            others = near.ids != own[:, None]
            others[others.all(axis=1), -1] = False
            have = near.ids.shape[1] - 1
            found[own, :have] = near.ids[others].reshape(len(own), have)
            similarities[own, :have] = near.distances[others].reshape(len(own), have)
        return Neighbours(similarities, found)

    def _selectivity(self) -> Vectors:
        """Of each number of differing bits."""
        u = 1 - 2 * np.arange(64 * self._width + 1) / self.dim
        counted = np.sign(u) * np.abs(u) ** self.alpha
        return np.where(u > self.tau, counted, 0).astype(np.float32)

    @steady
    def search(self, queries: Any, k: int = 10, *, threads: int = 0) -> Neighbours:
        """The k most similar photos of each query, ties by ascending id.

        queries : local descriptors (n, d) of one photo, which is answered by (k,); or a list of such arrays
        Returns similarities float32 (n, k) and ids int64 (n, k); where there are fewer than k: -inf and -1.
        """
        k = as_count(k, "k", most=1 << 24)
        one = isinstance(queries, np.ndarray) and queries.ndim == 2
        present = self._present()
        held = self._queries([queries] if one else queries, threads)
        found = self._best(present, held, present.ids, k, threads)
        return Neighbours(found.distances[0], found.ids[0]) if one else found

    def stats(self) -> dict[str, JSON]:
        """Photos, postings, and bytes of a photo."""
        photos = self._photos
        lists, n = _made(photos.lists), len(photos.ids)
        return {
            "photos": n,
            "postings": lists.size,
            "bytes_per_photo": (lists.nbytes + photos.ids.nbytes) / max(1, n),
        }

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "words": self.words.params(), "alpha": self.alpha, "tau": self.tau, "multiple": self.multiple,
            "binarize": self.binarize, "rotate": self.rotate, "idf": self.idf, "centred": self.centred,
        }  # fmt: skip

    @steady
    def arrays(self) -> Arrays:
        """What was learnt, and the inverted file."""
        self.dim  # noqa: B018
        photos = self._photos
        lists = _made(photos.lists).merged()
        arrays = add_prefix("words", self.words.arrays()) | {
            "mean": np.asarray(self._mean), "ids": photos.ids, "starts": lists.starts,
            "photo": lists.photo, "parts": lists.parts,
            "next_id": np.array([photos.next_id], np.uint64),
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
        # Files of the first layout hold the words photo by photo, in "held"; others the photos word by word.
        first = "held" in arrays
        known = {"mean", "ids", "starts", "held" if first else "photo", "parts", "next_id"}
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
        groups, items, name = (
            (len(ids), asmk.words.k, "held") if first else (asmk.words.k, len(ids), "photo")
        )
        starts = take(arrays, "starts", np.int64, (groups + 1,))
        found = take(arrays, name, np.uint32, (None,))
        check_starts(starts, len(found), "starts")
        check_range(found, items, name)
        falls = np.flatnonzero(found[1:] <= found[:-1]) + 1
        if not np.isin(falls, starts).all():
            raise FileFormatError(f"array '{name}': expected to ascend from start to start")
        next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
        if len(ids) and (ids.min() < 0 or ids.max() >= next_id or len(np.unique(ids)) < len(ids)):
            raise FileFormatError("array 'ids': expected distinct ids from 0 below next_id")
        if next_id > 1 << 63:
            raise FileFormatError(f"array 'next_id': got {next_id}")
        if asmk.binarize == "none":
            parts = take(arrays, "parts", np.float32, (len(found), dim))
        else:
            parts = take(arrays, "parts", np.uint64, (len(found), asmk._width))
            spare = 64 * asmk._width - dim
            if spare and len(parts) and (parts[:, -1] >> np.uint64(64 - spare)).any():
                raise FileFormatError("array 'parts': expected zeros beyond the last bit")
        if first:
            lists = InvertedFile.of(asmk.words.k, Held(starts, found, parts))
        else:
            lists = InvertedFile(len(ids), starts, found, parts, Held.empty(parts))
        asmk._photos = _Photos(ids, lists, next_id)
        return asmk


def _threads(threads: int) -> int:
    return as_count(threads, "threads", least=0, most=1024)


def _made(lists: InvertedFile | None) -> InvertedFile:
    if lists is None:
        raise NotTrainedError("ASMK: call fit first")
    return lists
