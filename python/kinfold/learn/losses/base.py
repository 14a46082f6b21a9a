"""What losses of pairs, and losses of triplets, have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_number
from kinfold.base.extras import require
from kinfold.learn.mine.found import as_pairs, as_triplets

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class _MarginLoss(torch.nn.Module):  # type: ignore[misc]
    """A mean over rows, with a margin.

    margin : what distances are compared with
    squared : whether distances are squared, else plain
    """

    def __init__(self, margin: float, *, squared: bool = True) -> None:
        super().__init__()
        self.margin = as_number(margin, "margin", least=0)
        self.squared = bool(squared)

    def extra_repr(self) -> str:
        return f"margin={self.margin}, squared={self.squared}"

    @abstractmethod
    def of(self, descriptors: torch.Tensor, found: Any) -> torch.Tensor:
        """The mean loss of what a miner found among descriptors (n, d)."""

    def mined(
        self, descriptors: torch.Tensor, miner: Callable[[Any, Any], Any], known: Any
    ) -> torch.Tensor:
        """The mean loss of what a miner finds among descriptors (n, d), with what is known of them: classes.

        Not finite where they are not: no miner compares such, and the loop tells what it means.
        """
        if not bool(torch.isfinite(descriptors).all()):
            return descriptors.sum()
        return self.of(descriptors, miner(descriptors.detach(), known))

    def powered(self, distances: torch.Tensor) -> torch.Tensor:
        """Distances, or their squares."""
        return distances.square() if self.squared else distances


class PairLoss(_MarginLoss):
    """A loss of pairs: ``values`` says what each costs."""

    @abstractmethod
    def values(self, distances: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        """Distances (n,) and whether pairs are similar, bool (n,), to what each costs (n,)."""

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, similar: torch.Tensor
    ) -> torch.Tensor:
        """Vectors (n, d), (n, d) and bool (n,) to their mean loss; 0 where there is none."""
        _check_vectors(first, second)
        if similar.shape != first.shape[:1]:
            raise ValueError(
                f"similar: expected shape {tuple(first.shape[:1])}, got {tuple(similar.shape)}"
            )
        return mean(self.values(euclidean(first, second), similar.to(first.device, torch.bool)))

    def of(self, descriptors: torch.Tensor, found: Any) -> torch.Tensor:
        """The mean loss of the pairs that a miner found among descriptors (n, d)."""
        first, second, similar = (
            torch.as_tensor(part, device=descriptors.device) for part in as_pairs(found)
        )
        return self(descriptors[first], descriptors[second], similar)


class TripletLossBase(_MarginLoss):
    """A loss of triplets: ``values`` says what each costs, by the distances of its two pairs."""

    @abstractmethod
    def values(self, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
        """Distances (n,) from anchors to positives and to negatives, to what each triplet costs (n,)."""

    def distances(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of rows (n, d) and (n, d): (n,)."""
        return euclidean(a, b)

    def forward(
        self, anchor: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor
    ) -> torch.Tensor:
        """Vectors (n, d) each to their mean loss; 0 where there is none."""
        _check_vectors(anchor, positive, negative)
        return mean(self.values(self.distances(anchor, positive), self.distances(anchor, negative)))

    def of(self, descriptors: torch.Tensor, found: Any) -> torch.Tensor:
        """The mean loss of the triplets that a miner found among descriptors (n, d)."""
        rows = (torch.as_tensor(part, device=descriptors.device) for part in as_triplets(found))
        return self(*(descriptors[part] for part in rows))


def euclidean(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distances of rows (n, d) and (n, d): (n,). Of equal rows the gradient, which has no direction, is 0."""
    squares = (a - b).square().sum(-1)
    apart = squares > 0
    return torch.where(apart, torch.where(apart, squares, 1).sqrt(), 0)


def mean(values: torch.Tensor) -> torch.Tensor:
    """The mean, and 0 of none: training then goes on, unmoved."""
    return values.sum() / max(len(values), 1)


def _check_vectors(*rows: torch.Tensor) -> None:
    shape = rows[0].shape
    if len(shape) != 2 or any(part.shape != shape for part in rows):
        raise ValueError(
            f"descriptors: expected vectors (n, d) of one shape, got {[tuple(part.shape) for part in rows]}"
        )
