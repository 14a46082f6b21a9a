"""Posting lists of visual words in sealed, compressed segments: additions make new ones, and small ones are merged.

A segment never changes; what changes is which segments there are. It has few enough photos that their sums stay in a
core's cache, and a photo is in one segment alone, so its sum is added up in the order of the query's words however
the photos came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError
from kinfold.base.lazy import lazy
from kinfold.base.state import Arrays, check_only, check_starts, take
from kinfold.store.keyed import Keyed

# Photos of a segment at most, and postings: bytes are addressed by 32 bits.
MOST_PHOTOS: int = _core.words.posting_rows
MOST_POSTINGS = 1 << 28
_DROPPED = np.uint32(0xFFFFFFFF)
_PARTS = ("words", "starts", "offsets", "bytes")


@dataclass(frozen=True)
class PostingSegment(Keyed):
    """Photos and the lists of their words.

    words : uint32, the words that have a list, ascending
    starts, offsets : uint32, where lists start among the postings, and among the bytes
    bytes : uint8, packed lists; see cpp/words/postings.h
    signatures : uint64, one a posting, or None
    """

    words: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    offsets: NDArray[np.uint32]
    bytes: NDArray[np.uint8]
    signatures: NDArray[np.uint64] | None = None

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


def sealed(
    ids: Ids,
    words: NDArray[Any],
    photos: NDArray[Any],
    counts: NDArray[Any],
    signatures: NDArray[np.uint64] | None,
) -> PostingSegment:
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
    return PostingSegment(ids, *packed)


def merged(segments: Sequence[PostingSegment], order: NDArray[Any] | None = None) -> PostingSegment:
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
    return PostingSegment(ids, *_core.words.merge_postings(parts))


class Lists:
    """Segments are brought together list by list, where bytes and photos fit in one."""

    def merged(self, parts: Sequence[PostingSegment]) -> PostingSegment:
        """One segment of the living photos of several."""
        return merged(parts)

    def fits(self, parts: Sequence[PostingSegment]) -> bool:
        """Whether there are few enough photos, and postings."""
        photos, postings = sum(p.living for p in parts), sum(p.postings for p in parts)
        return photos <= MOST_PHOTOS and postings <= MOST_POSTINGS


def reordered(segments: Sequence[PostingSegment], place: Ids) -> tuple[PostingSegment, ...]:
    """The living photos of segments in another order: first that at place[0]."""
    sizes = np.cumsum([0] + [segment.living for segment in segments])
    remade = []
    for begin in range(0, len(place), MOST_PHOTOS):
        part = place[begin : begin + MOST_PHOTOS]
        pieces, order, at = [], np.empty(len(part), np.intp), 0
        for segment, first in zip(segments, sizes):
            mine = np.flatnonzero((part >= first) & (part < first + segment.living))
            rows = segment.living_rows()
            kept = np.sort(part[mine] - first)
            pieces.append(segment.without(np.setdiff1d(rows, rows[kept])))
            order[mine] = at + np.searchsorted(kept, part[mine] - first)
            at += len(kept)
        remade.append(merged(pieces, order))
    return tuple(remade)


def to_arrays(segment: PostingSegment) -> Arrays:
    """A segment without removed photos, as arrays to save."""
    arrays: Arrays = {"ids": segment.ids, **{name: getattr(segment, name) for name in _PARTS}}
    return arrays if segment.signatures is None else {**arrays, "signatures": segment.signatures}


def from_arrays(arrays: Mapping[str, NDArray[Any]], k: int, signatures: bool) -> PostingSegment:
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
    segment = PostingSegment(ids, words, starts, offsets, packed, signed)
    segment.engine.check()
    return segment
