"""Which pictures are similar: neighbours, adjacent poses, versions of one sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_array, as_count, as_ids
from kinfold.base.neighbours import self_neighbours
from kinfold.datasets.views import Views


def neighbour_pairs(x: Any, n_neighbors: int = 5) -> Ids:
    """Each row of vectors (n, d) with its nearest others, by Euclidean distance: int64 (n * n_neighbors, 2)."""
    k = as_count(n_neighbors, "n_neighbors")
    if k >= len(x):
        raise ValueError(f"n_neighbors: expected fewer than the {len(x)} pictures, got {k}")
    near = self_neighbours(x, k).ids
    return np.stack([np.repeat(np.arange(len(near)), k), near.reshape(-1)], axis=1)


def pose_pairs(
    views: Views, *, azimuth: bool = True, elevation: bool = True, lighting: bool = False
) -> Ids:
    """Views of one object from adjacent sides, in any lighting: int64 (m, 2), both ways round, rising.

    azimuth : those of equal elevation and adjacent azimuths; the last azimuth is beside the first
    elevation : those of equal azimuth and adjacent elevations
    lighting : those of the same pose in different lighting as well
    What is adjacent is told among the angles that occur. Hadsell, Chopra & LeCun, CVPR 2006, section 3.5.
    """
    azimuths, turn = np.unique(views.azimuths, return_inverse=True)
    elevations, height = np.unique(views.elevations, return_inverse=True)
    around, up = len(azimuths), len(elevations)
    cell = (views.objects * around + turn) * up + height
    order = np.argsort(cell, kind="stable")
    poses, starts = np.unique(cell[order], return_index=True)
    rows = dict(zip(poses.tolist(), np.split(order, starts[1:])))
    found = [np.empty((0, 2), np.int64)]
    for pose, here in rows.items():
        thing, level = pose // up, pose % up
        beside = set[int]()
        if azimuth:
            beside.add((thing // around * around + (thing + 1) % around) * up + level)
        if elevation and level + 1 < up:
            beside.add(pose + 1)
        for other in beside - {pose}:
            there = rows.get(other, here[:0])
            found.append(np.stack(np.meshgrid(here, there, indexing="ij"), axis=2).reshape(-1, 2))
        if lighting:
            found.append(here[np.stack(np.triu_indices(len(here), 1), axis=1)])
    pairs = np.concatenate(found)
    return np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)


def version_pairs(pairs: Any, samples: Any) -> Ids:
    """Versions of one sample, both ways round, and each with those of similar samples: int64 (m, 2), rising.

    pairs : int (p, 2)    samples, each with one that is similar to it
    samples : int (n,)    the sample of which each picture is a version, such as a shifted one
    Hadsell, Chopra & LeCun, CVPR 2006, section 3.3.
    """
    of = as_ids(samples, "samples")
    near = as_pair_rows(pairs, int(of.max()) + 1 if len(of) else 0)
    order = np.argsort(of, kind="stable")
    known, starts = np.unique(of[order], return_index=True)
    versions = dict(zip(known.tolist(), np.split(order, starts[1:])))
    found = [v[np.stack(np.triu_indices(len(v), 1), axis=1)] for v in versions.values()]
    found += [pairs[:, ::-1] for pairs in found]
    for a, b in near.tolist():
        if a != b and a in versions and b in versions:
            both = np.meshgrid(versions[a], versions[b], indexing="ij")
            found.append(np.stack(both, axis=2).reshape(-1, 2))
    return np.unique(np.concatenate(found), axis=0)


def as_pair_rows(pairs: Any, n: int) -> Ids:
    """Pairs (m, 2) of rows below n."""
    array = as_array(pairs, "pairs")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"pairs: expected pairs of rows (m, 2), got shape {array.shape}")
    rows = as_ids(array.reshape(-1), "pairs")
    if len(rows) and rows.max() >= n:
        raise ValueError(f"pairs: expected rows below {n}, got {rows.max()}")
    return rows.reshape(-1, 2)
