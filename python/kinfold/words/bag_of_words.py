"""Bags of visual words, searched through an inverted file: tf-idf, and signatures that look closer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
    steady,
    strip_prefix,
    take,
    take_param,
)
from kinfold.index.base import filter_rows
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.postings import (
    MOST_PHOTOS,
    Segment,
    compacted,
    from_arrays,
    merged,
    sealed,
    settled,
    to_arrays,
)
from kinfold.words.words import VisualWords, as_sigma

SCORINGS = ("cosine", "l1", "intersection")
TERMS = ("count", "root", "one")
_MATCHES = {"cosine": "product", "l1": "least_normed", "intersection": "least"}
# Descriptors that are assigned at once, and queries that are compared at once.
_TOGETHER = 1 << 20
_QUERIES = 64
# Descriptors that tell whether the words suit a collection.
_SAMPLE = 1 << 16


class Bag(NamedTuple):
    """A photo's words.

    words : uint32, ascending, each once
    counts : float64, how often; with soft assignment the sum of the weights
    signatures : uint64 of each descriptor, word by word, or None
    """

    words: NDArray[np.uint32]
    counts: NDArray[np.float64]
    signatures: NDArray[np.uint64] | None


class _State(NamedTuple):
    """One consistent state, replaced as a whole."""

    segments: tuple[Segment, ...]
    next_id: int
    frozen: Vectors | None = None  # weights that were pinned
    version: int = 0  # how often they were


class _Weighed(NamedTuple):
    """What the words weigh, and the inverse norms of the photos of each segment."""

    state: _State
    idf: Vectors
    inverse: tuple[Vectors, ...]


class BagOfWords(Restorable):
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
    """

    kind: ClassVar[str] = "local.BoW"

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
        self.words = VisualWords(words) if isinstance(words, int) else words
        self.scoring = as_choice(scoring, "scoring", SCORINGS)
        self.term = as_choice(term, "term", TERMS)
        self.idf = bool(idf)
        self.stop = as_number(stop, "stop", least=0.0, most=1.0)
        self.multiple = as_count(multiple, "multiple", most=1024)
        self.sigma = None if sigma is None else as_sigma(sigma)
        self.embedding = embedding
        if embedding is not None and (scoring != "cosine" or sigma is not None):
            raise ValueError("embedding: expected scoring 'cosine' and no sigma with it")
        self._lock = Lock()
        self._trained = False
        self._training: object = None  # another after each
        self._state = _State((), 0)
        self._weighed: _Weighed | None = None

    def __repr__(self) -> str:
        return f"BagOfWords({self.words!r}, scoring={self.scoring!r}, photos={len(self)})"

    def __len__(self) -> int:
        return sum(segment.living for segment in self._state.segments)

    @property
    def ids(self) -> Ids:
        """The ids of the stored photos; read-only."""
        return read_only(_ids(self._state))

    @property
    def dim(self) -> int:
        """Dimension of the descriptors."""
        if not self._trained:
            raise NotTrainedError("BagOfWords: call fit first")
        return int(self.words.centroids.shape[1])

    # --- descriptors to words --------------------------------------------------------------------------

    def fit(self, descriptors: Any) -> BagOfWords:
        """Learn words and medians from local descriptors (n, d); what is learnt already stays.

        Warns where the descriptors fall on few words only: they may be of another extractor.
        """
        x = as_vectors(descriptors, "descriptors")
        try:
            self.words.centroids  # noqa: B018
        except NotTrainedError:
            self.words.fit(x)
        learning = self.embedding is not None and not self.embedding.is_trained
        sample = x if learning else x[:: -(-len(x) // _SAMPLE)]
        assigned, _ = self.words.assign(sample)
        self.words.check_spread(assigned)
        if self.embedding is not None and learning:
            self.embedding.fit(sample, assigned[:, 0], self.words)
        self._trained, self._training = True, object()
        self._state = _State((), 0)
        return self

    def bag(self, descriptors: Any, multiple: int = 1) -> Bag:
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

    # --- growth ----------------------------------------------------------------------------------------

    def add(self, photos: Sequence[Any], ids: Any = None) -> Ids:
        """Add photos, each its local descriptors (n_i, d); returns their ids, which number on where none are given.

        Raises ValueError for ids that are there already or occur twice.
        """
        training, dim = self._training, self.dim
        arrays = [as_vectors(p, "photos", dim=dim, empty=True) for p in photos]
        given = None if ids is None else as_ids(ids, "ids", n=len(arrays))
        if given is not None and len(np.unique(given)) != len(given):
            raise ValueError("ids: expected each id once, got one twice")
        if not arrays:
            return np.empty(0, np.int64)
        pieces = list(_pieces([len(a) for a in arrays]))
        made = [self._sealed(arrays[begin:end]) for begin, end in pieces]
        with self._lock:
            if self._training is not training:
                raise ValueError("photos: others were learnt from meanwhile; add these again")
            state = self._state
            if given is None:
                new = state.next_id + np.arange(len(arrays), dtype=np.int64)
            else:
                new = given
                present = new[np.isin(new, _ids(state))]
                if len(present):
                    raise ValueError(f"ids: {present[0]} is there already")
            segments = state.segments
            for segment, (begin, end) in zip(made, pieces):
                numbered = replace(segment, ids=new[begin:end].copy())
                segments = settled([*segments, numbered])
            next_id = max(state.next_id, int(new.max()) + 1)
            self._state = state._replace(segments=segments, next_id=next_id)
            return new

    def _sealed(self, photos: Sequence[Vectors]) -> Segment:
        """A segment of photos that are numbered from 0."""
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
        return sealed(np.arange(len(photos)), words, rows, counts, signatures)

    def remove(self, ids: Any) -> int:
        """Remove photos by id and return how many were there; unknown ids are ignored."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            state = self._state
            segments, removed = [], 0
            for segment in state.segments:
                rows = segment.living_rows()
                rows = rows[np.isin(segment.ids[rows], wanted)]
                removed += len(rows)
                segments.append(segment.without(rows) if len(rows) else segment)
            if removed:
                self._state = state._replace(segments=settled(segments))
            return removed

    def compact(self) -> BagOfWords:
        """Bring segments together and drop what was removed; additions do so by and by."""
        with self._lock:
            self._state = self._state._replace(segments=compacted(self._state.segments))
        return self

    def ordered(self, ids: Any) -> BagOfWords:
        """The same photos in the order of ``ids``, which holds each once."""
        wanted = as_ids(ids, "ids")
        with self._lock:
            state = self._state
            segments, known = state.segments, _ids(state)
            by_id = np.argsort(known, kind="stable")
            if not np.array_equal(np.sort(wanted), known[by_id]):
                raise ValueError("ids: expected the ids of all photos, each once")
            place = by_id[np.searchsorted(known, wanted, sorter=by_id)]
            if np.array_equal(known, wanted):
                return self
            sizes = np.cumsum([0] + [segment.living for segment in segments])
            remade = []
            for begin in range(0, len(wanted), MOST_PHOTOS):
                part = place[begin : begin + MOST_PHOTOS]
                pieces, order, at = [], np.empty(len(part), np.intp), 0
                for segment, first in zip(segments, sizes):
                    mine = np.flatnonzero((part >= first) & (part < first + segment.living))
                    rows = segment.living_rows()
                    kept = np.sort(part[mine] - first)
                    barred = np.setdiff1d(rows, rows[kept])
                    pieces.append(segment.without(barred))
                    order[mine] = at + np.searchsorted(kept, part[mine] - first)
                    at += len(kept)
                remade.append(merged(pieces, order))
            self._state = state._replace(segments=tuple(remade))
        return self

    def freeze(self) -> BagOfWords:
        """Pin the words' weights to those of the photos that are stored now; again, to those of then."""
        with self._lock:
            state = self._state
            self._state = state._replace(frozen=self._idf(state), version=state.version + 1)
        return self

    # --- what words weigh ------------------------------------------------------------------------------

    def _ready(self) -> _Weighed:
        """The present state with its weights, made by the first search after photos came or went."""
        state, before = self._state, self._weighed
        if before is not None and before.state is state:
            return before
        idf = state.frozen if state.frozen is not None else self._idf(state)
        known: dict[int, Vectors] = {}
        if before is not None and before.idf is idf:
            known = {id(s): v for s, v in zip(before.state.segments, before.inverse)}
        inverse = tuple(
            known[id(s)] if id(s) in known else self._inverse(s, idf) for s in state.segments
        )
        self._weighed = ready = _Weighed(state, idf, inverse)
        return ready

    def _idf(self, state: _State) -> Vectors:
        photos = sum(segment.living for segment in state.segments)
        held = np.zeros(self.words.k, np.int64)
        for segment in state.segments:
            held += segment.engine.holders(segment.alive, self.words.k)
        weights = np.ones(self.words.k)
        if self.idf:
            weights = np.log(max(photos, 1) / np.maximum(held, 1))
        weights[held > self.stop * photos] = 0
        return weights.astype(np.float32)

    def _inverse(self, segment: Segment, idf: Vectors) -> Vectors:
        if self.scoring == "intersection":
            return np.ones(len(segment), np.float32)
        sums = segment.engine.own_sums(
            idf, self.term, _MATCHES[self.scoring], *self._likeness()
        )  # fmt: skip
        norms = np.sqrt(sums) if self.scoring == "cosine" else sums
        inverse: Vectors = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
        return inverse.astype(np.float32)

    def _likeness(self) -> tuple[Vectors | None, int]:
        if self.embedding is None:
            return None, 64
        return self.embedding.likeness(), self.embedding.threshold

    # --- search ----------------------------------------------------------------------------------------

    def _terms(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.term == "one":
            return np.ones_like(counts)
        return np.sqrt(counts) if self.term == "root" else counts

    def _query(self, bag: Bag, idf: Vectors) -> tuple[Any, ...]:
        """A bag as the engine asks: words, weights, weights of the photos' terms, starts and signatures of entries."""
        own = idf[bag.words].astype(np.float64)
        terms = self._terms(bag.counts)
        if bag.signatures is not None:
            counts = bag.counts.astype(np.int64)
            starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            norm = self._norm(bag, counts, idf)
            weights = np.repeat(own**2 * terms / np.maximum(counts, 1) * norm, counts)
            return bag.words, weights.astype(np.float32), None, starts, bag.signatures
        used = own != 0
        words, own, vector = bag.words[used], own[used], own[used] * terms[used]
        if self.scoring == "cosine":
            total = float(np.sqrt(vector @ vector))
            weights = own * vector / (total if total > 0 else 1.0)
            return words, weights.astype(np.float32), None, None, None
        total = float(vector.sum())
        total = total if total > 0 else 1.0
        photo = own / total if self.scoring == "intersection" else own
        weights = vector / total
        return words, weights.astype(np.float32), photo.astype(np.float32), None, None

    def _norm(self, bag: Bag, counts: NDArray[np.int64], idf: Vectors) -> float:
        """One over the square root of a query's likeness to itself, which a segment of it alone knows."""
        repeated = np.repeat(counts, counts)
        words = np.repeat(bag.words, counts)
        alone = sealed(np.zeros(1, np.int64), words, np.zeros_like(words), repeated, bag.signatures)
        return float(self._inverse(alone, idf)[0])

    def _parts(self, weighed: _Weighed, filter: Any = None) -> list[tuple[Any, ...]]:
        masks: list[NDArray[np.uint8] | None] = [s.alive for s in weighed.state.segments]
        if filter is not None:
            admitted = filter_rows(filter, _ids(weighed.state))
            at = 0
            for i, segment in enumerate(weighed.state.segments):
                rows = segment.living_rows()
                mask = np.zeros(len(segment), np.uint8)
                mask[rows] = admitted[at : at + len(rows)]
                masks[i] = mask
                at += len(rows)
        return [
            (segment.engine, segment.ids, inverse, mask)
            for segment, inverse, mask in zip(weighed.state.segments, weighed.inverse, masks)
        ]

    @steady
    def scores(self, queries: Sequence[Any], *, threads: int = 0) -> Vectors:
        """Similarities of queries, each its local descriptors (n_i, d), to all photos: float32 (queries, photos)."""
        weighed = self._ready()
        asked = [self._query(self.bag(q, self.multiple), weighed.idf) for q in queries]
        found: Vectors = _core.words.all_scores(
            self._parts(weighed), asked, self.term, _MATCHES[self.scoring], *self._likeness(),
            threads=as_count(threads, "threads", least=0, most=1024),
        )  # fmt: skip
        living = [np.ones(len(s), bool) if s.alive is None else s.alive != 0
                  for s in weighed.state.segments]  # fmt: skip
        return found if all(m.all() for m in living) else found[:, np.concatenate(living)]

    @steady
    def search(
        self, queries: Any, k: int = 10, *, filter: Any = None, threads: int = 0
    ) -> Neighbours:
        """The k most similar photos of each query, ties by ascending id.

        queries : local descriptors (n, d) of one photo, which is answered by (k,); or a list of such arrays
        filter : ids that may answer, or a boolean mask over ``ids``
        Returns similarities float32 (n, k) and ids int64 (n, k); where there are fewer than k: -inf and -1.
        """
        one = isinstance(queries, np.ndarray) and queries.ndim == 2
        weighed = self._ready()
        bags = [self.bag(q, self.multiple) for q in ([queries] if one else queries)]
        asked = [self._query(bag, weighed.idf) for bag in bags]
        found = self._best(self._parts(weighed, filter), asked, k, threads)
        return Neighbours(found.distances[0], found.ids[0]) if one else found

    def _best(
        self, parts: list[tuple[Any, ...]], asked: list[tuple[Any, ...]], k: int, threads: int
    ) -> Neighbours:
        distances, ids = _core.words.best_scores(
            parts, asked, self.term, _MATCHES[self.scoring], *self._likeness(),
            k=as_count(k, "k", most=1 << 24),
            threads=as_count(threads, "threads", least=0, most=1024),
        )  # fmt: skip
        return Neighbours(np.negative(distances), ids)

    @steady
    def neighbours(self, k: int = 10, *, threads: int = 0) -> Neighbours:
        """The k most similar other photos of each stored one, by what is stored of both.

        Returns similarities float32 (photos, k) and positions in ``ids`` int64 (photos, k); where there are fewer: -inf
        and -1.
        """
        k = as_count(k, "k", most=1 << 24)
        weighed = self._ready()
        parts, at = [], 0
        for part, segment in zip(self._parts(weighed), weighed.state.segments):
            place = np.zeros(len(segment), np.int64)
            place[segment.living_rows()] = at + np.arange(segment.living)
            at += segment.living
            parts.append((part[0], place, *part[2:]))
        similarities = np.full((at, k), -np.inf, np.float32)
        found = np.full((at, k), -1, np.int64)
        row = 0
        for asked in self._stored(weighed):
            near = self._best(parts, asked, min(k + 1, at), threads)
            # A photo that is itself not among the first has others as alike before it.
            others = near.ids != np.arange(row, row + len(asked))[:, None]
            others[others.all(axis=1), -1] = False
            have = near.ids.shape[1] - 1
            own = slice(row, row + len(asked))
            found[own, :have] = near.ids[others].reshape(len(asked), have)
            similarities[own, :have] = near.distances[others].reshape(len(asked), have)
            row += len(asked)
        return Neighbours(similarities, found)

    def _stored(self, weighed: _Weighed) -> Iterator[list[tuple[Any, ...]]]:
        """The stored photos as queries, some at a time."""
        for segment in weighed.state.segments:
            words, photos, counts, signatures = segment.engine.unpack()
            order = np.argsort(photos, kind="stable")
            bounds = np.searchsorted(photos[order], np.arange(len(segment) + 1))
            rows = segment.living_rows()
            for at in range(0, len(rows), _QUERIES):
                asked = []
                for row in rows[at : at + _QUERIES]:
                    own = order[bounds[row] : bounds[row + 1]]
                    held, first = np.unique(words[own], return_index=True)
                    signed = None if signatures is None else signatures[own]
                    bag = Bag(held, counts[own][first].astype(np.float64), signed)
                    asked.append(self._query(bag, weighed.idf))
                yield asked

    def stats(self) -> dict[str, JSON]:
        """Photos, postings and their bytes, segments, and how often the weights were pinned."""
        state = self._state
        segments, photos = state.segments, sum(s.living for s in state.segments)
        size, postings = sum(s.nbytes for s in segments), sum(s.postings for s in segments)
        return {
            "photos": photos, "postings": postings, "segments": len(segments),
            "bytes_per_posting": size / max(1, postings), "bytes_per_photo": size / max(1, photos),
            "idf_version": state.version,
        }  # fmt: skip

    # --- state -----------------------------------------------------------------------------------------

    def params(self) -> dict[str, JSON]:
        """What was chosen."""
        return {
            "words": self.words.params(), "scoring": self.scoring, "term": self.term, "idf": self.idf,
            "stop": self.stop, "multiple": self.multiple, "sigma": self.sigma,
            "embedding": None if self.embedding is None else self.embedding.params(),
        }  # fmt: skip

    @steady
    def arrays(self) -> Arrays:
        """What was learnt, and the segments without what was removed."""
        self.dim  # noqa: B018
        state = self._state
        segments = compacted(state.segments)
        arrays = add_prefix("words", self.words.arrays())
        arrays["next_id"] = np.array([state.next_id], np.uint64)
        arrays["version"] = np.array([state.version], np.uint64)
        if state.frozen is not None:
            arrays["idf"] = state.frozen
        if self.embedding is not None:
            arrays |= add_prefix("embedding", self.embedding.arrays())
        for i, segment in enumerate(segments):
            arrays |= add_prefix(f"segments.{i}", to_arrays(segment))
        return arrays

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> BagOfWords:
        """Words and photos from their parts."""
        names = {"words", "scoring", "term", "idf", "stop", "multiple", "sigma", "embedding"}
        check_only(params, names, "parameters")
        words = VisualWords.from_state(
            take_param(params, "words", dict), strip_prefix("words", arrays)
        )
        embedding = take_param(params, "embedding", (dict, type(None)))
        if embedding is not None:
            own = strip_prefix("embedding", arrays)
            embedding = HammingEmbedding.from_state(embedding, own, words)
        bags = cls(
            words,
            scoring=take_param(params, "scoring", str),
            term=take_param(params, "term", str),
            idf=take_param(params, "idf", bool),
            stop=take_param(params, "stop", (int, float)),
            multiple=take_param(params, "multiple", int),
            sigma=take_param(params, "sigma", (int, float, type(None))),
            embedding=embedding,
        )
        parts = ("words.", "segments.", *(["embedding."] if embedding is not None else []))
        rest = {name: 0 for name in arrays if not name.startswith(parts)}
        check_only(rest, {"next_id", "version", "idf"}, "arrays")
        next_id = int(take(arrays, "next_id", np.uint64, (1,))[0])
        version = int(take(arrays, "version", np.uint64, (1,))[0])
        frozen = None
        if "idf" in arrays:
            frozen = take(arrays, "idf", np.float32, (words.k,))
            if not (np.isfinite(frozen).all() and (frozen >= 0).all()):
                raise FileFormatError("array 'idf': expected finite weights from 0 on")
            frozen = np.ascontiguousarray(frozen)
        held = strip_prefix("segments", arrays)
        count = len({name.split(".", 1)[0] for name in held})
        segments = tuple(
            from_arrays(strip_prefix(str(i), held), words.k, embedding is not None)
            for i in range(count)
        )
        bags._trained = True
        bags._state = _State(segments, next_id, frozen, version)
        ids = bags.ids
        if len(ids) and (ids.min() < 0 or ids.max() >= next_id or len(np.unique(ids)) < len(ids)):
            raise FileFormatError("array 'ids': expected distinct ids from 0 below next_id")
        if max(next_id, version) > 1 << 63:
            raise FileFormatError(f"arrays 'next_id', 'version': got {next_id}, {version}")
        return bags


def _ids(state: _State) -> Ids:
    parts = [segment.living_ids() for segment in state.segments]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _pieces(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of photos that are assigned at once."""
    begin, held = 0, 0
    for at, size in enumerate(sizes):
        if at > begin and (held + size > _TOGETHER or at - begin == MOST_PHOTOS):
            yield begin, at
            begin, held = at, 0
        held += size
    yield begin, len(sizes)
