"""Global descriptors of photos: a network, a pooling, several scales, and a whitening."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_choice, as_count, as_number
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.base.registry import resolve
from kinfold.base.state import (
    JSON,
    Arrays,
    Restorable,
    add_prefix,
    check_only,
    strip_prefix,
    take_param,
)
from kinfold.features.batches import by_size, fitted, squared, windows
from kinfold.features.forward import Forward, inference, unit
from kinfold.features.pool import LEARNT, METHODS as PLAIN
from kinfold.features.pool.regions import Regions
from kinfold.features.shapes import shape_of
from kinfold.features.trunk import Trunk
from kinfold.features.weights import Weights, fill, read_weights
from kinfold.images.resize import Pixels
from kinfold.transform import METHODS as TRANSFORMS
from kinfold.transform.normalize import l2_normalize

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

_MOST_SCALES = 100
POOLINGS = {**PLAIN, **LEARNT}
_PARAMS = {
    "trunk", "pooling", "pooling_options", "scales", "max_side", "side", "crop", "antialias", "whitening",
}  # fmt: skip


class Extractor(Restorable):
    """Describe photos by pooled feature maps of a trained network, at several scales.

    Radenovic, Tolias & Chum, PAMI 2019: maps of the last convolution, pooled, L2; over the scales a power mean
    with exponent p for GeM, else the mean; L2; where there is a whitening, whitened, L2. Aspect is kept.

    Parameters
    ----------
    weights : path of trained weights (safetensors, or a state dict of torch); "random" for a network that has
        learnt nothing, with an architecture; or an ``nn.Module`` of your own from normalised pixels to maps
    architecture : name from ``features.backbones``; None to tell it from the weights
    layer : where to cut, a name from the network's ``layers``, or of a module of it; None for its first
    pooling : name from ``features.pool``, or such a module; "learnt-rmac" for what a file of weights holds beside the
        network (learn.regions)
    p : exponent of GeM by name; other poolings have none
    scales : sides relative to the photo as fitted to max_side
    max_side : the longer side of larger photos is reduced to this
    side : photos become squares of this side instead, and are seen at one scale: see features.neural_codes
    crop : how they do, see features.batches.squared
    whitening : fitted on the descriptors of other photos: PCA or LearnedWhitening; see also ``whitened``
    antialias : average over the area that a pixel of a smaller scale covers; False is what published code does
    device : where torch computes, such as "cpu" or "cuda"
    precision : of the network: "float32", "bfloat16", "float16"; a CPU without half precision computes in float32
    batch : photos of equal size that go through the network together
    seed : of random weights

    Saved by ``kinfold.save`` with weights and whitening in one file; ``kinfold.load`` gives the same descriptors.
    Raises ValueError for choices that do not go together, FileFormatError for weights that are none.

    Examples
    --------
    >>> extractor = kf.Extractor("random", architecture="squeezenet1_1")
    >>> pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    >>> extractor.describe(pixels).shape
    (512,)
    """

    kind: ClassVar[str] = "features.Extractor"

    def __init__(
        self,
        weights: Any,
        *,
        architecture: str | None = None,
        layer: str | None = None,
        pooling: Any = "gem",
        p: float = 3.0,
        scales: Sequence[float] = (1.0, 2**-0.5, 0.5),
        max_side: int = 1024,
        side: int | None = None,
        crop: bool = False,
        whitening: Any = None,
        antialias: bool = True,
        device: str = "cpu",
        precision: str = "float32",
        batch: int = 4,
        seed: int = 0,
    ) -> None:
        exponent = as_number(p, "p", least=1e-3, most=1e3)
        if isinstance(pooling, torch.nn.Module):
            pool, self.pooling = pooling, _name_of(pooling)
        else:
            self.pooling = as_choice(pooling, "pooling", POOLINGS)
            make = resolve(POOLINGS[self.pooling])
            if self.pooling in LEARNT:
                pool = make.of_weights(_file(weights, self.pooling))
            else:
                pool = make(exponent) if "p" in inspect.signature(make).parameters else make()
        if len(scales) > _MOST_SCALES:
            raise ValueError(f"scales: expected at most {_MOST_SCALES}, got {len(scales)}")
        scales = tuple(as_number(s, "scales", least=0.01, most=8) for s in scales)
        if not scales:
            raise ValueError("scales: expected at least one")
        self.max_side = as_count(max_side, "max_side", least=32)
        self.batch = as_count(batch, "batch")
        trunk = (
            weights if isinstance(weights, Trunk) else Trunk.of(weights, architecture, layer, seed)
        )
        self.side = (
            None if side is None else as_count(side, "side", least=trunk.least_side, most=4096)
        )
        self.crop = bool(crop)
        if self.side is None and (trunk.codes or self.pooling == "flatten"):
            what = (
                "pooling 'flatten' needs"
                if self.pooling == "flatten"
                else f"{trunk.layer!r} gives codes of"
            )
            raise ValueError(f"side: {what} images of one size: see features.neural_codes")
        if self.side is not None and scales != (1.0,):
            raise ValueError(f"scales: expected one scale of squares, (1.0,), got {scales}")
        if trunk.codes and self.pooling != "flatten":
            raise ValueError(f"pooling: expected 'flatten' for codes, got {self.pooling!r}")
        self._set_up(trunk, pool, scales, whitening, bool(antialias), device, precision)

    def _set_up(
        self, trunk: Trunk, pool: Any, scales: tuple[float, ...], whitening: Any, antialias: bool,
        device: str, precision: str,
    ) -> None:  # fmt: skip
        self.trunk, self.scales, self.antialias = trunk, scales, antialias
        self._forward = Forward(trunk, device=device, precision=precision)
        self.device, self.precision = self._forward.device, self._forward.precision
        self._maps = self._forward.module
        self._pool = pool.eval().requires_grad_(False).to(self.device)
        self.p = float(pool.p) if hasattr(pool, "p") else 1.0
        if getattr(pool, "channels", trunk.dim) != trunk.dim:
            raise ValueError(
                f"layer: the pooling was learnt on {pool.channels} maps, this layer gives {trunk.dim}"
            )
        maps: tuple[int, ...] = (1, trunk.dim, 4, 4)
        if self.side is not None:
            maps = shape_of(trunk.module, (1, 3, self.side, self.side))
        self._raw_dim = shape_of(self._pool, maps)[1]
        self._whiten(whitening)

    def _whiten(self, whitening: Any) -> None:
        self.whitening = whitening
        self.dim = whitened_dim(whitening, self._raw_dim)
        self.fingerprint = self._fingerprint()

    def _fingerprint(self) -> str:
        """Of all that changes the descriptors."""
        trunk = self.trunk
        settings: list[Any] = [
            1, trunk.source, trunk.name, trunk.mean, trunk.std, self.pooling, self.p, self.scales, self.max_side,
        ]  # fmt: skip
        # What has its default is not named: fingerprints of galleries stay what they were.
        named = {
            "layer": (trunk.layer, _first_layer(trunk)),
            "options": (_options(self._pool), _options(_plain(self.pooling, self.p))),
            "antialias": (self.antialias, True),
            "precision": (self.precision, "float32"),
            "side": (self.side, None),
            "crop": (self.crop, False),
        }
        settings += [[key, value] for key, (value, default) in named.items() if value != default]
        digest = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16)
        parts = [t.cpu().numpy() for key, t in self._pool.state_dict().items() if key != "p"]
        parts += [] if self.whitening is None else self.whitening.affine()
        for part in parts:
            digest.update(part.tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        scales = ", ".join(f"{scale:.3g}" for scale in self.scales)
        return f"Extractor({self.trunk.name}, pooling={self.pooling!r}, p={self.p:g}, scales=({scales}))"

    def whitened(self, whitening: Any) -> Extractor:
        """The same extractor, sharing the network, with another whitening, or None.

        whitening : PCA or LearnedWhitening fitted on what the extractor without whitening gives
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._whiten(whitening)
        return other

    def describe(self, photo: Any) -> Vectors:
        """The descriptor of one photo, pixels uint8 (H, W, 3) or a file: float32 (dim,), of length one."""
        return self._describe([self._prepared(photo)])[0]

    def describe_with_regions(self, photo: Any, regions: Regions) -> tuple[Vectors, list[Vectors]]:
        """The descriptor of one photo, (dim,), and of each scale the regions of the same maps, (r, K), rows L2."""
        found: list[Vectors] = []

        def look(maps: torch.Tensor) -> None:
            found.append(unit(regions(maps))[0].cpu().numpy())

        return self._describe([self._prepared(photo)], look)[0], found

    def describe_all(self, photos: Iterable[Any], *, verbose: bool = True) -> Vectors:
        """The descriptors of many photos, pixels or files: float32 (n, dim).

        Takes an iterator as well, a few photos at a time; the next are decoded by a thread meanwhile.
        Raises ImageError for a file that is no photo.
        """
        total = len(photos) if isinstance(photos, Sized) else None
        parts: list[Vectors] = []
        with progress((), "describe", verbose=verbose, total=total) as bar:
            for window in windows(photos, self._prepared):
                part = np.empty((len(window), self.dim), np.float32)
                for rows in by_size(window, self.batch):
                    part[rows] = self._describe([window[row] for row in rows])
                    bar.update(len(rows))
                parts.append(part)
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def maps(self, photo: Any, scale: float = 1.0) -> NDArray[np.float32]:
        """The feature maps of one photo at one scale: float32 (k, h, w)."""
        with inference():
            images = self._forward.images([self._prepared(photo)])
            images = self._forward.scaled(images, scale, antialias=self.antialias)
            maps: NDArray[np.float32] = self._forward(images)[0].cpu().numpy()
        return np.ascontiguousarray(maps)

    def _prepared(self, photo: Any) -> Pixels:
        """A photo at the size in which it is seen."""
        if self.side is not None:
            return squared(photo, self.side, crop=self.crop)
        return fitted(photo, self.max_side)

    def _describe(
        self, photos: list[Pixels], look: Callable[[torch.Tensor], None] | None = None
    ) -> Vectors:
        """Photos of one shape to (n, dim); ``look`` is given the maps of each scale."""
        with inference():
            images = self._forward.images(photos)
            total = torch.zeros(len(photos), self._raw_dim, device=self.device)
            for scale in self.scales:
                scaled = self._forward.scaled(images, scale, antialias=self.antialias)
                maps = self._forward(scaled)
                if look is not None:
                    look(maps)
                total += unit(self._pool(maps)) ** self.p
            mean = (total / len(self.scales)) ** (1 / self.p)
            descriptors: Vectors = unit(mean).cpu().numpy()
        if self.whitening is not None:
            descriptors = l2_normalize(self.whitening.transform(descriptors))
        return descriptors

    def _take_beside(self, beside: Mapping[str, JSON]) -> None:
        """A copy computes in the same precision, on the processor."""
        precision = beside.get("precision", self.precision)
        super()._take_beside({name: v for name, v in beside.items() if name != "precision"})
        if precision != self.precision:
            self._set_up(
                self.trunk, self._pool, self.scales, self.whitening, self.antialias, "cpu", precision
            )  # fmt: skip

    def params(self) -> dict[str, JSON]:
        """What was chosen. Raises ValueError for a pooling of the user's own, which no file can hold."""
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling: a {self.pooling} cannot be saved: it is none of features.pool"
            )
        whitening = self.whitening
        return {
            "trunk": self.trunk.params(), "pooling": self.pooling, "pooling_options": self._pool.options(),
            "scales": list(self.scales), "max_side": self.max_side, "antialias": self.antialias,
            "side": self.side, "crop": self.crop,
            "whitening": None if whitening is None else [whitening.kind, whitening.params()],
        }  # fmt: skip

    def arrays(self) -> Arrays:
        """Weights of the network, pooling and whitening."""
        pool = {key: t.cpu().numpy() for key, t in self._pool.state_dict().items()}
        whitening = {} if self.whitening is None else self.whitening.arrays()
        return {
            **add_prefix("trunk", self.trunk.arrays()),
            **add_prefix("pool", pool),
            **add_prefix("whitening", whitening),
        }

    @classmethod
    def from_state(
        cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
    ) -> Extractor:
        """An extractor from its parts. Raises FileFormatError."""
        check_only(params, _PARAMS, "parameters")
        parts = {part: strip_prefix(part, arrays) for part in ("trunk", "pool", "whitening")}
        known = {f"{part}.{key}" for part, inner in parts.items() for key in inner}
        check_only(arrays, known, "arrays")
        trunk = Trunk.from_state(take_param(params, "trunk", dict), parts["trunk"])
        scales = take_param(params, "scales", list)
        try:
            name = as_choice(take_param(params, "pooling", str), "pooling", POOLINGS)
            # Without memory for values: what a file merely claims allocates nothing.
            with torch.device("meta" if name in LEARNT else "cpu"):
                pool = resolve(POOLINGS[name])(**take_param(params, "pooling_options", dict))
            tensors = {key: torch.from_numpy(np.array(a)) for key, a in parts["pool"].items()}
            if name == "rmac" and tensors.keys() == {"mean", "projection"}:
                if any(tensor.dtype != torch.float32 for tensor in tensors.values()):
                    raise ValueError("pool: expected a whitening of float32")
                pool.adopt(tensors["mean"], tensors["projection"])
            fill(pool, tensors, name)
            return cls(
                trunk,
                pooling=pool,
                scales=scales,
                max_side=take_param(params, "max_side", int),
                side=take_param(params, "side", (int, type(None))),
                crop=take_param(params, "crop", bool),
                antialias=take_param(params, "antialias", bool),
                whitening=_whitening(params.get("whitening"), parts["whitening"]),
            )
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"Extractor: {error}") from error


def whitened_dim(whitening: Any, dim: int) -> int:
    """Dimensions of descriptors of ``dim`` after a whitening, or after None.

    Raises ValueError where the whitening is of others.
    """
    if whitening is None:
        return dim
    mean, projection = whitening.affine()
    if len(mean) != dim:
        raise ValueError(f"whitening: expected one of {dim} dimensions, got {len(mean)}")
    return int(projection.shape[1])


def _whitening(chosen: JSON, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The whitening that a file holds, if any."""
    if chosen is None:
        check_only(arrays, set(), "arrays")
        return None
    kinds = {resolve(target).kind: resolve(target) for target in TRANSFORMS.values()}
    if not isinstance(chosen, list) or len(chosen) != 2 or chosen[0] not in kinds:
        raise FileFormatError(f"parameter 'whitening': got {chosen!r}")
    if not isinstance(chosen[1], dict):
        raise FileFormatError(f"parameter 'whitening': got {chosen!r}")
    return kinds[chosen[0]].from_state(chosen[1], arrays)


def _name_of(pool: Any) -> str:
    """The catalogue's name of a pooling, or its class's."""
    for name, target in POOLINGS.items():
        if type(pool).__name__ == target.partition(":")[2] and type(pool) is resolve(target):
            return name
    return type(pool).__name__


def _plain(name: str, p: float) -> Any:
    """The pooling of that name with its defaults, or None for one of the user's own."""
    if name not in PLAIN:
        return None
    make = resolve(POOLINGS[name])
    return make(p) if "p" in inspect.signature(make).parameters else make()


def _file(weights: Any, pooling: str) -> Weights:
    """What a file of weights holds; ValueError for what is no file."""
    if not isinstance(weights, (str, os.PathLike)) or weights == "random":
        raise ValueError(
            f"pooling: {pooling!r} is read from a file of weights, which has learnt it"
        )
    return read_weights(weights)


def _options(pool: Any) -> Any:
    return pool.options() if hasattr(pool, "options") else None


def _first_layer(trunk: Trunk) -> str | None:
    """The layer that is cut at where none is named."""
    from kinfold.features.backbones import METHODS

    for target in METHODS.values():
        if target.endswith(f":{trunk.name}") and trunk.layer is not None:
            return str(next(iter(resolve(target).layers)))
    return None
