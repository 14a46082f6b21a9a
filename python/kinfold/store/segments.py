"""Sealed segments of falling size: additions make new ones, small ones are merged, removed rows are packed away.

A segment never changes; what changes is which segments there are, and that is swapped as a whole. So a search sees
the state before or after, and n additions move each row about log n times (the logarithmic method: Bentley and Saxe,
J. Algorithms 1980; as in log-structured merge trees, O'Neil et al., Acta Informatica 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kinfold.store.keyed import Keyed
from kinfold.store.packing import Packing

P = TypeVar("P", bound=Keyed)


def settled(segments: Sequence[P], packing: Packing[P]) -> tuple[P, ...]:
    """Segments each more than twice the next if both fit in one, none with more than a quarter removed."""
    kept: list[P] = []
    for segment in segments:
        if segment.living == 0:
            continue
        kept.append(packing.merged([segment]) if segment.sparse else segment)
        while len(kept) > 1 and kept[-2].living < 2 * kept[-1].living and packing.fits(kept[-2:]):
            kept[-2:] = [packing.merged(kept[-2:])]
    return tuple(kept)


def compacted(segments: Sequence[P], packing: Packing[P]) -> tuple[P, ...]:
    """Neighbours brought together where they fit in one, without what was removed."""
    groups: list[list[P]] = []
    for segment in segments:
        if segment.living == 0:
            continue
        if groups and packing.fits([*groups[-1], segment]):
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return tuple(g[0] if len(g) == 1 and g[0].alive is None else packing.merged(g) for g in groups)
