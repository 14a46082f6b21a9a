"""Trees of a file that are none, under checksums that are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import kinfold as kf
from kinfold.io import kin

NODES = "rows.packed.proposer.nodes"
LEAF = -1


def forest() -> tuple[kf.CandidateIndex, dict[str, NDArray[Any]]]:
    index = kf.index_factory("KDForest1", 2, verbose=False)
    index.add(np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32))
    return index, {name: np.array(array) for name, array in index.arrays().items()}


def ladder(rungs: int, n: int) -> NDArray[np.int32]:
    """Two ways lead to each node but the first two: about 1.6**rungs paths."""
    nodes = np.zeros((rungs + 2, 4), np.int32)
    nodes[:rungs, 1] = np.arange(rungs) + 2
    nodes[rungs:] = [[LEAF, n, 0, 0], [LEAF, n, n, 0]]
    return nodes


def bent(nodes: NDArray[np.int32], how: str, n: int) -> NDArray[np.int32]:
    inner, leaves = (np.flatnonzero((nodes[:, 0] == LEAF) == of) for of in (False, True))
    if how == "a ladder":
        return ladder(60, n)
    if how == "a child that two nodes have":
        nodes[inner[0], 1] = nodes[inner[1], 1]
    elif how == "a child of its own":
        nodes[inner[0], 1] = inner[0]
    elif how == "a node that nothing leads to":
        nodes = np.concatenate([nodes, nodes[leaves[-1:]]])
    elif how == "no leaf at the end":
        nodes = nodes[:-1]
    elif how == "rows in two leaves":
        nodes[leaves[-1], 2] -= 1
    elif how == "rows in no leaf":
        nodes[leaves[-1], 1] -= 1
    return nodes


@pytest.mark.parametrize(
    "how",
    [
        "a ladder", "a child that two nodes have", "a child of its own", "a node that nothing leads to",
        "no leaf at the end", "rows in two leaves", "rows in no leaf",
    ],
)  # fmt: skip
def test_nodes_that_are_no_tree_are_refused(how: str, tmp_path: Path) -> None:
    index, arrays = forest()
    arrays[NODES] = bent(arrays[NODES], how, len(index))
    kin.write(tmp_path / "x.kin", index.kind, index.params(), arrays)
    for mmap in (False, True):
        with pytest.raises(kf.FileFormatError, match="nodes: expected"):
            kf.load(tmp_path / "x.kin", mmap=mmap)
