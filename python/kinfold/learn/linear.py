"""A linear map of descriptors, learnt from pairs that match: near the identity, one matrix for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.extras import require
from kinfold.features.forward import unit
from kinfold.graph.communities import connected_components
from kinfold.graph.knn import KNNGraph
from kinfold.learn.loop import History, train

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Descriptors whose partners are told from all others at once.
_BATCH = 1024
# Of those that are held out, at most so many are asked for.
_ASKED = 200


class LinearMap(torch.nn.Module):  # type: ignore[misc]
    """Vectors (n, d) to unit vectors (n, d); the identity at first."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.eye(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Every vector times the matrix, of length one."""
        mapped: torch.Tensor = unit(x @ self.weight)
        return mapped

    def departure(self) -> torch.Tensor:
        """The squared distance to the identity, divided by d."""
        eye = torch.eye(len(self.weight), device=self.weight.device)
        return (self.weight - eye).square().sum() / len(self.weight)


def learn_map(
    x: Vectors,
    pairs: Ids,
    *,
    temperature: float,
    strength: float,
    epochs: int,
    rate: float,
    held_out: float,
    seed: int,
    **options: Any,
) -> tuple[NDArray[np.float64], History]:
    """The matrix (d, d) of one training, and how it went.

    x : float32 (n, d)
    pairs : int64 (m, 2), rows that match, each pair once
    held_out : share of the pairs, of things of their own, that are judged by
    options : of ``learn.loop.train``
    See learn.adapter.Adapter.
    """
    things = things_of(len(x), pairs)
    learnt, judged = split_pairs(things, pairs, held_out, seed=seed)
    network = LinearMap(x.shape[1])
    vectors = torch.from_numpy(x)
    starts, partners = _partners(len(x), learnt)
    anchors = np.flatnonzero(np.diff(starts))

    def batches(epoch: int) -> Iterator[Ids]:
        order = np.random.default_rng([seed, epoch, 4]).permutation(anchors)
        yield from np.array_split(order, -(-len(order) // _BATCH))

    def value(net: Any, rows: Ids) -> Any:
        near, counts = _of_rows(starts, partners, rows)
        cost = pair_softmax(net(vectors), rows, near, counts, things, temperature)
        return cost + strength * net.departure()

    history = train(
        network, batches, value, epochs=epochs, optimiser="adam", rate=rate, schedule="cosine", weight_decay=0.0,
        validate=_score(vectors, judged, things, seed), seed=seed, **options,
    )  # fmt: skip
    return network.weight.detach().numpy().astype(np.float64), history


def pair_softmax(
    vectors: torch.Tensor,
    rows: Ids,
    partners: Ids,
    counts: Ids,
    things: Ids,
    temperature: float,
) -> torch.Tensor:
    """How surely partners are told from all other things: the mean of
    - log exp(s / T) / (exp(s / T) + sum of exp(s' / T)), s being the cosine of a row with its partner, s' those with
    all vectors of other things.

    vectors : (n, d), of length one
    rows : int64 (b,)
    partners : int64 (sum of counts,), those of each row, one after the other; counts : int64 (b,), at least 1
    things : int64 (n,), which thing a vector is of: of those of one thing that are no partners nothing is asked
    Rows count the same, whatever they have of partners. Sohn, NIPS 2016; with a temperature: van den Oord, Li &
    Vinyals, 2018.
    """
    at = np.repeat(np.arange(len(rows)), counts)
    similarities = vectors[rows] @ vectors.T / temperature
    alike = torch.from_numpy(things[rows][:, None] == things)
    others = similarities.masked_fill(alike, -torch.inf).logsumexp(1)
    near = similarities[at, partners]
    costs = torch.logaddexp(near, others[at]) - near
    return (costs / torch.from_numpy(counts[at])).sum() / len(rows)


def things_of(n: int, pairs: Ids) -> Ids:
    """Which thing each of n rows is of, int64 (n,): what chains of pairs join is one, what no pair has is alone."""
    starts, partners = _partners(n, pairs)
    return connected_components(
        KNNGraph.from_rows(starts, partners, np.ones(len(partners), np.float32))
    )


def split_pairs(things: Ids, pairs: Ids, share: float, *, seed: int) -> tuple[Ids, Ids]:
    """Pairs to learn from, and at least a share of them to judge by, which are of other things.

    Raises ValueError where all pairs are of one thing.
    """
    of = things[pairs[:, 0]]
    order = np.random.default_rng([seed, 5]).permutation(np.unique(of))
    if len(order) < 2:
        raise ValueError(
            f"pairs: expected those of at least 2 things, to learn from one and judge by the other, got {len(order)}"
        )
    sizes = np.cumsum([(of == thing).sum() for thing in order])
    count = int(np.searchsorted(sizes, share * len(pairs))) + 1
    judged = np.isin(of, order[: min(count, len(order) - 1)])
    return pairs[~judged], pairs[judged]


def pair_score(vectors: torch.Tensor, rows: Ids, partners: Ids, counts: Ids, things: Ids) -> float:
    """mAP of rows whose partners are looked for among all other things; arguments as of pair_softmax.

    The mean over a row's partners of the share of partners among what is at least as near as this one: average
    precision as a finite sum, what is of one thing and no partner left out.
    """
    at = np.repeat(np.arange(len(rows)), counts)
    with torch.no_grad():
        similarities = (vectors[rows] @ vectors.T).numpy()
    near = similarities[at, partners]
    similarities[things[rows][:, None] == things] = -np.inf
    before = (similarities[at] >= near[:, None]).sum(axis=1)
    order = np.lexsort((-near, at))
    hits = np.empty(len(at), np.int64)
    hits[order] = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    precision = hits / (hits + before)
    return float(np.mean(np.bincount(at, weights=precision) / counts))


def _score(vectors: torch.Tensor, pairs: Ids, things: Ids, seed: int) -> Any:
    """A function network -> pair_score of what the pairs join."""
    starts, partners = _partners(len(vectors), pairs)
    asked = np.flatnonzero(np.diff(starts))
    asked = np.random.default_rng([seed, 6]).permutation(asked)[:_ASKED]
    near, counts = _of_rows(starts, partners, asked)

    def score(network: Any) -> float:
        with torch.no_grad():
            return pair_score(network(vectors), asked, near, counts, things)

    return score


def _partners(n: int, pairs: Ids) -> tuple[Ids, Ids]:
    """The partners of each row, ascending, in compressed rows."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    starts = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=n))])
    return starts.astype(np.int64), np.ascontiguousarray(both[:, 1])


def _of_rows(starts: Ids, partners: Ids, rows: Ids) -> tuple[Ids, Ids]:
    """The partners of some rows, one after the other, and how many each has."""
    parts = [partners[starts[row] : starts[row + 1]] for row in rows.tolist()]
    return np.concatenate(parts), np.array([len(part) for part in parts], np.int64)
