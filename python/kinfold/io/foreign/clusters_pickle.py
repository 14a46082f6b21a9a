"""Clusters of photos as those of structure from motion are published: a pickle, read without running what it holds."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import FileFormatError
from kinfold.io.foreign.ground_truth_pickle import read as read_plain


class Clusters(NamedTuple):
    """Photos, and which show the same thing.

    names : of n photos
    clusters : int64 (n,)
    queries, positives : int64 (m,), numbers of photos that match, within one cluster
    """

    names: list[str]
    clusters: Ids
    queries: Ids
    positives: Ids


def read(path: str | os.PathLike[str], *, split: str = "train") -> Clusters:
    """The lists ``cids``, ``cluster``, ``qidxs`` and ``pidxs`` of a file such as retrieval-SfM-120k.pkl.

    split : whose lists are read, where the file holds several
    Raises FileFormatError for anything but lists, numbers, texts and numpy arrays of them.
    """
    held = read_plain(path)
    if split in held:
        held = held[split]
    try:
        names, clusters, queries, positives = (
            held[key] for key in ("cids", "cluster", "qidxs", "pidxs")
        )
    except (KeyError, TypeError):
        raise FileFormatError(f"{path}: expected cids, cluster, qidxs and pidxs") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FileFormatError(f"{path}: cids: expected a list of names")
    n = len(names)
    of = _numbers(clusters, f"{path}: cluster")
    ends = [
        _numbers(part, f"{path}: {key}") for key, part in (("qidxs", queries), ("pidxs", positives))
    ]
    if len(of) != n or len(ends[0]) != len(ends[1]):
        raise FileFormatError(
            f"{path}: expected a cluster for each of {n} photos, and a positive for each query, got {len(of)} "
            f"clusters, {len(ends[0])} queries and {len(ends[1])} positives"
        )
    if any(len(part) and part.max() >= n for part in ends):
        raise FileFormatError(f"{path}: qidxs, pidxs: expected numbers below {n}")
    if (of[ends[0]] != of[ends[1]]).any() or (ends[0] == ends[1]).any():
        raise FileFormatError(f"{path}: pidxs: expected other photos of the queries' clusters")
    return Clusters(names, of, *ends)


def _numbers(values: Any, name: str) -> Ids:
    """Whole numbers of at least 0."""
    if not isinstance(values, list) or not all(type(v) is int and 0 <= v < 2**63 for v in values):
        raise FileFormatError(f"{name}: expected whole numbers of at least 0")
    return np.array(values, np.int64)
