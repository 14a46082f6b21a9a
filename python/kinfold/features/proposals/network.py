"""The region proposal network: which anchors of a map show an object, and how they move to fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require
from kinfold.features.proposals.anchors import RATIOS, SIZES, anchors
from kinfold.features.proposals.boxes import clipped, moved
from kinfold.features.proposals.nms import nms

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Of all anchors' boxes the best so many are looked at: the others are far below those that are kept.
_LOOKED_AT = 1000
_MOST = 16


class RegionProposals(torch.nn.Module):  # type: ignore[misc]
    """Maps to boxes: a 3 x 3 convolution, then for each anchor of a cell its objectness and its move.

    channels : of the maps
    hidden : channels in between
    sizes, ratios : of the anchors, see anchors.anchors
    keep : boxes of an image, 16 to 256 in the paper
    overlap : of two of them, see nms.nms
    Ren, He, Girshick & Sun, NIPS 2015, section 3.1; for retrieval Gordo, Almazan, Revaud & Larlus, ECCV 2016, section
    3.3. Learnt by learn.proposals.train_proposals. Boxes are found, not differentiated.
    """

    def __init__(
        self,
        channels: int,
        *,
        hidden: int = 128,
        sizes: Sequence[float] = SIZES,
        ratios: Sequence[float] = RATIOS,
        keep: int = 64,
        overlap: float = 0.7,
    ) -> None:
        super().__init__()
        self.sizes, self.ratios = _numbers(sizes, "sizes"), _numbers(ratios, "ratios")
        self.keep = as_count(keep, "keep", most=1024)
        self.overlap = as_number(overlap, "overlap", least=0, most=1)
        each = len(self.sizes) * len(self.ratios)
        channels = as_count(channels, "channels", most=1 << 16)
        self.hidden = torch.nn.Conv2d(
            channels, as_count(hidden, "hidden", most=1 << 12), 3, padding=1
        )
        self.objectness = torch.nn.Conv2d(self.hidden.out_channels, each, 1)
        self.move = torch.nn.Conv2d(self.hidden.out_channels, 4 * each, 1)
        for layer in (self.hidden, self.objectness, self.move):
            torch.nn.init.normal_(layer.weight, std=0.01)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps (n, channels, h, w) to boxes in cells (n, r, 4), the best first, and which there are, bool (n, r).

        r is keep, or the number of anchors where that is smaller.
        """
        with torch.no_grad():
            scores, moves = (answer.float() for answer in self.answers(maps))
            height, width = maps.shape[-2:]
            looked = min(_LOOKED_AT, scores.size(1))
            best = scores.argsort(dim=1, descending=True, stable=True)[:, :looked]
            four = best.unsqueeze(-1).expand(-1, -1, 4)
            start = self.anchors(height, width).to(moves)
            boxes = clipped(moved(start, moves), height, width).gather(1, four)
            rows, there = nms(
                boxes, scores.gather(1, best), overlap=self.overlap, keep=min(self.keep, looked)
            )
            return boxes.gather(1, rows.unsqueeze(-1).expand(-1, -1, 4)), there

    def answers(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each anchor the logit of its objectness (n, m) and its move (n, m, 4), in the order of the anchors."""
        shared = torch.relu(self.hidden(maps))
        scores = self.objectness(shared).permute(0, 2, 3, 1).flatten(1)
        moves = self.move(shared).permute(0, 2, 3, 1).reshape(len(maps), -1, 4)
        return scores, moves

    def anchors(self, height: int, width: int) -> torch.Tensor:
        """The anchors of a map of that size, in cells: float32 (m, 4)."""
        return anchors(height, width, self.sizes, self.ratios)

    def options(self) -> dict[str, Any]:
        return {
            "hidden": self.hidden.out_channels, "sizes": list(self.sizes), "ratios": list(self.ratios),
            "keep": self.keep, "overlap": self.overlap,
        }  # fmt: skip


def _numbers(values: Any, name: str) -> tuple[float, ...]:
    listed = list(values) if isinstance(values, (list, tuple)) else []
    if not 0 < len(listed) <= _MOST:
        raise ValueError(f"{name}: expected 1 to {_MOST} numbers, got {values!r}")
    return tuple(as_number(value, name, least=0.01, most=100) for value in listed)
