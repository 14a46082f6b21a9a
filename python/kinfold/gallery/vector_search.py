"""The index under a gallery's vectors: it proposes the photos of a shortlist, the vectors themselves rank them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.neighbours import other_neighbours
from kinfold.base.random import generator
from kinfold.base.ranking import Neighbours
from kinfold.base.registry import class_of
from kinfold.base.state import (
    JSON,
    Arrays,
    Restorable,
    add_prefix,
    check_only,
    strip_prefix,
    take_param,
)
from kinfold.index.base import Index
from kinfold.index.factory import index_factory

# What every exhaustive search is called, and what leaves the choice to the number of vectors.
FLAT, AUTO = "Flat", "auto"
# Fewer vectors are scanned faster than lists of them are worth.
AUTO_LEAST = 50_000
# Photos of the first answer that second looks have at least to work with: what an index proposes.
SHORTLIST = 200
# An index is learnt anew where there are this many times the vectors that it was learnt on.
GROWTH = 1.5
# Vectors that an index is learnt on: for each centroid, and at least.
_SAMPLE_OF_CENTROID, _SAMPLE = 64, 65_536
# Vectors that are searched with to tell what an index loses, and neighbours of each that are looked for.
_ASKED, _NEAREST = 200, 10
# The share of these that searches should find, where more lists can be visited for it.
_FOUND = 0.99
# Larger dimensions than galleries have: what means something at all means something here.
_SOME_DIM = 4096


def checked_spelling(search: Any) -> str:
    """A description of an index for vectors, or "auto". Raises ValueError for what means nothing."""
    if search == AUTO:
        return AUTO
    try:
        index_factory(search, _SOME_DIM)
    except ValueError as error:
        text = str(error).removeprefix("spec: ").removeprefix("metric: ")
        raise ValueError(f"search: {text}, or auto") from None
    return str(search)


def spelling(search: str, n: int) -> str | None:
    """The index for n vectors; None for the exhaustive scan."""
    if search != AUTO:
        return None if search == FLAT else search
    if n < AUTO_LEAST:
        return None
    return f"IVF{1 << round(float(np.log2(4 * np.sqrt(n))))},LVQ8"


class VectorSearch(Restorable):
    """An index of the library over vectors of about length one, by their distance.

    spec : as ``index_factory`` reads it
    index : learnt, with the vectors under their ids
    learnt_on : how many vectors there were when it was learnt
    recall, alone : of the ten nearest by exhaustive search, the share among the first ten of a shortlist ranked by the
        vectors themselves, as searches rank it; and among the first ten of the index alone

    Searches give similarities, those that codes stand for; for an index of regions, that of a ``RegionalIndex``.
    """

    kind: ClassVar[str] = "gallery.VectorSearch"
    metric: ClassVar[str] = "ip"

    def __init__(
        self, spec: str, index: Index, learnt_on: int, recall: float = 0.0, alone: float = 0.0
    ) -> None:
        self.spec, self.index, self.learnt_on = spec, index, learnt_on
        self.recall, self.alone = recall, alone

    @classmethod
    def learn(
        cls, spec: str, vectors: Vectors, ids: Ids, *, seed: int = 0, of: str = "photos"
    ) -> VectorSearch:
        """An index of these vectors. Raises GalleryError where they are too few for the spelling.

        of : what each is of, in words
        """
        check_enough(spec, len(vectors), of)
        index = index_factory(spec, vectors.shape[1], seed=seed, verbose=False)
        most = max(_SAMPLE, _SAMPLE_OF_CENTROID * index.n_centroids)
        sample = vectors
        if len(vectors) > most:
            rows = generator(seed).choice(len(vectors), most, replace=False)
            sample = vectors[np.sort(rows)]
        try:
            with warnings.catch_warnings():
                # That there are few for so many centroids: what is lost by it is measured and told.
                warnings.simplefilter("ignore", UserWarning)
                index.fit(sample)
        except ValueError as error:
            raise GalleryError(_too_few(spec, len(vectors), of, str(error))) from error
        made = cls(spec, index, len(vectors))
        made.add(vectors, ids)
        return made

    def outgrown(self, n: int) -> bool:
        """Whether it should be learnt anew for n vectors."""
        return n >= GROWTH * self.learnt_on

    def add(self, vectors: Vectors, ids: Ids) -> None:
        """Vectors that came."""
        if len(ids):
            self.index.add(vectors, ids=ids)

    def search(self, queries: Vectors, k: int, *, filter: Ids | None = None) -> Neighbours:
        """The k nearest of each query (n, d), or of one (d,), as the index has them: similarities and ids.

        filter : the ids that may answer; all if not given
        """
        options = {"exhaust": True} if "exhaust" in self.index.options else {}
        found = self.index.search(queries, k, filter=filter, **options)
        # Of vectors of length one; past the end it is -inf.
        return Neighbours(np.float32(1) - found.distances / np.float32(2), found.ids)

    def measured(self, vectors: Vectors, ids: Ids) -> VectorSearch:
        """The same with what it loses, asked for some of its vectors, each without itself."""
        rows = np.arange(0, len(ids), max(1, len(ids) // _ASKED))[:_ASKED]
        asked, k = vectors[rows], min(_NEAREST, len(ids) - 1)
        if k < 1:
            return VectorSearch(self.spec, self.index, self.learnt_on, 1.0, 1.0)
        truth = other_neighbours(asked, vectors, rows, k, metric="ip")
        order = np.argsort(ids)
        proposed = self.search(asked, max(SHORTLIST, k + 1)).ids
        as_searched = as_index = 0
        for row, near, least in zip(rows, proposed, truth.distances[:, -1]):
            found = order[np.searchsorted(ids[order], near[near >= 0])]
            found = found[found != row]
            # Any photo as similar as the tenth will do, but for rounding.
            good = vectors[found] @ vectors[row] >= least - 1e-6
            as_searched += min(k, int(good.sum()))
            as_index += int(good[:k].sum())
        asked_for = k * len(rows)
        return VectorSearch(
            self.spec, self.index, self.learnt_on, as_searched / asked_for, as_index / asked_for
        )

    def widened(self, vectors: Vectors, ids: Ids) -> VectorSearch:
        """Measured; lists visit twice as many cells, or rows, until nearly all of the nearest are found."""
        if hasattr(self.index, "nprobe"):
            self.index.nprobe = min(self.index.nprobe, self._cells)
        found = self.measured(vectors, ids)
        name = "budget" if self._counts_rows else "nprobe"
        most = len(ids) if self._counts_rows else self._cells
        while found.recall < _FOUND and getattr(self.index, name, most) < most:
            setattr(self.index, name, min(most, 2 * getattr(self.index, name)))
            found = self.measured(vectors, ids)
        return found

    @property
    def _cells(self) -> int:
        return int(getattr(getattr(self.index, "coarse", None), "n_cells", 1))

    @property
    def _counts_rows(self) -> bool:
        return bool(getattr(getattr(self.index, "coarse", None), "counts_rows", False))

    def params(self) -> dict[str, JSON]:
        return {
            "spec": self.spec,
            "learnt_on": self.learnt_on,
            "recall": self.recall,
            "alone": self.alone,
            "index": {"kind": self.index.kind, "params": self.index.params()},
        }

    def arrays(self) -> Arrays:
        return add_prefix("index", self.index.arrays())

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> VectorSearch:
        check_only(params, {"spec", "learnt_on", "recall", "alone", "index"}, "parameters")
        check_only({n: 0 for n in arrays if not n.startswith("index.")}, set(), "arrays")
        chosen = take_param(params, "index", dict)
        if set(chosen) != {"kind", "params"} or not isinstance(chosen["params"], dict):
            raise FileFormatError("parameter 'index': expected kind and parameters")
        kind = class_of(chosen["kind"])
        if not (isinstance(kind, type) and issubclass(kind, Index)):
            raise FileFormatError(f"parameter 'index': expected an index, got {chosen['kind']!r}")
        learnt_on = take_param(params, "learnt_on", int)
        shares = [take_param(params, name, (int, float)) for name in ("recall", "alone")]
        if learnt_on < 1 or not all(0 <= share <= 1 for share in shares):
            raise FileFormatError("parameters: expected vectors, and shares from 0 to 1")
        index = kind.from_state(chosen["params"], strip_prefix("index", arrays))
        return cls(take_param(params, "spec", str), index, learnt_on, *map(float, shares))


def in_line(
    held: VectorSearch | None,
    search: str,
    vectors: Callable[[Ids], Vectors],
    ids: Ids,
    seed: int,
    of: str = "photos",
) -> VectorSearch | None:
    """The index of these ids; None for the exhaustive scan, ``held`` itself where nothing is to be changed.

    held : that of before, whose rows come and go; learnt anew where it is outgrown or was spelt otherwise
    vectors : of ids, float32 (n, d); of : what each is of, in words
    """
    spec = spelling(search, len(ids))
    if spec is None or not len(ids):
        return None
    every = np.sort(ids)
    if held is None or held.outgrown(len(ids)) or (search != AUTO and held.spec != spec):
        points = vectors(every)
        return VectorSearch.learn(spec, points, every, seed=seed, of=of).widened(points, every)
    gone, new = np.setdiff1d(held.index.ids, ids), np.setdiff1d(ids, held.index.ids)
    if not len(gone) and not len(new):
        return held
    held.index.remove(gone)
    held.add(vectors(new), new)
    return held.measured(vectors(every), every)


def check_enough(spec: str, n: int, of: str = "photos") -> None:
    """Raise GalleryError where n vectors cannot teach an index of this spelling."""
    needed = _centroids(spec)
    if n < needed:
        raise GalleryError(_too_few(spec, n, of, f"it needs {needed:,} at least"))


def _centroids(spec: str) -> int:
    """Vectors that the spelling needs: one for each centroid or codeword."""
    index = index_factory(spec, _SOME_DIM)
    codec = getattr(index, "codec", None)
    quantizer = getattr(codec, "quantizer", getattr(codec, "left", None))
    codewords = getattr(quantizer, "k", 1 << getattr(quantizer, "bits", 0))
    return max(index.n_centroids, int(codewords))


def _too_few(spec: str, n: int, of: str, why: str) -> str:
    """What is said of a spelling that n vectors are too few for."""
    cells = 1 << max(0, int(np.log2(max(1, n / 14))))
    fewer = re.sub(r"IVF\d+[kM]?", f"IVF{cells}", spec)
    able = [other for other in (fewer, "SQ8") if other != spec and _centroids(other) <= n]
    return f"search: {spec} cannot be learnt on {n:,} {of} ({why}); possible: {', '.join([*able, FLAT])}, or {AUTO}"


def facts_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of one tell, as people read it."""
    kept = params["index"]["params"]
    lists = re.search(r"\bIVF", params["spec"]) is not None
    visited = {"cells_visited": kept["nprobe"]} if lists else {}
    return {
        "index": params["spec"],
        **visited,
        "learnt_on": params["learnt_on"],
        "recall_at_10": round(params["recall"], 4),
        "recall_at_10_of_the_index_alone": round(params["alone"], 4),
    }
