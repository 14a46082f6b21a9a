"""Hard negatives among descriptors of the whole collection, found before an epoch and kept for some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_ids
from kinfold.base.state import add_prefix, strip_prefix
from kinfold.learn.mine.queue import DescriptorQueue

Mined = dict[str, NDArray[Any]]


class HardNegatives:
    """The ``mine`` of learn.loop: for every photo the nearest photos of other classes, as the network sees them then.

    describe : network, rows int64 (m,) -> descriptors (m, d) of these photos, tensor or array
    labels : int (n,)    classes of all photos
    k : negatives of each photo, of different classes
    every : epochs for which they serve
    size : descriptors that are kept from time to time; None for all of n
    renewed : photos that are described anew each time, drawn by seed and epoch; None for all of n
    Gives "negatives" int64 (n, k), -1 where there is none, beside the descriptors. Photos whose descriptors are not
    kept have no negatives: they are not asked for.
    Radenovic, Tolias & Chum, ECCV 2016, section 4.1: mined anew each epoch; Gordo et al., IJCV 2017, section 3.4:
    a pool whose descriptors may be some updates old.
    """

    def __init__(
        self,
        describe: Callable[[Any, NDArray[np.int64]], Any],
        labels: Any,
        *,
        k: int = 5,
        every: int = 1,
        size: int | None = None,
        renewed: int | None = None,
        seed: int = 0,
    ) -> None:
        self.describe = describe
        self.labels = as_ids(labels, "labels")
        n = len(self.labels)
        self.k, self.every = as_count(k, "k"), as_count(every, "every")
        self.size = n if size is None else as_count(size, "size", most=n)
        self.renewed = n if renewed is None else as_count(renewed, "renewed", most=n)
        self.seed = as_count(seed, "seed", least=0)

    def __call__(self, network: Any, epoch: int, former: Mined | None) -> Mined:
        """What an epoch learns from; ``former`` as it is where its time is not over."""
        if former is not None and epoch % self.every:
            return former
        n = len(self.labels)
        rows = np.random.default_rng([self.seed, epoch, 2]).permutation(n)[: self.renewed]
        fresh = self.describe(network, rows)
        dim = int(fresh.shape[1])
        kept = strip_prefix("queue", former) if former else {}
        queue = (
            DescriptorQueue.from_arrays(self.size, dim, kept)
            if kept
            else DescriptorQueue(self.size, dim)
        )
        queue.push(fresh, self.labels[rows], rows)
        state = queue.arrays()
        negatives = np.full((n, self.k), -1, np.int64)
        negatives[state["ids"]] = queue.hardest(state["vectors"], state["labels"], self.k)[0]
        return {"negatives": negatives, **add_prefix("queue", state)}
