"""Posting lists of visual words in sealed, compressed segments: additions make new ones, and small ones are merged.

A segment never changes; what changes is which segments there are. It has few enough photos that their sums stay in a
core's cache, and a photo is in one segment alone, so its sum is added up in the order of the query's words however
the photos came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError
from kinfold.base.lazy import lazy
from kinfold.base.state import Arrays, check_only, check_starts, take

# Photos of a segment at most, and postings: bytes are addressed by 32 bits.
MOST_PHOTOS: int = _core.words.posting_rows
MOST_POSTINGS = 1 << 28
_DROPPED = np.uint32(0xFFFFFFFF)
_PARTS = ("words", "starts", "offsets", "bytes")


@dataclass(frozen=True)
class Segment:
    """Photos and the lists of their words.

    words : uint32, the words that have a list, ascending
    starts, offsets : uint32, where lists start among the postings, and among the bytes
    bytes : uint8, packed lists; see cpp/words/postings.h
    signatures : uint64, one a posting, or None
    alive : uint8 (photos,), 0 where a photo was removed, or None
    """

    ids: Ids
    words: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    offsets: NDArray[np.uint32]
    bytes: NDArray[np.uint8]
    signatures: NDArray[np.uint64] | None = None
    alive: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def living(self) -> int:
        """How many photos have not been removed."""
        return len(self) if self.alive is None else int(self.alive.sum())

    @property
    def postings(self) -> int:
        """How many postings there are, those of removed photos too."""
        return int(self.starts[-1])

    @property
    def nbytes(self) -> int:
        """Bytes of everything."""
        return sum(array.nbytes for array in to_arrays(self).values())

    @lazy
    def engine(self) -> Any:
        """The compiled lists over these arrays."""
        return _core.words.Postings(
            len(self), self.words, self.starts, self.offsets, self.bytes, self.signatures
        )

    def living_rows(self) -> NDArray[np.intp]:
        """The photos that have not been removed."""
        return np.arange(len(self)) if self.alive is None else np.flatnonzero(self.alive)

    def living_ids(self) -> Ids:
        """Their ids."""
        return self.ids if self.alive is None else self.ids[self.living_rows()]

    def without(self, rows: NDArray[Any]) -> Segment:
        """The same with some photos removed."""
        alive = np.ones(len(self), np.uint8) if self.alive is None else self.alive.copy()
        alive[rows] = 0
        return replace(self, alive=alive)


def sealed(
    ids: Ids,
    words: NDArray[Any],
    photos: NDArray[Any],
    counts: NDArray[Any],
    signatures: NDArray[np.uint64] | None,
) -> Segment:
    """A segment of postings in any order; photos are positions in ``ids``.

    With signatures there is a posting for each descriptor, with how many its photo has of the word.
    """
    keys = words.astype(np.uint64) * np.uint64(MOST_PHOTOS) + photos.astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    packed = _core.words.pack_postings(
        words[order].astype(np.uint32),
        photos[order].astype(np.uint32),
        counts[order].astype(np.uint32),
        None if signatures is None else signatures[order],
    )
    return Segment(ids, *packed)


def merged(segments: Sequence[Segment], order: NDArray[Any] | None = None) -> Segment:
    """The living photos of several segments as one.

    order : of the living photos, as positions among them; as they are where None
    """
    ids = np.concatenate([s.living_ids() for s in segments])
    place = np.arange(len(ids), dtype=np.uint32)
    if order is not None:
        place[order] = np.arange(len(ids), dtype=np.uint32)
        ids = ids[order]
    parts, at = [], 0
    for segment in segments:
        living = segment.living_rows()
        rows = np.full(len(segment), _DROPPED)
        rows[living] = place[at : at + len(living)]
        at += len(living)
        parts.append((segment.engine, rows))
    return Segment(ids, *_core.words.merge_postings(parts))


def _fit(a: Segment, b: Segment) -> bool:
    return a.living + b.living <= MOST_PHOTOS and a.postings + b.postings <= MOST_POSTINGS


def settled(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments of falling size, each more than twice the next if both fit in one, none with over a quarter removed."""
    kept: list[Segment] = []
    for segment in segments:
        living = segment.living
        if living == 0:
            continue
        kept.append(merged([segment]) if 4 * living < 3 * len(segment) else segment)
        while len(kept) > 1 and kept[-2].living < 2 * kept[-1].living and _fit(*kept[-2:]):
            kept[-2:] = [merged(kept[-2:])]
    return tuple(kept)


def compacted(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Neighbours brought together where they fit, without what was removed."""
    groups: list[list[Segment]] = []
    for segment in segments:
        if segment.living == 0:
            continue
        photos = sum(s.living for s in groups[-1]) if groups else MOST_PHOTOS
        postings = sum(s.postings for s in groups[-1]) if groups else MOST_POSTINGS
        fits = photos + segment.living <= MOST_PHOTOS
        if fits and postings + segment.postings <= MOST_POSTINGS:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return tuple(g[0] if len(g) == 1 and g[0].alive is None else merged(g) for g in groups)


def to_arrays(segment: Segment) -> Arrays:
    """A segment without removed photos, as arrays to save."""
    arrays: Arrays = {"ids": segment.ids, **{name: getattr(segment, name) for name in _PARTS}}
    return arrays if segment.signatures is None else {**arrays, "signatures": segment.signatures}


def from_arrays(arrays: Mapping[str, NDArray[Any]], k: int, signatures: bool) -> Segment:
    """A segment from saved arrays, all of whose lists are sound."""
    check_only(arrays, {"ids", *_PARTS, *(["signatures"] if signatures else [])}, "arrays")
    ids = take(arrays, "ids", np.int64, (None,))
    if not 0 < len(ids) <= MOST_PHOTOS:
        raise FileFormatError(f"array 'ids': expected from 1 to {MOST_PHOTOS}, got {len(ids)}")
    words = take(arrays, "words", np.uint32, (None,))
    if len(words) and (words[-1] >= k or (words[1:] <= words[:-1]).any()):
        raise FileFormatError(f"array 'words': expected ascending words below {k}")
    starts = take(arrays, "starts", np.uint32, (len(words) + 1,))
    offsets = take(arrays, "offsets", np.uint32, (len(words) + 1,))
    check_starts(starts, int(starts[-1]), "starts")
    check_starts(offsets, int(offsets[-1]), "offsets")
    packed = take(arrays, "bytes", np.uint8, (int(offsets[-1]) + 64,))
    signed = None
    if signatures:
        signed = take(arrays, "signatures", np.uint64, (int(starts[-1]) + 8,))
    segment = Segment(ids, words, starts, offsets, packed, signed)
    segment.engine.check()
    return segment
