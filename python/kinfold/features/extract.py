"""Global descriptors of photos: a network, a pooling, several scales, and a whitening."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_count, as_number
from kinfold.base.errors import FileFormatError
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
from kinfold.features.batches import by_size, squared, windows
from kinfold.features.models.load import network_of
from kinfold.features.models.spec import Choice
from kinfold.features.network import Network
from kinfold.features.pool.grid import Grid
from kinfold.features.pooling import (
    CLASS_TOKEN,
    POOLINGS,
    arrays_of,
    options_of,
    plain_options,
    pooling_of,
    restored,
)
from kinfold.features.preprocess import Preprocessing
from kinfold.features.whitening import restored_whitening, whitened_dim
from kinfold.images.resize import Pixels
from kinfold.transform.normalize import l2_normalize

_MOST_SCALES = 100
SCALES = (1.0, 2**-0.5, 0.5)
_PARAMS = {
    "trunk", "pooling", "pooling_options", "scales", "max_side", "side", "crop", "antialias", "whitening",
}  # fmt: skip


class Extractor(Restorable):
    """Describe photos by pooled feature maps of a trained network, at several scales.

    Radenovic, Tolias & Chum, PAMI 2019: maps of the last convolution, pooled, L2; over the scales a power mean
    with exponent p for GeM, else the mean; L2; where there is a whitening, whitened, L2. Aspect is kept.

    Parameters
    ----------
    weights : path of trained weights (safetensors, or a state dict of torch), a name of a package of weights such as
        "efficientnet-lite2", or a model of another maker: "model.onnx", "timm:NAME", "open_clip:FOLDER", "net.pt2", see
        ``features.models``; "random" for a network that has learnt nothing, with an architecture; or an ``nn.Module``
        of your own from normalised pixels to maps
    architecture : name from ``features.backbones``; None to tell it from the weights
    layer : where to cut, a name from the network's ``layers``, or of a module of it; of other makers' models the
        output; None for its first
    pooling : name from ``features.pool``, or such a module; "mean", as "spoc"; "cls" for the class token of a
        transformer; "learnt-rmac" for what a file of weights holds beside the network (learn.regions). None for "gem",
        or for nothing to do where the network gives one vector
    p : exponent of GeM by name; other poolings have none
    scales : sides relative to the photo as fitted to max_side; None for 1, .71 and .5, or 1 for images of one size
    max_side : the longer side of larger photos is reduced to this
    preprocess : what images the network expects, where the model does not say it or says it wrongly: a JSON file, a
        dictionary or a name, see ``features.preprocess.as_preprocessing``
    side : photos become squares of this side instead, and are seen at one scale: see features.neural_codes
    crop : how they do, see features.batches.squared
    whitening : fitted on the descriptors of other photos: PCA or LearnedWhitening; see also ``whitened``
    antialias : average over the area that a pixel of a smaller scale covers; False is what published code does
    device : where torch computes, such as "cpu" or "cuda"
    precision : of the network: "float32", "bfloat16", "float16"; a CPU without half precision computes in float32
    batch : photos of equal size that go through the network together
    seed : of random weights

    Saved by ``kinfold.save`` with weights and whitening in one file; ``kinfold.load`` gives the same descriptors.
    Models of other makers stay files of their own.
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
        pooling: Any = None,
        p: float = 3.0,
        scales: Sequence[float] | None = None,
        max_side: int = 1024,
        side: int | None = None,
        crop: bool = False,
        preprocess: Any = None,
        whitening: Any = None,
        antialias: bool = True,
        device: str = "cpu",
        precision: str = "float32",
        batch: int = 4,
        seed: int = 0,
    ) -> None:
        exponent = as_number(p, "p", least=1e-3, most=1e3)
        self.max_side = as_count(max_side, "max_side", least=32)
        self.batch = as_count(batch, "batch")
        trunk = network_of(
            weights, Choice(layer, pooling, preprocess), architecture=architecture, seed=seed
        )
        pool, self.pooling = pooling_of(pooling, exponent, trunk, weights)
        self.side = (
            None if side is None else as_count(side, "side", least=trunk.least_side, most=4096)
        )
        self.crop = bool(crop)
        one_size = self.side is not None or trunk.preprocessing.size is not None
        _check_size(trunk, self.side, self.pooling, one_size)
        self._set_up(
            trunk, pool, _scales(scales, one_size), whitening, bool(antialias), device, precision
        )

    def _set_up(
        self, trunk: Network, pool: Any, scales: tuple[float, ...], whitening: Any, antialias: bool,
        device: str, precision: str,
    ) -> None:  # fmt: skip
        self.trunk: Any = trunk
        self.scales, self.antialias = scales, antialias
        self._forward: Any = trunk.runs(device, precision)
        self.device, self.precision = self._forward.device, self._forward.precision
        self._maps = self._forward.module
        self._pool = self._forward.placed(pool)
        self.p = float(pool.p) if hasattr(pool, "p") else 1.0
        if getattr(pool, "channels", trunk.dim) != trunk.dim:
            raise ValueError(
                f"layer: the pooling was learnt on {pool.channels} maps, this layer gives {trunk.dim}"
            )
        self._raw_dim = self._forward.pooled_dim(self._pool, self._maps_shape())
        self._whiten(whitening)

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos become images of the network, where ``side`` does not say it."""
        seen: Preprocessing = self.trunk.preprocessing
        return seen

    def _maps_shape(self) -> tuple[int, ...]:
        """Of what the network gives; any places will do where they are pooled."""
        size = (self.side, self.side) if self.side is not None else self.preprocessing.size
        if size is not None and self.pooling in ("flatten", CLASS_TOKEN):
            shape: tuple[int, ...] = self._forward.shape(*size)
            return shape
        return (1, self.trunk.dim) if self.trunk.codes else (1, self.trunk.dim, 4, 4)

    def _whiten(self, whitening: Any) -> None:
        self.whitening = whitening
        self.dim = whitened_dim(whitening, self._raw_dim)
        self.fingerprint = self._fingerprint()

    def _fingerprint(self) -> str:
        """Of all that changes the descriptors."""
        trunk, seen = self.trunk, self.preprocessing
        settings: list[Any] = [
            1, trunk.source, trunk.name, seen.mean, seen.std, self.pooling, self.p, self.scales,
            self.max_side,
        ]  # fmt: skip
        # What has its default is not named: fingerprints of galleries stay what they were.
        named = {
            "layer": (trunk.layer, _first_layer(trunk)),
            "options": (options_of(self._pool), plain_options(self.pooling, self.p, trunk)),
            "preprocess": (seen.to_dict(), seen.at_any_size().to_dict()),
            "antialias": (self.antialias, True),
            "precision": (self.precision, "float32"),
            "side": (self.side, None),
            "crop": (self.crop, False),
        }
        settings += [[key, value] for key, (value, default) in named.items() if value != default]
        digest = hashlib.blake2b(json.dumps(settings).encode(), digest_size=16)
        parts = [array for key, array in arrays_of(self._pool).items() if key != "p"]
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

    def describe_with_regions(self, photo: Any, regions: Grid) -> tuple[Vectors, list[Vectors]]:
        """The descriptor of one photo, (dim,), and of each scale the regions of the same maps, (r, K), rows L2.

        regions : which there are; ``pool.grid.Grid`` or ``pool.regions.Regions``
        """
        found: list[Vectors] = []
        forward = self._forward

        def look(maps: Any) -> None:
            largest = forward.maxima(maps, regions.boxes(*maps.shape[-2:]))
            found.append(forward.numbers(forward.unit(largest)[0]))

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
        return self.maps_of(self._prepared(photo), scale)

    def maps_of(self, pixels: Pixels, scale: float = 1.0) -> NDArray[np.float32]:
        """The same of pixels that have the size in which a photo is seen."""
        forward = self._forward
        with forward.computing():
            images = forward.images([pixels])
            images = forward.scaled(images, scale, antialias=self.antialias)
            maps = forward.numbers(forward(images)[0])
        return np.ascontiguousarray(maps)

    def _prepared(self, photo: Any) -> Pixels:
        """A photo at the size in which it is seen."""
        if self.side is not None:
            return squared(photo, self.side, crop=self.crop)
        return self.preprocessing.prepared(photo, self.max_side)

    def _describe(self, photos: list[Pixels], look: Callable[[Any], None] | None = None) -> Vectors:
        """Photos of one shape to (n, dim); ``look`` is given the maps of each scale."""
        forward = self._forward
        with forward.computing():
            images = forward.images(photos)
            total = 0.0
            for scale in self.scales:
                maps = forward(forward.scaled(images, scale, antialias=self.antialias))
                if look is not None:
                    look(maps)
                total = total + forward.unit(self._pool(maps)) ** self.p
            mean = (total / len(self.scales)) ** (1 / self.p)
            descriptors: Vectors = forward.numbers(forward.unit(mean))
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
        if self.trunk.maker:
            raise ValueError(
                f"weights: a model of {self.trunk.maker} cannot be saved: it stays a file of its own"
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
        pool = arrays_of(self._pool)
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
        from kinfold.features.trunk import Trunk

        trunk = Trunk.from_state(take_param(params, "trunk", dict), parts["trunk"])
        scales = take_param(params, "scales", list)
        try:
            name = take_param(params, "pooling", str)
            pool = restored(name, take_param(params, "pooling_options", dict), parts["pool"])
            return cls(
                trunk,
                pooling=pool,
                scales=scales,
                max_side=take_param(params, "max_side", int),
                side=take_param(params, "side", (int, type(None))),
                crop=take_param(params, "crop", bool),
                antialias=take_param(params, "antialias", bool),
                whitening=restored_whitening(params.get("whitening"), parts["whitening"]),
            )
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"Extractor: {error}") from error


def _scales(given: Sequence[float] | None, one_size: bool) -> tuple[float, ...]:
    """Those that were chosen, or what suits; images of one size have one scale."""
    if given is None:
        return (1.0,) if one_size else SCALES
    if not 0 < len(given) <= _MOST_SCALES:
        few = "at least one" if len(given) == 0 else f"at most {_MOST_SCALES}, got {len(given)}"
        raise ValueError(f"scales: expected {few}")
    scales = tuple(as_number(scale, "scales", least=0.01, most=8) for scale in given)
    if one_size and scales != (1.0,):
        raise ValueError(f"scales: expected one scale of squares, (1.0,), got {scales}")
    return scales


def _check_size(network: Network, side: int | None, pooling: str, one_size: bool) -> None:
    """ValueError for codes, and maps that are taken whole, of images of any size, and for a second word on sizes."""
    if side is not None and (network.maker or network.preprocessing.size is not None):
        raise ValueError(
            f"side: expected none, as {network.name} says what images it takes; preprocess= says it otherwise"
        )
    codes = network.codes and not network.maker
    if not one_size and (codes or (pooling == "flatten" and not network.codes)):
        what = f"{network.layer!r} gives codes of" if codes else "pooling 'flatten' needs"
        raise ValueError(f"side: {what} images of one size: see features.neural_codes")
    if network.codes and pooling not in ("flatten", CLASS_TOKEN):
        raise ValueError(f"pooling: expected 'flatten' for codes, got {pooling!r}")


def _first_layer(trunk: Network) -> str | None:
    """The layer that is cut at where none is named."""
    from kinfold.features.backbones import METHODS

    for target in METHODS.values():
        if target.endswith(f":{trunk.name}") and trunk.layer is not None:
            return str(next(iter(resolve(target).layers)))
    return None
