"""Deep image retrieval: descriptors of regions, whitened and summed, all learnt together from triplets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import Ids, as_count, as_ids, as_number
from kinfold.base.extras import require
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.pool.roi import roi_max_pool
from kinfold.learn.loop import History
from kinfold.learn.losses.triplet import TripletLoss
from kinfold.learn.mine.hard_negatives import HardNegatives
from kinfold.learn.proposals import maps_of
from kinfold.learn.tuples import Tuples, finetune_tuples
from kinfold.transform.pca import PCA

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Regions that a whitening is learnt from, per dimension at least: fewer dimensions are kept where there are fewer.
_REGIONS_PER_DIMENSION = 5


def whitened_regions(
    network: Any,
    photos: Sequence[Any],
    *,
    layer: str | None = None,
    dim: int | None = None,
    levels: int = 3,
    exponent: float = 0.5,
    max_side: int = 448,
    most: int = 2000,
    seed: int = 0,
) -> LearntRMAC:
    """The pooling to begin with: R-MAC of the rigid grid, its layer the PCA-whitening of regions of photos.

    network : of ``features.backbones``, trained
    photos : pixels uint8 (H, W, 3) or files
    dim : of the descriptors; None for that of the maps, or fewer where there are few photos
    levels : scales of the grid
    exponent : of the whitening: 0.5 evens all variances out, 0 none
    most : photos whose regions are learnt from, drawn by the seed
    Raises ValueError for fewer than two photos.
    """
    count = len(photos)
    if count < 2:
        raise ValueError(f"photos: expected two at least, got {count}")
    random = np.random.default_rng(as_count(seed, "seed", least=0))
    rows = np.sort(random.permutation(count)[: as_count(most, "most", least=2)])
    seen = maps_of(network, layer=layer, max_side=max_side)
    parts = []
    for row in rows:
        maps = seen(photos[row], False)
        grid = LearntRMAC(maps.shape[1], 1, levels=levels)
        regions = roi_max_pool(maps, grid.boxes(maps)[0])[0]
        parts.append(torch.nn.functional.normalize(regions, dim=-1).cpu().numpy())
    vectors = np.concatenate(parts)
    room = max(min(vectors.shape[1], len(vectors) // _REGIONS_PER_DIMENSION), 1)
    chosen = room if dim is None else as_count(dim, "dim", most=vectors.shape[1])
    share = as_number(exponent, "exponent", least=0, most=1)
    whitening = PCA(min(chosen, room), whiten=share).fit(vectors)
    pool = LearntRMAC(vectors.shape[1], min(chosen, room), levels=levels)
    pool.adopt(whitening)
    return pool.to(next(network.parameters()).device)


def finetune_regions(
    network: Any,
    pooling: LearntRMAC,
    photos: Sequence[Any],
    labels: Any,
    *,
    layer: str | None = None,
    margin: float = 0.1,
    negatives: int = 3,
    triplets: int = 200,
    pool: int = 2000,
    max_side: int = 448,
    epochs: int = 5,
    batch: int = 16,
    rate: float = 1e-3,
    schedule: str = "cosine",
    weight_decay: float = 5e-5,
    seed: int = 0,
    **options: Any,
) -> History:
    """Learn maps and whitening together, by the triplet loss of hard triplets: whole photos of classes.

    Gordo, Almazan, Revaud & Larlus, ECCV 2016, section 3.2 and IJCV 2017, section 3.4: photos keep their aspect;
    negatives are the nearest photos of other classes among some that are described anew before each epoch.

    network, photos, layer, max_side, options : see learn.tuples.finetune_tuples
    pooling : of ``whitened_regions``; changed in place
    labels : int (n,), the classes; those of one photo serve as negatives
    margin : by which the squared distance to a negative should be the larger
    negatives : of a query, of different classes
    triplets : queries of an epoch, drawn from the photos whose class has another
    pool : photos described anew before an epoch, whose nearest are the negatives
    batch : queries that make a step
    Returns the curves. Network and pooling then have the weights of the best score.
    """
    ids = as_ids(labels, "labels", n=len(photos))
    mine = _triplets(
        ids, as_count(triplets, "triplets"), as_count(negatives, "negatives"),
        as_count(pool, "pool", least=2), as_count(seed, "seed", least=0),
    )  # fmt: skip
    return finetune_tuples(
        network, photos, mine, loss=TripletLoss(margin), layer=layer, pooling=pooling, max_side=max_side,
        batch=batch, epochs=epochs, rate=rate, schedule=schedule, weight_decay=weight_decay,
        seed=seed, **options,
    )  # fmt: skip


def _triplets(
    labels: Ids, count: int, negatives: int, pool: int, seed: int
) -> Callable[[Any, int], Tuples]:
    classes, sizes = np.unique(labels, return_counts=True)
    several = np.flatnonzero(np.isin(labels, classes[sizes > 1]))
    if len(classes) < 2 or not len(several):
        raise ValueError("labels: expected two classes at least, two photos of one of them")

    def mine(describe: Callable[[Any], Any], epoch: int) -> Tuples:
        n = len(labels)
        hard = HardNegatives(
            lambda _, rows: describe(rows), labels, k=negatives, renewed=min(pool, n), seed=seed
        )(None, epoch, None)
        found = hard["negatives"]
        random = np.random.default_rng([seed, epoch, 3])
        # Only what was described has negatives.
        able = np.intersect1d(several, np.flatnonzero((found >= 0).any(1)))
        queries = random.permutation(able)[:count]
        same = [np.setdiff1d(np.flatnonzero(labels == labels[q]), [q]) for q in queries]
        positives = np.array([random.choice(rows) for rows in same], np.int64)
        return Tuples(queries, positives, found[queries])

    return mine
