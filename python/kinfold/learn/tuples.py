"""Descriptors learnt from tuples: a photo, one of the same thing, and some that only look like it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_array, as_count, as_ids
from kinfold.base.extras import require
from kinfold.features.backbones.cut import where
from kinfold.features.batches import by_size, fitted
from kinfold.features.forward import large_enough
from kinfold.learn.descriptor import Descriptor
from kinfold.learn.inputs import as_input
from kinfold.learn.loop import History, train
from kinfold.learn.metric import descriptor_parameters
from kinfold.learn.mine.found import Pairs, Triplets
from kinfold.learn.parallel import Group
from kinfold.learn.validation import describe_pooled

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

Describe = Callable[[Any], Vectors]


class Tuples(NamedTuple):
    """Queries, each with a photo of the same thing and some of others: numbers of photos.

    queries, positives : int64 (m,)
    negatives : int64 (m, k), -1 where there are fewer
    weights : float32 (m,), how much each counts; None where all count 1
    """

    queries: Ids
    positives: Ids
    negatives: Ids
    weights: NDArray[np.float32] | None = None


def finetune_tuples(
    network: Any,
    photos: Sequence[Any],
    mine: Callable[[Describe, int], Tuples],
    *,
    loss: Any,
    layer: str | None = None,
    pooling: Any = "gem",
    max_side: int = 362,
    batch: int = 5,
    seed: int = 0,
    **options: Any,
) -> History:
    """Train the descriptors of a network by tuples of whole photos, mined anew before each epoch.

    Radenovic, Tolias & Chum, ECCV 2016 and PAMI 2019: photos keep their aspect, as in a gallery, so that each goes
    through the network alone; gradients of a batch of tuples are summed up before a step.

    network : of ``features.backbones``, trained; changed in place, on the device on which it is
    photos : pixels uint8 (H, W, 3) or files, n of them
    mine : (describe, epoch) -> Tuples, where describe(rows) gives descriptors float32 (r, d) of photos as the network
        is then. They are kept in the checkpoint, and learnt from in random order
    loss : from ``learn.losses``, of pairs or of triplets. A tuple's is the mean over its pairs, or triplets
    layer, pooling : of the descriptors, see learn.descriptor
    max_side : larger photos are reduced to this
    batch : tuples that make a step: the gradient is the mean of weight times loss
    options : of ``learn.loop.train``: epochs, rate, validate, folder, ...
    Returns the curves. The network then has the weights of the best score.
    """
    count, most = len(photos), as_count(max_side, "max_side", least=32)
    size, seed = as_count(batch, "batch"), as_count(seed, "seed", least=0)
    descriptor = _Descriptors(network, layer=layer, pooling=pooling)
    least = where(network, descriptor.layer)[1].least_side
    normalised = as_input(network)
    # One tuple a time, of each process one, bounds what a network keeps for its gradients.
    each = Group().size

    def image(row: int) -> Any:
        return large_enough(normalised(fitted(photos[row], most)[None]), least)

    def mined(net: Any, epoch: int, _: Any) -> dict[str, NDArray[Any]]:
        def describe(rows: Any) -> Vectors:
            some = [photos[row] for row in as_ids(rows, "rows")]
            found: Vectors = describe_pooled(some, layer=layer, pooling=pooling, max_side=most)(net)
            return found

        return _checked(mine(describe, epoch), count)

    def batches(epoch: int, found: dict[str, NDArray[Any]]) -> Iterator[tuple[Ids, Any]]:
        order = np.random.default_rng([seed, epoch, 1]).permutation(len(found["rows"]))
        for start in range(0, len(order), each):
            some = order[start : start + each]
            yield found["rows"][some], found["weights"][some]

    def value(net: Any, batch: tuple[Ids, NDArray[np.float32]]) -> Any:
        there = batch[0] >= 0
        descriptors = net([image(row) for row in batch[0][there].tolist()])
        total, first = 0, 0
        for weight, size in zip(batch[1].tolist(), there.sum(axis=1).tolist()):
            total = total + weight * loss.of(descriptors[first : first + size], _found(size - 2))
            first += size
        return total / len(there)

    return train(
        descriptor, batches, value, parameters=descriptor_parameters(descriptor), mine=mined,
        accumulate=max(size // each, 1), seed=seed, **options,
    )  # fmt: skip


class _Descriptors(Descriptor):
    """Descriptor, of photos of many sizes."""

    def forward(self, photos: list[torch.Tensor]) -> torch.Tensor:
        """Normalised pixels (1, 3, h, w) each, to unit vectors (n, d)."""
        groups = list(by_size(photos, len(photos)))
        describe = super().forward
        parts = [describe(torch.cat([photos[i] for i in rows])) for rows in groups]
        return torch.cat(parts)[np.argsort(np.concatenate(groups))]


def _found(negatives: int) -> Pairs | Triplets:
    """What a tuple says of its own rows: the query, the positive, negatives."""
    if not negatives:
        return Pairs(np.zeros(1, np.int64), np.ones(1, np.int64), np.ones(1, bool))
    first = np.zeros(negatives, np.int64)
    return Triplets(first, first + 1, np.arange(2, 2 + negatives))


def _checked(found: Tuples, n: int) -> dict[str, NDArray[Any]]:
    """Tuples as rows int64 (m, 2 + k), and weights float32 (m,)."""
    queries, positives = (as_ids(part, "mine") for part in found[:2])
    negatives = as_array(found.negatives, "mine")
    m = len(queries)
    if not m:
        raise ValueError("mine: expected at least one tuple, got none")
    if len(positives) != m or negatives.ndim != 2 or len(negatives) != m:
        raise ValueError(
            f"mine: expected {m} positives and negatives ({m}, k), got {len(positives)} and {negatives.shape}"
        )
    flat = as_ids(negatives.reshape(-1) + 1, "mine") - 1  # -1 is none
    rows = np.column_stack([queries, positives, flat.reshape(negatives.shape)])
    if rows.max() >= n:
        raise ValueError(f"mine: expected photos below {n}, got {rows.max()}")
    if (rows[:, :1] == rows[:, 1:]).any() or (rows[:, 1:2] == rows[:, 2:]).any():
        raise ValueError("mine: expected tuples of different photos")
    weights = np.ones(m, np.float32) if found.weights is None else as_array(found.weights, "mine")
    if weights.shape != (m,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"mine: expected {m} finite weights of at least 0")
    return {"rows": rows, "weights": weights.astype(np.float32)}
