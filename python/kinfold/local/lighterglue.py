"""LighterGlue: features matched by a network that looks at both photos at once (Lindenberger et al. 2023)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count, as_number
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.features.forward import inference
from kinfold.features.weights import fill, read_weights
from kinfold.local.descriptors import compared

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import functional as F
else:
    torch = require("torch")
    nn, F = torch.nn, torch.nn.functional

# What names of its tensors begin with in a file that holds the extractor beside it.
_BESIDE = "matcher."


class LighterGlue:
    """Matches XFeat's features of two photos.

    Parameters
    ----------
    weights : as published with XFeat, or the matcher's tensors alone
    threshold : the least probability of a match, 0 to 1
    max_features : so many of each photo's first features are looked at: the work grows with their square

    Lindenberger, Sarlin & Pollefeys, ICCV 2023 (LightGlue); six layers of 96 dimensions and one head, trained on XFeat
    by Potje et al., CVPR 2024. All layers run, and all features go through each.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str],
        *,
        threshold: float = 0.1,
        max_features: int = 1000,
    ) -> None:
        self.threshold = as_number(threshold, "threshold", least=0.0, most=1.0)
        self.max_features = as_count(max_features, "max_features")
        tensors = {
            name.removeprefix(_BESIDE): tensor
            for name, tensor in read_weights(weights).tensors.items()
            if name.startswith(_BESIDE) and "token_confidence" not in name
        }
        if "posenc.Wr.weight" not in tensors or "input_proj.weight" not in tensors:
            raise FileFormatError("weights: hold no LighterGlue")
        layers = sum(name.endswith("self_attn.Wqkv.weight") for name in tensors)
        # Only the last layer's assignment is asked for.
        last = f"log_assignment.{layers - 1}."
        tensors = {
            name.replace(last, "assignment."): tensor
            for name, tensor in tensors.items()
            if "log_assignment" not in name or name.startswith(last)
        }
        width, dim = tensors["input_proj.weight"].shape
        self.dim = dim
        with torch.device("meta"):
            self.network = _Network(dim, width, layers)
        fill(self.network, tensors, "LighterGlue")
        self.network.eval().requires_grad_(False)
        self._one_at_a_time = Lock()

    def match(
        self,
        query: LocalFeatures,
        photo: LocalFeatures,
        query_size: tuple[float, float],
        photo_size: tuple[float, float],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Pairs of features that show the same point.

        query_size, photo_size : width and height of the pixels that the features lie in
        Returns int64 (m, 2), rows of the query's and of the photo's features, each feature at most once, ascending by
        the query's; and float32 (m,), the probability of each. Raises ValueError for features of other dimensions.
        """
        sides = []
        for name, features, size in (("query", query, query_size), ("photo", photo, photo_size)):
            chosen = features.select(slice(0, self.max_features))
            if chosen.descriptors.ndim != 2 or chosen.descriptors.shape[1] != self.dim:
                raise ValueError(
                    f"{name}: expected descriptors (n, {self.dim}), got {chosen.descriptors.shape}"
                )
            sides.append((chosen, size))
        if not all(len(features) for features, _ in sides):
            return np.empty((0, 2), np.int64), np.empty(0, np.float32)
        with self._one_at_a_time, inference():
            scores = self.network(
                *(torch.from_numpy(compared(features.descriptors)) for features, _ in sides),
                *(_placed(features, size) for features, size in sides),
            )
            best, theirs = scores.max(1)
            ours = scores.argmax(0)
            rows = torch.arange(len(best))
            chance = best.exp()
            kept = (ours[theirs] == rows) & (chance > self.threshold)
            pairs = torch.stack([rows[kept], theirs[kept]], 1)
            return pairs.numpy(), chance[kept].numpy()


def _placed(features: LocalFeatures, size: tuple[float, float]) -> torch.Tensor:
    """Positions (n, 2) from -1 to 1 along the longer side."""
    frame = torch.tensor(size, dtype=torch.float32)
    return (torch.from_numpy(np.ascontiguousarray(features.positions)) - frame / 2) / (
        frame.max() / 2
    )


class _Network(nn.Module):  # type: ignore[misc]
    """From descriptors and positions of two photos to the logarithm of the probability that two are the same point."""

    def __init__(self, dim: int, width: int, layers: int) -> None:
        super().__init__()
        self.input_proj = nn.Linear(dim, width)
        self.posenc = nn.ModuleDict({"Wr": nn.Linear(2, width // 2, bias=False)})
        self.transformers = nn.ModuleList(
            nn.ModuleDict({"self_attn": _Self(width), "cross_attn": _Cross(width)})
            for _ in range(layers)
        )
        self.assignment = nn.ModuleDict(
            {"matchability": nn.Linear(width, 1), "final_proj": nn.Linear(width, width)}
        )

    def forward(
        self, first: Any, second: Any, first_places: Any, second_places: Any
    ) -> torch.Tensor:
        x, y = self.input_proj(first), self.input_proj(second)
        x_turns, y_turns = self._turns(first_places), self._turns(second_places)
        for layer in self.transformers:
            x, y = layer["self_attn"](x, x_turns), layer["self_attn"](y, y_turns)
            x, y = layer["cross_attn"](x, y)
        project, could = self.assignment["final_proj"], self.assignment["matchability"]
        alike = project(x) @ project(y).T / x.shape[1] ** 0.5
        known = F.logsigmoid(could(x)) + F.logsigmoid(could(y)).T
        return F.log_softmax(alike, 1) + F.log_softmax(alike, 0) + known

    def _turns(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine (n, width) of the angles that each pair of channels is turned by."""
        angles = self.posenc["Wr"](places).repeat_interleave(2, 1)
        return angles.cos(), angles.sin()


class _Attention(nn.Module):  # type: ignore[misc]
    """What all attentions do with what they have gathered: a step of two layers from it and the state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ffn = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(),
            nn.Linear(2 * width, width),
        )  # fmt: skip

    def _step(self, x: torch.Tensor, gathered: torch.Tensor) -> torch.Tensor:
        return x + self.ffn(torch.cat([x, gathered], 1))


class _Self(_Attention):
    """Features of one photo look at each other; places enter by turning (Su et al. 2024)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.Wqkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        query, key, value = self.Wqkv(x).view(len(x), -1, 3).unbind(2)
        seen = _attend(_turned(query, turns), _turned(key, turns), value)
        return self._step(x, self.out_proj(seen))


class _Cross(_Attention):
    """Features of either photo look at those of the other."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.to_qk = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x_key, y_key = self.to_qk(x), self.to_qk(y)
        for_x = _attend(x_key, y_key, self.to_v(y))
        for_y = _attend(y_key, x_key, self.to_v(x))
        return self._step(x, self.to_out(for_x)), self._step(y, self.to_out(for_y))


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(query[None, None], key[None, None], value[None, None])[
        0, 0
    ]


def _turned(x: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Each pair of channels turned."""
    pairs = x.view(len(x), -1, 2)
    across = torch.stack([-pairs[..., 1], pairs[..., 0]], 2).view_as(x)
    return x * turns[0] + across * turns[1]
