"""What a model is to the library: images in, feature maps or codes out, on torch's tensors or on numpy's arrays."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from kinfold.base.arrays import Vectors
from kinfold.features.field import ReceptiveField
from kinfold.features.preprocess import Preprocessing
from kinfold.images.resize import Pixels


class Network(Protocol):
    """A model that was read, with all that is to be known before it runs."""

    @property
    def name(self) -> str:
        """Of the architecture, or of the maker."""

    @property
    def layer(self) -> str | None:
        """Where it is cut, or which of its outputs it is; None where there is nothing to choose."""

    @property
    def dim(self) -> int:
        """Channels of the maps, or length of the codes."""

    @property
    def codes(self) -> bool:
        """Whether it gives codes (n, dim) instead of maps (n, dim, h, w)."""

    @property
    def least_side(self) -> int:
        """Smaller images leave nothing of the maps."""

    @property
    def step(self) -> int:
        """Sides of images are multiples of this: of a transformer's patches."""

    @property
    def source(self) -> str:
        """Digest of the weights, or how they were made."""

    @property
    def maker(self) -> str:
        """ "" for features.backbones and a user's own module, else the name in features.models."""

    @property
    def preprocessing(self) -> Preprocessing:
        """Of photos; "keep" for a network that takes any size."""

    def runs(self, device: str, precision: str) -> Forward:
        """The network ready to run. ValueError for a device or a precision that it does not know."""

    def poolings(self, name: str, p: float) -> Any:
        """The pooling of that name for what ``runs`` gives."""

    def field(self, image: tuple[int, int], maps: tuple[int, int]) -> ReceptiveField:
        """What places of maps see of an image, both by height and width."""


class Forward(Protocol):
    """A network on its device: images and maps are torch's tensors or numpy's arrays, whichever it runs on."""

    device: Any
    precision: str
    module: Any

    def computing(self) -> AbstractContextManager[None]:
        """What all else is called within: no gradients, no more threads than the library may use."""

    def images(self, photos: list[Pixels]) -> Any:
        """Photos of one shape, normalised: float32 (n, 3, h, w)."""

    def scaled(self, images: Any, scale: float, *, antialias: bool = True) -> Any:
        """Images at a scale, and large enough for the network."""

    def __call__(self, images: Any) -> Any:
        """Images (n, 3, h, w) to maps (n, dim, h', w') or codes (n, dim), float32."""

    def maxima(self, maps: Any, boxes: list[tuple[int, int, int, int]]) -> Any:
        """The maximum of each map in each box of cells: (n, r, dim)."""

    def unit(self, vectors: Any) -> Any:
        """At length one along the last axis; zeros stay zeros."""

    def lifted(self, values: Vectors) -> Any:
        """A numpy array as the network computes with it."""

    def numbers(self, values: Any) -> Vectors:
        """Maps or vectors as a numpy array, float32."""

    def placed(self, pool: Any) -> Any:
        """A pooling where the network is. ValueError for one that does not take its maps."""

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        """Of what the network gives of one image of that size."""

    def pooled_dim(self, pool: Any, maps: tuple[int, ...]) -> int:
        """Length of what a pooling makes of maps of that shape."""


def in_steps(side: int, step: int) -> int:
    """The multiple of a step that is nearest to a side, at least one of them."""
    return max(step, round(side / step) * step)
