"""Keeps the neighbour lists of a gallery in line with its photos: those that came enter, and those that went leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.copies import first_copies
from kinfold.gallery.copies import Copies, copies_of
from kinfold.gallery.fused import Fused, best_of_rows, pair_values
from kinfold.gallery.near import Near
from kinfold.gallery.photo import Photo
from kinfold.gallery.segments import Segments

# Photos that are compared with all at once.
_TOGETHER = 64
# More of all that have to be searched for, and all are made anew: the same work then.
_MOST = 0.5
# Products of vectors in blocks differ from those one by one by less than this.
_ROUNDING = np.float32(1e-5)


class _Places(NamedTuple):
    """Lists of before, numbered as photos are now. lost : rows that have to be searched for anew."""

    copies: Copies
    near: NDArray[np.int32]
    similarities: Vectors
    floors: Vectors
    lost: NDArray[np.bool_]


def nearest(
    held: Near | None, fused: Fused, photos: Sequence[Photo], segments: Segments, k: int
) -> Near:
    """The lists of all photos in an index.

    held : those of before; new photos are searched for among all, and enter the lists of those that they are nearer to
        than the last. Where vectors alone are compared, that is what making them anew gives; an inverted file weighs
        words by how many photos hold them, and lists keep the weights of when they were made.
    photos : in the order of ``fused.ids``
    """
    ids = np.asarray(fused.ids)
    before = None if held is None or held.k != k else _kept(held, ids)
    copies = copies_of(photos, segments, None if before is None else before.copies)
    if not fused.lists and fused.index is not None:
        # Where vectors are all that is compared, equal ones are one item.
        first = copies.first[first_copies(fused.index.reconstruct(ids))]
        copies = Copies(first[first], copies.keys)
    own = copies.first == np.arange(len(ids))
    if before is None:
        return _made(fused, copies, own, k)
    searched = own.copy()
    searched[: len(before.near)] &= before.lost
    if searched.sum() > _MOST * own.sum() or before.floors.shape[1] != len(fused.indexes):
        return _made(fused, copies, own, k)
    return _inserted(before, fused, copies, own, np.flatnonzero(searched), k)


def _made(fused: Fused, copies: Copies, own: NDArray[np.bool_], k: int) -> Near:
    """All lists anew."""
    n, nodes = len(own), np.flatnonzero(own)
    found, floors = (fused if own.all() else fused.only(own)).near(k)
    near, similarities = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
    every = np.full((n, floors.shape[1]), -np.inf, np.float32)
    near[nodes] = np.where(found.ids >= 0, nodes[found.ids], -1)
    similarities[nodes] = _known(found.distances)
    every[nodes] = floors
    return Near(np.array(fused.ids), copies, near, similarities, every)


def _kept(held: Near, ids: Ids) -> _Places | None:
    """The lists without photos that went; None where the others are not in the same order."""
    old = len(held.ids)
    stays = np.isin(held.ids, ids)
    number = np.where(stays, np.cumsum(stays) - 1, -1)
    kept = np.flatnonzero(stays)
    if not np.array_equal(held.ids[kept], ids[: len(kept)]):
        return None
    # Where the first of copies went, the next one has its list.
    first = held.copies.first
    heir = np.full(old, -1)
    heir[first[kept[::-1]]] = number[kept[::-1]]
    source = np.flatnonzero(heir >= 0)
    n, k = len(kept), held.k
    near, similarities = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
    floors = np.full((n, held.floors.shape[1]), -np.inf, np.float32)
    lists = held.near[source]
    places = np.where(lists >= 0, heir[lists], -1)
    near[heir[source]] = places
    similarities[heir[source]] = np.where(places >= 0, held.similarities[source], 0)
    floors[heir[source]] = held.floors[source]
    lost = np.zeros(n, bool)
    lost[heir[source]] = ((lists >= 0) & (places < 0)).any(axis=1)
    copies = Copies(heir[first[kept]], held.copies.keys[kept])
    return _Places(copies, near, similarities, floors, lost)


def _inserted(
    before: _Places, fused: Fused, copies: Copies, own: NDArray[np.bool_], rows: Ids, k: int
) -> Near:
    """The lists with some rows searched for among all, and new photos in the lists of the others."""
    n, old = len(own), len(before.near)
    room = ((0, n - old), (0, 0))
    near = np.pad(before.near, room, constant_values=-1)
    similarities = np.pad(before.similarities, room)
    floors = np.pad(before.floors, room, constant_values=-np.inf)
    listed = own.copy()
    listed[rows] = False
    last = np.where(near[:, -1] >= 0, similarities[:, -1], -np.inf)
    entering: list[tuple[Ids, Ids, Vectors]] = []
    # A list that had a hole is searched for; a copy that is one no more has none to enter.
    vectors = None if fused.index is None else fused.index.reconstruct(fused.ids)
    for part in (rows[at : at + _TOGETHER] for at in range(0, len(rows), _TOGETHER)):
        proposals = list(_proposals(fused, vectors, part))
        found, theirs = _searched(proposals, vectors, part, own, fused.width(k), k)
        near[part], similarities[part] = found.ids, _known(found.distances)
        floors[part] = theirs
        new = part >= old
        if new.any():
            entering.append(
                _entering(proposals, vectors, part, new, np.flatnonzero(listed), floors, last)
            )
    if entering:
        row, column, value = (np.concatenate(parts) for parts in zip(*entering))
        changed = np.unique(row)
        there = near[changed] >= 0
        at = np.nonzero(there)[0]
        found = best_of_rows(
            np.concatenate([at, np.searchsorted(changed, row)]),
            np.concatenate([near[changed][there].astype(np.int64), column]),
            np.concatenate([similarities[changed][there], value]),
            len(changed),
            k,
        )
        near[changed], similarities[changed] = found.ids, _known(found.distances)
    return Near(np.array(fused.ids), copies, near, similarities, floors)


class _Proposal(NamedTuple):
    """What one engine says of some photos and all: float32 (some, n), both ways; weigh : what it adds to the sum."""

    of: Vectors
    to: Vectors
    weigh: Any


def _proposals(fused: Fused, vectors: Vectors | None, part: Ids) -> Iterator[_Proposal]:
    """Engine by engine, in the order of ``fused.indexes``."""
    if vectors is not None:
        products = vectors[part] @ vectors.T
        yield _Proposal(products, products, None)
    ids = np.asarray(fused.ids)[part]
    for name, lists in fused.lists.items():
        both = fused.model.lists[name].alike_both(lists, ids)
        yield _Proposal(*both, lambda found, name=name: fused.weighed(name, found))


def _searched(
    proposals: Sequence[_Proposal],
    vectors: Vectors | None,
    part: Ids,
    own: NDArray[np.bool_],
    width: int,
    k: int,
) -> tuple[Any, Vectors]:
    """The lists of some photos, and their floors."""
    m, n = len(part), len(own)
    others = np.broadcast_to(own, (m, n)).copy()
    others[np.arange(m), part] = False
    wide = min(width, int(own.sum()) - 1)
    floors = np.full((m, len(proposals)), -np.inf, np.float32)
    proposed, total = np.zeros((m, n), bool), np.zeros((m, n), np.float32)
    for at, proposal in enumerate(proposals):
        if wide < 1:
            break
        scores = np.where(others, proposal.of, -np.inf)
        least = np.partition(scores, n - wide, axis=1)[:, n - wide]
        among = others & (scores >= least[:, None])
        if wide == width:
            floors[:, at] = least
        proposed |= among
        if proposal.weigh is not None:
            total += np.where(among, proposal.weigh(scores), 0)
    row, column = np.nonzero(proposed)
    value = total[row, column]
    if vectors is not None:
        value = value + pair_values(vectors, part[row], column)
    return best_of_rows(row, column, value, m, k), floors


def _entering(
    proposals: Sequence[_Proposal],
    vectors: Vectors | None,
    part: Ids,
    new: NDArray[np.bool_],
    listed: Ids,
    floors: Vectors,
    last: Vectors,
) -> tuple[Ids, Ids, Vectors]:
    """The pairs of a listed photo and a new one that its list takes in, with their similarity."""
    proposed = np.zeros((int(new.sum()), len(listed)), bool)
    total = np.zeros(proposed.shape, np.float32)
    for at, proposal in enumerate(proposals):
        scores, least = proposal.to[np.ix_(new, listed)], floors[listed, at]
        among = scores > (least - _ROUNDING if proposal.weigh is None else least)
        proposed |= among
        if proposal.weigh is not None:
            total += np.where(among, proposal.weigh(scores), 0)
    which, place = np.nonzero(proposed)
    row, column, value = listed[place], part[new][which], total[which, place]
    if vectors is not None:
        value = value + pair_values(vectors, row, column)
    better = value > last[row]
    return row[better], column[better], value[better]


def _known(similarities: Vectors) -> Vectors:
    """At least 0; 0 past the end."""
    return np.maximum(similarities, 0)
