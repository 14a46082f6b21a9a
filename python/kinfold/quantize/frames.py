"""Which axes and codebooks suit each group of vectors: chosen by vectors that were held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.quantize.product import ProductQuantizer

# Each eighth vector of a group is held out; several sets of codebooks must lose so much less than one for all.
_HELD = 8
_PAYS = 0.01
# Groups that tell whether own codebooks are worth the time that they take.
_TRIED = 64


class Frame(NamedTuple):
    """Vectors in axes of one kind, and the codebooks that all groups may share in them.

    local, base : vectors float32 (n, d), and codebooks (m, 2^bits, s); learnt of all vectors
    trial, tried : the same, of axes and codebooks that were learnt of those that are not held out
    """

    local: Vectors
    base: Vectors
    trial: Vectors
    tried: Vectors


class Chosen(NamedTuple):
    """The frame of each group, int64 (G,), and codebooks: one set, or one for each group."""

    frame: NDArray[np.int64]
    books: Vectors


def held_out(groups: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which vectors are held out, (n,): each eighth of a group."""
    held = np.zeros(len(groups), bool)
    for _, rows in runs(groups):
        held[rows[_HELD - 1 :: _HELD]] = True
    return held


def choose(
    frames: list[Frame],
    groups: NDArray[np.int32],
    allowed: NDArray[np.bool_],
    suited: Callable[[Vectors, Vectors], Vectors],
    quantizer: Callable[[Vectors], ProductQuantizer],
) -> Chosen:
    """The axes, and own codebooks or shared ones, by which each group's vectors that are held out lose least.

    Where all together would lose less than 1 % less than in one kind of axes with one set of codebooks, that is taken.

    groups : of each vector
    allowed : (frames, G), which kinds of axes a group may have; the first is open to all
    suited : codebooks of one group's vectors, from those that are shared
    quantizer : with given codebooks
    """
    held, n_groups = held_out(groups), allowed.shape[1]
    tests = list(runs(groups[held]))
    counts = np.bincount(groups, minlength=n_groups)
    squares = np.stack([_lost(quantizer(frame.tried), frame.trial[held]) for frame in frames])
    lost = np.zeros(allowed.shape)
    for g, at in tests:
        lost[:, g] = squares[:, at].mean(axis=1) * counts[g]
    # What is best for all is left only for what is better beyond chance.
    which = np.where(allowed, lost.sum(axis=1)[:, None], np.inf).argmin(axis=0)
    mine, own = dict[int, NDArray[np.float64]](), dict[int, NDArray[np.float64]]()
    for g, at in tests:
        mine[g] = squares[which[g], at]
        for f in np.flatnonzero(allowed[:, g]):
            if _gains(mine[g], squares[f, at]):
                which[g], mine[g] = f, squares[f, at]

    def gained() -> float:
        return float(sum((mine[g].mean() - own[g].mean()) * counts[g] for g in own))

    some = tests[:: max(1, len(tests) // _TRIED)]
    for tried in (some, tests):
        for g in [g for g, _ in tried if g not in own]:
            frame, rows = frames[which[g]], np.flatnonzero(groups == g)
            learn, test = rows[~held[rows]], rows[held[rows]]
            books = suited(frame.trial[learn], frame.tried)
            own[g] = _lost(quantizer(books), frame.trial[test])
        if gained() <= _PAYS * sum(mine[g].mean() * counts[g] for g in own):
            break
    pays = gained() > 0
    taken = [g for g in own if (not _gains(own[g], mine[g]) if pays else _gains(mine[g], own[g]))]
    least = sum((own if g in taken else mine)[g].mean() * counts[g] for g, _ in tests)
    lost[~allowed] = np.inf
    one = int(lost.sum(axis=1).argmin())
    if least >= (1 - _PAYS) * lost[one].sum():
        return Chosen(np.full(n_groups, one), frames[one].base[None])
    sets = np.stack([frames[f].base for f in which])
    for g in taken:
        sets[g] = suited(frames[which[g]].local[groups == g], sets[g])
    return Chosen(which, sets)


def _gains(known: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether other losses of the same vectors are smaller, by more than twice the standard error."""
    gaps = known - other
    return bool(gaps.mean() > 0 and gaps.mean() > 2 * gaps.std() / np.sqrt(len(gaps)))


def runs(groups: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each group that occurs with its rows, ascending."""
    order = np.argsort(groups, kind="stable")
    found, starts = np.unique(groups[order], return_index=True)
    for g, rows in zip(found, np.split(order, starts[1:])):
        yield int(g), rows


def _lost(quantizer: ProductQuantizer, x: Vectors) -> NDArray[np.float64]:
    """The squared distance of each vector to what its code stands for."""
    gaps = x.astype(np.float64) - quantizer.decode(quantizer.encode(x))
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", gaps, gaps)
    return squares
