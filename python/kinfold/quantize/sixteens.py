"""Codewords numbered so that near ones share the upper half of their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_ROUNDS = 20


def in_sixteens(codewords: Vectors) -> Vectors:
    """The codewords (256, s) in an order in which each sixteen lie near each other.

    The least distance to any of sixteen is then nearly that to each, and one look-up says of most codes that they are
    too far (cpp/kernels/filter_product.cpp; Andre, Kermarrec & Le Scouarnec, VLDB 2015). Halved along the coordinate of
    largest variance until sixteen are left; then pairs change places as long as that brings members of groups nearer
    together. Every sum is of numbers in a fixed order: the result does not depend on the processor.
    """
    words = codewords.astype(np.float64)
    groups = [np.arange(len(words))]
    while len(groups) < 16:
        groups = [half for group in groups for half in _halves(words, group)]
    label = np.empty(len(words), np.int64)
    for number, group in enumerate(groups):
        label[group] = number
    apart = np.zeros((len(words), len(words)))
    for column in words.T:
        apart += (column[:, None] - column) ** 2
    for _ in range(_ROUNDS):
        if not _exchange(apart, label):
            break
    return np.ascontiguousarray(codewords[np.argsort(label, kind="stable")])


def _halves(words: Floats, group: Rows) -> tuple[Rows, Rows]:
    own = words[group]
    spread = np.ptp(own, axis=0)
    ordered = group[np.argsort(own[:, np.argmax(spread)], kind="stable")]
    return ordered[: len(group) // 2], ordered[len(group) // 2 :]


def _exchange(apart: Floats, label: Rows) -> bool:
    """Let pairs of two groups change places where their distances to other members fall; whether any did."""
    n = len(label)
    to_group = np.zeros((n, 16))
    for i in range(n):
        to_group[:, label[i]] += apart[:, i]
    across = to_group[:, label]  # of i to the group of j
    own = np.diagonal(across)
    gain = own[:, None] + own - across - across.T + 2 * apart
    gain[label[:, None] == label] = 0
    if gain.max() <= 0:
        return False
    changed: set[int] = set()
    # Those that gain most are enough for a round.
    pairs = np.flatnonzero(gain > gain.max() / 4)
    for pair in pairs[np.argsort(-gain.reshape(-1)[pairs], kind="stable")]:
        i, j = divmod(int(pair), n)
        if label[i] in changed or label[j] in changed:
            continue
        changed |= {int(label[i]), int(label[j])}
        label[i], label[j] = label[j], label[i]
    return True
