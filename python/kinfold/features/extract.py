"""Global descriptors of photos: a network, a pooling, several scales."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import Vectors, as_choice, as_count, as_number
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.base.registry import resolve
from kinfold.base.threads import get_threads
from kinfold.features.backbones import METHODS as NETWORKS
from kinfold.features.pool import METHODS as POOLINGS
from kinfold.features.weights import network, random_network, read_weights
from kinfold.images.digest import content_digest
from kinfold.images.resize import Pixels, as_pixels, fit

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Below this side the feature maps of the networks vanish.
_LEAST_SIDE = 32
# Photos held back to find some of equal size.
_WINDOW = 32


class Extractor:
    """Describe photos by pooled feature maps of a trained network, at several scales.

    Radenovic, Tolias & Chum, PAMI 2019: maps of the last convolution, pooled, L2; over the scales a power mean
    with exponent p for GeM, else the mean; L2. Aspect is kept. Whitening is up to `transform.PCA`.

    Parameters
    ----------
    weights : path of trained weights (safetensors, or a state dict of torch); "random" for a network that has
        learnt nothing, with an architecture
    architecture : name from ``features.backbones``; None to tell it from the weights
    pooling : name from ``features.pool``
    p : exponent of GeM; other poolings have none
    scales : sides relative to the photo as fitted to max_side
    max_side : the longer side of larger photos is reduced to this
    device : where torch computes, such as "cpu" or "cuda"
    batch : photos of equal size that go through the network together
    seed : of random weights
    """

    def __init__(
        self,
        weights: str | os.PathLike[str],
        *,
        architecture: str | None = None,
        pooling: str = "gem",
        p: float = 3.0,
        scales: Sequence[float] = (1.0, 2**-0.5, 0.5),
        max_side: int = 1024,
        device: str = "cpu",
        batch: int = 4,
        seed: int = 0,
    ) -> None:
        if not isinstance(weights, (str, os.PathLike)):
            raise ValueError(
                "weights: expected a file of trained weights: a network that has learnt nothing finds little "
                f"more than colours and textures; got {weights!r}. weights='random' asks for one nevertheless"
            )
        self.pooling = as_choice(pooling, "pooling", POOLINGS)
        self.p = as_number(p, "p", least=1e-3, most=1e3)
        self.scales = tuple(as_number(s, "scales", least=0.01, most=8) for s in scales)
        if not self.scales:
            raise ValueError("scales: expected at least one")
        self.max_side = as_count(max_side, "max_side", least=_LEAST_SIDE)
        self.batch = as_count(batch, "batch")
        self.device = _device(device)
        if weights == "random":
            if architecture is None:
                raise ValueError(f"architecture: random weights need one of {', '.join(NETWORKS)}")
            source = f"random {as_count(seed, 'seed', least=0)}"
            net = random_network(architecture, seed)
        else:
            net = network(read_weights(weights), architecture)
            source = content_digest(weights)
        self.dim: int = net.channels
        module = resolve(POOLINGS[self.pooling])
        has_exponent = "p" in inspect.signature(module).parameters
        self._pool = (module(self.p) if has_exponent else module()).eval().requires_grad_(False)
        self._power = self.p if has_exponent else 1.0
        self._maps = net.features.to(self.device, memory_format=torch.channels_last)
        self._pool.to(self.device)
        self._mean, self._std = (
            torch.tensor(v, dtype=torch.float32, device=self.device).view(1, 3, 1, 1)
            for v in (net.mean, net.std)
        )
        settings = [
            1, source, type(net).__name__, net.mean, net.std, self.pooling, self._power, self.scales, self.max_side,
        ]  # fmt: skip
        text = json.dumps(settings).encode()
        self.fingerprint = hashlib.blake2b(text, digest_size=16).hexdigest()
        self._name = type(net).__name__

    def __repr__(self) -> str:
        scales = ", ".join(f"{scale:.3g}" for scale in self.scales)
        return f"Extractor({self._name}, pooling={self.pooling!r}, p={self.p:g}, scales=({scales}))"

    def describe(self, pixels: Any) -> Vectors:
        """The descriptor of one photo, pixels uint8 (H, W, 3): float32 (dim,), of length one."""
        return self._describe([fit(as_pixels(pixels), self.max_side)])[0]

    def describe_all(self, photos: Iterable[Any], *, verbose: bool = True) -> Vectors:
        """The descriptors of many photos: float32 (n, dim). Takes an iterator as well, a few photos at a time."""
        total = len(photos) if isinstance(photos, Sized) else None
        parts: list[Vectors] = []
        with progress((), "describe", verbose=verbose, total=total) as bar:
            incoming = iter(photos)
            while window := [fit(as_pixels(p), self.max_side) for p in islice(incoming, _WINDOW)]:
                part = np.empty((len(window), self.dim), np.float32)
                for rows in self._batches(window):
                    part[rows] = self._describe([window[row] for row in rows])
                    bar.update(len(rows))
                parts.append(part)
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def _batches(self, window: list[Pixels]) -> Iterator[list[int]]:
        """Rows of equal shape, at most a batch of them."""
        same: dict[tuple[int, ...], list[int]] = {}
        for row, pixels in enumerate(window):
            same.setdefault(pixels.shape, []).append(row)
        for rows in same.values():
            yield from (rows[i : i + self.batch] for i in range(0, len(rows), self.batch))

    def _describe(self, photos: list[Pixels]) -> Vectors:
        """Photos of one shape to (n, dim)."""
        with torch.inference_mode(), _bounded_threads():
            stack = torch.from_numpy(np.stack(photos)).to(self.device)
            # (n, H, W, 3) seen as (n, 3, H, W) is channels-last already.
            images = (stack.permute(0, 3, 1, 2).float() / 255 - self._mean) / self._std
            total = torch.zeros(len(photos), self.dim, device=self.device)
            for scale in self.scales:
                pooled = self._pool(self._maps(_scaled(images, scale)))
                total += _unit(pooled) ** self._power
            mean = (total / len(self.scales)) ** (1 / self._power)
            descriptors: Vectors = _unit(mean).cpu().numpy()
        return descriptors


def _scaled(images: torch.Tensor, scale: float) -> torch.Tensor:
    """Images at a scale; tiny ones enlarged, and thin ones continued at their edges, to what a network needs."""
    height, width = images.shape[-2:]
    scale = max(scale, _LEAST_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size != (height, width):
        images = torch.nn.functional.interpolate(
            images, size, mode="bilinear", align_corners=False, antialias=True
        )
    missing = [max(0, _LEAST_SIDE - side) for side in size]
    if any(missing):
        images = torch.nn.functional.pad(images, (0, missing[1], 0, missing[0]), mode="replicate")
    return images.contiguous(memory_format=torch.channels_last)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=1)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device: expected such as 'cpu' or 'cuda', got {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device: {name!r} was asked for, but torch finds no such device")
    return device


@contextmanager
def _bounded_threads() -> Iterator[None]:
    """Torch with no more threads than the library may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, get_threads()))
    try:
        yield
    finally:
        torch.set_num_threads(before)
