"""Bags of visual words, searched through an inverted file: tf-idf, and signatures that look closer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.learnt import Part
from kinfold.base.parameters import Choice, Count, Flag, Maybe, Number
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take
from kinfold.store.keyed import Keys, Marks, check_ids, next_id_from
from kinfold.store.segments import compacted, settled
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.photos import PhotoTable
from kinfold.words.postings import (
    MOST_PHOTOS,
    Lists,
    PostingSegment,
    from_arrays,
    reordered,
    sealed,
    to_arrays,
)
from kinfold.words.scoring import SCORINGS, TERMS, Bag, Scoring
from kinfold.words.words import SIGMAS, VisualWords

if TYPE_CHECKING:
    from typing_extensions import Self

# Descriptors that are assigned at once, and queries that are compared at once.
_TOGETHER = 1 << 20
_QUERIES = 64
# Descriptors that tell whether the words suit a collection.
_SAMPLE = 1 << 16


@dataclass(frozen=True)
class Weighted(Keys[PostingSegment]):
    """Segments of photos, and weights that were pinned, with how often they were."""

    frozen: Vectors | None = None
    version: int = 0


class _Ready(NamedTuple):
    """What the words weigh, and the inverse norms of the photos of each segment."""

    held: Weighted
    idf: Vectors
    inverse: tuple[Vectors, ...]


class BagOfWords(PhotoTable[Weighted]):
    """Photos as histograms of visual words, compared by an inverted file of compressed posting lists.

    A word weighs idf * term(how often it occurs), and photos are as alike as these vectors are:

        cosine        <q, p> / (|q| |p|), the order of l2 distances of vectors of length one
        l1            1 - |q - p|_1 / 2 of vectors of sum one
        intersection  the share of the query that the photo holds: sum min(q, p) / sum q

    With a Hamming embedding, descriptors of one word match where their signatures are near: q and p are compared
    descriptor by descriptor, each with its share term / count of its word, and photos by

        sum over words of idf^2 * sum over pairs of likeness(Hamming distance)

    over the square roots of the same of each with itself. A photo's similarity to itself is one in all of these.

    Parameters
    ----------
    words : VisualWords, or how many to learn
    scoring : "cosine", "l1" or "intersection"
    term : of a word that occurs n times: "count" n, "root" sqrt(n), against bursts, or "one"
    idf : weight words by log(photos / photos that hold it), a word that none holds as if one did
    stop : words that more than this share of the photos hold do not count
    multiple : words of each descriptor of a query; of a stored photo, one
    sigma : weight these by exp(-distance^2 / (2 sigma^2)), adding to one; None for one each
    embedding : HammingEmbedding, or None; scoring "cosine" alone, without sigma

    The weights follow the photos that are stored, until ``freeze`` pins them.
    Several threads may search while one adds or removes.

    Sivic and Zisserman, ICCV 2003; Nister and Stewenius, CVPR 2006 (l1); Swain and Ballard, IJCV 1991
    (intersection); Jegou, Douze and Schmid, ECCV 2008 and CVPR 2009 (embedding, bursts); Philbin et al., CVPR 2008
    (sigma).

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> photos = np.split(x, 10)  # descriptors of each
    >>> model = kf.BagOfWords(kf.VisualWords(16, verbose=False)).fit(x)
    >>> ids = model.add(photos)
    >>> similarities, ids = model.search(photos[:2], k=3)
    >>> ids.shape
    (2, 3)
    """

    kind: ClassVar[str] = "local.BoW"

    scoring = Choice(*SCORINGS)
    term = Choice(*TERMS)
    idf = Flag()
    stop = Number(0.0, 1.0)
    multiple = Count(most=1024)
    sigma = Maybe(Number(*SIGMAS))
    embedding: Part[HammingEmbedding | None] = Part(HammingEmbedding, optional=True)

    def __init__(
        self,
        words: VisualWords | int = 65536,
        *,
        scoring: str = "cosine",
        term: str = "root",
        idf: bool = True,
        stop: float = 1.0,
        multiple: int = 1,
        sigma: float | None = None,
        embedding: HammingEmbedding | None = None,
    ) -> None:
        super().__init__()
        self.words = VisualWords(words) if isinstance(words, int) else words
        self.scoring, self.term, self.idf, self.stop = scoring, term, idf, stop
        self.multiple, self.sigma, self.embedding = multiple, sigma, embedding
        if embedding is not None and (scoring != "cosine" or sigma is not None):
            raise ValueError("embedding: expected scoring 'cosine' and no sigma with it")
        self._weighed: _Ready | None = None

    # --- descriptors to words --------------------------------------------------------------------------

    def fit(self, descriptors: ArrayLike) -> Self:
        """Learn words and medians from local descriptors (n, d); what is learnt already stays.

        Warns where the descriptors fall on few words only: they may be of another extractor.
        """
        x = as_vectors(descriptors, "descriptors")
        self._fit_words(x)
        learning = self.embedding is not None and not self.embedding.is_trained
        sample = x if learning else x[:: -(-len(x) // _SAMPLE)]
        assigned, _ = self.words.assign(sample)
        self.words.check_spread(assigned)
        if self.embedding is not None and learning:
            self.embedding.fit(sample, assigned[:, 0], self.words)
        self._training = object()
        self._held = Weighted()
        return self

    def bag(self, descriptors: ArrayLike, multiple: int = 1) -> Bag:
        """A photo's words, from local descriptors (n, d)."""
        x = as_vectors(descriptors, "descriptors", dim=self.dim, empty=True)
        multiple = min(multiple, self.words.k)
        weights = None
        if self.sigma is None or multiple == 1:
            assigned, _ = self.words.assign(x, multiple)
        else:
            assigned, weights = self.words.soft(x, multiple, sigma=self.sigma)
        order = np.argsort(assigned.ravel(), kind="stable")
        words, inverse = np.unique(assigned.ravel(), return_inverse=True)
        held = None if weights is None else weights.ravel()
        counts = np.bincount(inverse, weights=held, minlength=len(words)).astype(np.float64)
        signatures = None
        if self.embedding is not None:
            signatures = self.embedding.signatures(x, assigned).ravel()[order]
        return Bag(words.astype(np.uint32), counts, signatures)

    # --- photos ----------------------------------------------------------------------------------------

    def _hold(self, parts: tuple[PostingSegment, ...], next_id: int) -> None:
        held = self._require_fitted()
        self._held = replace(held, parts=settled(parts, Lists()), next_id=next_id)

    def _sealed(self, photos: Sequence[Any]) -> list[PostingSegment]:
        arrays = [as_vectors(p, "photos", dim=self.dim, empty=True) for p in photos]
        runs = _runs([len(a) for a in arrays]) if arrays else []
        return [self._segment(arrays[begin:end], begin) for begin, end in runs]

    def _segment(self, photos: Sequence[Vectors], first: int) -> PostingSegment:
        """A segment of photos that are numbered from the first on."""
        x = np.concatenate(photos)
        assigned, _ = self.words.assign(x)
        held = np.repeat(np.arange(len(photos), dtype=np.uint64), [len(p) for p in photos])
        keys = assigned[:, 0].astype(np.uint64) * np.uint64(MOST_PHOTOS) + held
        found, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        signatures = None
        if self.embedding is not None:
            signatures = self.embedding.signatures(x, assigned)[:, 0]
            found, counts = keys, counts[inverse]
        words, rows = found // np.uint64(MOST_PHOTOS), found % np.uint64(MOST_PHOTOS)
        return sealed(first + np.arange(len(photos)), words, rows, counts, signatures)

    def _with(
        self, held: Weighted, made: list[PostingSegment], ids: Ids
    ) -> tuple[PostingSegment, ...]:
        return (*held.parts, *(replace(segment, ids=ids[segment.ids]) for segment in made))

    def _in_order(self, held: Weighted, places: Ids) -> tuple[PostingSegment, ...]:
        return reordered(held.parts, places)

    def compact(self) -> Self:
        """Bring segments together and drop what was removed; additions do so by and by."""
        with self._lock:
            held = self._require_fitted()
            self._hold(compacted(held.parts, Lists()), held.next_id)
        return self

    def freeze(self) -> Self:
        """Pin the words' weights to those of the photos that are stored now; again, to those of then."""
        with self._lock:
            held = self._require_fitted()
            self._held = replace(held, frozen=self._idf(held), version=held.version + 1)
        return self

    # --- what words weigh ------------------------------------------------------------------------------

    @property
    def _scoring(self) -> Scoring:
        return Scoring(self.scoring, self.term, self.embedding)

    def _ready(self) -> _Ready:
        """The present photos with their weights, made by the first search after photos came or went."""
        held, before = self._require_fitted(), self._weighed
        if before is not None and before.held is held:
            return before
        idf = held.frozen if held.frozen is not None else self._idf(held)
        known: dict[int, Vectors] = {}
        if before is not None and before.idf is idf:
            known = {id(s): v for s, v in zip(before.held.parts, before.inverse)}
        scoring = self._scoring
        inverse = tuple(
            known[id(s)] if id(s) in known else scoring.inverse(s, idf) for s in held.parts
        )
        self._weighed = ready = _Ready(held, idf, inverse)
        return ready

    def _idf(self, held: Weighted) -> Vectors:
        photos, holders = len(held), np.zeros(self.words.k, np.int64)
        for segment in held.parts:
            holders += segment.engine.holders(segment.alive, self.words.k)
        weights = np.ones(self.words.k)
        if self.idf:
            weights = np.log(max(photos, 1) / np.maximum(holders, 1))
        weights[holders > self.stop * photos] = 0
        return weights.astype(np.float32)

    # --- search ----------------------------------------------------------------------------------------

    def _asked(self, ready: _Ready, photos: Sequence[Any], threads: int) -> list[tuple[Any, ...]]:
        bags = (self.bag(photo, self.multiple) for photo in photos)
        return [self._scoring.query(bag, ready.idf) for bag in bags]

    def _parts(
        self,
        ready: _Ready,
        ids: list[Ids] | None = None,
        admitted: list[Marks | None] | None = None,
    ) -> list[tuple[Any, ...]]:
        """The segments as the engine takes them, photos called by their ids where nothing else is said."""
        parts = ready.held.parts
        called = ids or [segment.ids for segment in parts]
        engines = (segment.engine for segment in parts)
        return list(zip(engines, called, ready.inverse, admitted or ready.held.admitted(None)))

    def _scores(self, ready: _Ready, asked: list[tuple[Any, ...]], threads: int) -> Vectors:
        parts = ready.held.parts
        found: Vectors = _core.words.all_scores(
            self._parts(ready), asked, *self._scoring.rule(), threads=threads
        )
        if all(segment.alive is None for segment in parts):
            return found
        living = [np.ones(len(s), bool) if s.alive is None else s.alive != 0 for s in parts]
        return found[:, np.concatenate(living)]

    def _best(
        self,
        ready: _Ready,
        asked: list[tuple[Any, ...]],
        ids: list[Ids],
        admitted: list[Marks | None],
        k: int,
        threads: int,
    ) -> Neighbours:
        best = _core.words.best_scores(
            self._parts(ready, ids, admitted), asked, *self._scoring.rule(), k=k, threads=threads
        )
        return Neighbours(*best)

    def _stored(self, ready: _Ready) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
        for segment in ready.held.parts:
            bags = self._bags(segment, segment.living_rows())
            while asked := [self._scoring.query(bag, ready.idf) for bag in islice(bags, _QUERIES)]:
                yield len(asked), asked

    def _stored_at(self, ready: _Ready, places: Ids) -> list[tuple[Any, ...]]:
        asked: list[Any] = [None] * len(places)
        first = 0
        for segment in ready.held.parts:
            mine = np.flatnonzero((places >= first) & (places < first + segment.living))
            if len(mine):
                rows = segment.living_rows()[places[mine] - first]
                for at, bag in zip(mine.tolist(), self._bags(segment, rows)):
                    asked[at] = self._scoring.query(bag, ready.idf)
            first += segment.living
        return asked

    @staticmethod
    def _bags(segment: PostingSegment, rows: Ids) -> Iterator[Bag]:
        """What some rows of a segment hold."""
        words, photos, counts, signatures = segment.engine.unpack()
        order = np.argsort(photos, kind="stable")
        bounds = np.searchsorted(photos[order], np.arange(len(segment) + 1))
        for row in rows:
            own = order[bounds[row] : bounds[row + 1]]
            held, first = np.unique(words[own], return_index=True)
            signed = None if signatures is None else signatures[own]
            yield Bag(held, counts[own][first].astype(np.float64), signed)

    def _made_of(self, held: Weighted) -> list[PostingSegment]:
        # Their ids are to be places among all.
        made, first = [], 0
        for segment in compacted(held.parts, Lists()):
            made.append(replace(segment, ids=first + np.arange(len(segment))))
            first += len(segment)
        return made

    def stats(self) -> dict[str, JSON]:
        """Photos, postings and their bytes, segments, and how often the weights were pinned."""
        held = self._require_fitted()
        segments, photos = held.parts, len(held)
        size, postings = sum(s.nbytes for s in segments), sum(s.postings for s in segments)
        return {
            "photos": photos, "postings": postings, "segments": len(segments),
            "bytes_per_posting": size / max(1, postings), "bytes_per_photo": size / max(1, photos),
            "idf_version": held.version,
        }  # fmt: skip

    # --- state -----------------------------------------------------------------------------------------

    def _undeclared(self) -> Arrays:
        """The segments without what was removed, and the weights that were pinned."""
        held = self._require_fitted()
        numbers = {"next_id": held.next_id, "version": held.version}
        arrays: Arrays = {name: np.array([n], np.uint64) for name, n in numbers.items()}
        if held.frozen is not None:
            arrays["idf"] = held.frozen
        for i, segment in enumerate(compacted(held.parts, Lists())):
            arrays |= add_prefix(f"segments.{i}", to_arrays(segment))
        return arrays

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        rest = {name: 0 for name in arrays if not name.startswith("segments.")}
        check_only(rest, {"next_id", "version", "idf"}, "arrays")
        embedding, (k, d) = self.embedding, self.words.centroids.shape
        if embedding is not None and (embedding.words, embedding.dim) != (k, d):
            raise FileFormatError(f"embedding: expected one of {k} words of dimension {d}")
        next_id = next_id_from(arrays)
        version = int(take(arrays, "version", np.uint64, (1,))[0])
        if version > 1 << 63:
            raise FileFormatError(f"array 'version': got {version}")
        frozen = None
        if "idf" in arrays:
            frozen = np.ascontiguousarray(take(arrays, "idf", np.float32, (k,)))
            if not (np.isfinite(frozen).all() and (frozen >= 0).all()):
                raise FileFormatError("array 'idf': expected finite weights from 0 on")
        held = strip_prefix("segments", arrays)
        count = len({name.split(".", 1)[0] for name in held})
        segments = tuple(
            from_arrays(strip_prefix(str(i), held), k, embedding is not None) for i in range(count)
        )
        self._held = Weighted(segments, next_id, frozen, version)
        check_ids(self.ids, next_id)


def _runs(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of photos that are assigned at once."""
    begin, held = 0, 0
    for at, size in enumerate(sizes):
        if at > begin and (held + size > _TOGETHER or at - begin == MOST_PHOTOS):
            yield begin, at
            begin, held = at, 0
        held += size
    yield begin, len(sizes)
