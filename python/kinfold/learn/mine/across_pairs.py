"""Triplets of pairs that are known: each pair's negatives from the other pairs of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.learn.mine.batch import triplets
from kinfold.learn.mine.found import Triplets

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class AcrossPairs:
    """Each patch with the other of its pair, and with k patches of pairs that show something else.

    k : negatives of each patch; fewer where there are no more
    hardest : those of largest cosine; else any, by torch's generator
    Wang & Gupta, ICCV 2015, section 4.2: random ones first, then the four hardest of a batch. Both patches of a pair
    are anchors.
    """

    def __init__(self, k: int = 4, *, hardest: bool = True) -> None:
        self.k, self.hardest = as_count(k, "k"), bool(hardest)

    def __call__(self, descriptors: Any, others: Any) -> Triplets:
        """Vectors (2n, d), whose rows i and n + i are a pair, to triplets of rows.

        others : bool (n, n), whether pairs show different things
        """
        vectors = torch.as_tensor(descriptors).detach()
        n = len(vectors) // 2
        allowed = torch.as_tensor(others)
        if len(vectors) != 2 * n or allowed.shape != (n, n):
            raise ValueError(
                f"others: expected flags of {n} pairs for {len(vectors)} vectors, got {tuple(allowed.shape)}"
            )
        unit = torch.nn.functional.normalize(vectors.float(), dim=1)
        # Of float64: random numbers of float32 meet now and then.
        liking = unit @ unit.T if self.hardest else torch.rand(2 * n, 2 * n, dtype=torch.float64)
        allowed = allowed.bool().repeat(2, 2).to(liking.device)
        liking = liking.masked_fill(~allowed, -torch.inf)
        ranked = torch.argsort(liking, dim=1, descending=True, stable=True)
        chosen = ranked[:, : self.k]
        anchor, place = np.nonzero(allowed.gather(1, chosen).cpu().numpy())
        negative = chosen.cpu().numpy()[anchor, place]
        return triplets(anchor, (anchor + n) % (2 * n), negative)
