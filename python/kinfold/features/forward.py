"""A trunk ready to run: on its device, in its precision, from bytes to float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import Vectors, as_choice
from kinfold.base.extras import require
from kinfold.base.threads import get_threads
from kinfold.features.fuse import fuse
from kinfold.features.network import in_steps
from kinfold.features.pack import convolves, pack
from kinfold.features.pool.regions import roi_max
from kinfold.features.shapes import shape_of
from kinfold.images.resize import Pixels

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Pixels that go through a network on the CPU together. More are slower: the first maps of 640 x 480 pixels take some
# 30 MB, and what is larger than 32 MB the C library asks of the system anew each time, page by page.
_CPU_PIXELS = 340_000

PRECISIONS = ("float32", "bfloat16", "float16")


class Forward:
    """Runs a trunk: channels last, batch normalisation folded, on a CPU what follows convolutions within them.

    precision : of the network alone; what follows is float32. Descriptors of bfloat16 differ by about a thousandth.
        It is there for speed: a CPU that has no such convolutions rounds the weights alike, so that descriptors
        compare with those made elsewhere, and computes in float32.
    """

    def __init__(self, trunk: Any, *, device: str = "cpu", precision: str = "float32") -> None:
        self.precision = as_choice(precision, "precision", PRECISIONS)
        self.device = as_device(device)
        self.least_side, self.step, self._plain = trunk.least_side, trunk.step, trunk.module
        dtype = getattr(torch, self.precision)
        # What others made may look at sizes as it runs: traced once, it would always see the same.
        module = trunk.module if trunk.maker else fuse(trunk.module)
        module = module.to(self.device, dtype, memory_format=torch.channels_last)
        self._dtype = dtype
        if self.device.type == "cpu" and not convolves(dtype):
            self._dtype = torch.float32
            module = module.float()
        self.module = (
            pack(module) if self.device.type == "cpu" and self._dtype != torch.float16 else module
        )
        self._mean, self._std = (
            torch.tensor(v, dtype=torch.float32, device=self.device).view(1, 3, 1, 1)
            for v in (trunk.preprocessing.mean, trunk.preprocessing.std)
        )

    def computing(self) -> AbstractContextManager[None]:
        """See ``inference``."""
        return inference()

    def images(self, photos: list[Pixels]) -> torch.Tensor:
        """Photos of one shape, normalised: float32 (n, 3, h, w)."""
        stack = torch.from_numpy(np.stack(photos)).to(self.device)
        # (n, H, W, 3) seen as (n, 3, H, W) is channels-last already.
        return (stack.permute(0, 3, 1, 2).float() / 255 - self._mean) / self._std

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, 3, h, w) to maps or codes, float32."""
        count, _, height, width = images.shape
        some = max(1, _CPU_PIXELS // (height * width)) if self.device.type == "cpu" else count
        if some >= count:
            return self.module(images.to(self._dtype)).float()
        return torch.cat([self(images[i : i + some]) for i in range(0, count, some)])

    def scaled(self, images: torch.Tensor, scale: float, *, antialias: bool = True) -> torch.Tensor:
        """Images at a scale, and large enough for the network."""
        images = large_enough(images, self.least_side, scale, antialias=antialias)
        if self.step > 1:
            sides = [in_steps(side, self.step) for side in images.shape[-2:]]
            images = _resized(images, sides)
        return images.contiguous(memory_format=torch.channels_last)

    def maxima(self, maps: torch.Tensor, boxes: list[tuple[int, int, int, int]]) -> torch.Tensor:
        return roi_max(maps, boxes)

    def unit(self, vectors: torch.Tensor) -> torch.Tensor:
        return unit(vectors)

    def lifted(self, values: Vectors) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device)

    def numbers(self, values: torch.Tensor) -> Vectors:
        array: Vectors = values.cpu().numpy()
        return array

    def placed(self, pool: Any) -> Any:
        return pool.eval().requires_grad_(False).to(self.device)

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        return shape_of(self._plain, (1, 3, height, width))

    def pooled_dim(self, pool: Any, maps: tuple[int, ...]) -> int:
        return shape_of(pool, maps)[1]


def large_enough(
    images: torch.Tensor, least: int, scale: float = 1.0, *, antialias: bool = True
) -> torch.Tensor:
    """Images (n, c, h, w) at a scale; tiny ones enlarged, thin ones continued at their edges, to sides of ``least``."""
    height, width = images.shape[-2:]
    scale = max(scale, least / max(height, width))
    images = at_scale(images, scale, antialias=antialias)
    missing = [max(0, least - side) for side in images.shape[-2:]]
    if any(missing):
        images = torch.nn.functional.pad(images, (0, missing[1], 0, missing[0]), mode="replicate")
    return images


def at_scale(images: torch.Tensor, scale: float, *, antialias: bool = True) -> torch.Tensor:
    """Images (n, c, h, w) at a scale, bilinear, no side below one pixel.

    antialias : average over what a new pixel covers, sides rounded; else as published code does it: sides rounded
        down, and places by the scale itself, not by the sides that come of it
    """
    height, width = images.shape[-2:]
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if not antialias and scale != 1 and min(height, width) * scale >= 1:
        return torch.nn.functional.interpolate(
            images, scale_factor=scale, mode="bilinear", align_corners=False
        )
    return _resized(images, size)


def _resized(images: torch.Tensor, size: Any) -> torch.Tensor:
    if tuple(size) == tuple(images.shape[-2:]):
        return images
    return torch.nn.functional.interpolate(
        images, tuple(size), mode="bilinear", align_corners=False, antialias=True
    )


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """At length one along the last axis; zeros stay zeros."""
    return torch.nn.functional.normalize(vectors, dim=-1)


def as_device(name: Any) -> torch.device:
    """The device of that name, or ValueError."""
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device: expected such as 'cpu' or 'cuda', got {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device: {name!r} was asked for, but torch finds no such device")
    return device


@contextmanager
def inference() -> Iterator[None]:
    """Torch without gradients, and with no more threads than the library may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, get_threads()))
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
