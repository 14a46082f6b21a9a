"""Training spread over processes: torch's own DistributedDataParallel, where a process group has been made.

Each process is started by ``torchrun``, makes its group by ``torch.distributed.init_process_group``, holds all the
data, and takes its share of each batch; gradients are averaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinfold.base.extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class Group:
    """The processes that train together: this one alone where there is no group."""

    def __init__(self) -> None:
        self.on = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank = torch.distributed.get_rank() if self.on else 0
        self.size = torch.distributed.get_world_size() if self.on else 1

    def wrapped(self, network: Any) -> Any:
        """The network, whose gradients are now averaged over the processes as they are made."""
        if not self.on:
            return network
        # What only stands beside the part that is trained has no gradient.
        return torch.nn.parallel.DistributedDataParallel(network, find_unused_parameters=True)

    def share(self, batch: Any) -> Any:
        """This process's part of a batch: the rows of every tensor and array in it."""
        return part_of(batch, self.rank, self.size)

    def mean(self, value: float) -> float:
        """The mean of the processes' numbers."""
        if not self.on:
            return value
        total = torch.tensor([value], dtype=torch.float64)
        torch.distributed.all_reduce(total)
        return float(total) / self.size

    def told(self, value: Any) -> Any:
        """What the first process says, in all."""
        if not self.on:
            return value
        box = [value]
        torch.distributed.broadcast_object_list(box, 0)
        return box[0]


def part_of(batch: Any, rank: int, size: int) -> Any:
    """Rows rank n / size up to (rank + 1) n / size of what has rows, in tuples, lists and dictionaries too.

    ValueError where they do not divide: processes would learn from batches of different sizes.
    """
    if size == 1:
        return batch
    if isinstance(batch, dict):
        return {name: part_of(part, rank, size) for name, part in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(part_of(part, rank, size) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(part_of(part, rank, size) for part in batch)
    if getattr(batch, "ndim", 0) < 1:
        return batch
    each, over = divmod(len(batch), size)
    if over:
        raise ValueError(
            f"batches: expected rows that divide over {size} processes, got {len(batch)}"
        )
    return batch[rank * each : (rank + 1) * each]
