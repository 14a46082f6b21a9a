"""What a gallery was made with. It is stored in the manifest and stays the same for the gallery's life."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from kinfold.base.arrays import as_choice, as_count, as_number
from kinfold.base.errors import FileFormatError
from kinfold.features.preprocess import as_preprocessing
from kinfold.gallery import METHODS
from kinfold.gallery.vector_search import AUTO, checked_spelling
from kinfold.local.extractors import METHODS as EXTRACTORS

T = TypeVar("T")
# Networks that a gallery may describe photos by.
MOST_NETWORKS = 4
# Files of weights that what finds local features may need.
MOST_LOCAL_WEIGHTS = 3
# The way back from a gallery that this version cannot go on with.
REMAKE = "kinfold index PHOTOS -o GALLERY --remake makes it anew from the photos"
# Names for several engines together.
ALIASES = {"both": "vlad+cnn"}
# A photo is looked at once for each.
_MOST_SCALES = 16
POOLINGS = (
    "gem", "mac", "spoc", "mean", "spoc-centre", "crow", "rmac", "cls", "flatten", "learnt-rmac",
)  # fmt: skip
# What galleries of before lack: they have its default.
_SINCE = {"layer", "square_side", "search", "regions", "features", "preprocess"}


def engines_of(engine: str) -> tuple[str, ...]:
    """The names of the engines of "a", "a+b", .... Raises ValueError for an unknown one, or one twice."""
    names = tuple(ALIASES.get(engine, engine).split("+")) if isinstance(engine, str) else ()
    if not names or not set(names) <= set(METHODS) or len(set(names)) < len(names):
        raise ValueError(
            f"engine: expected one of {', '.join(METHODS)}, or several joined by +, got {engine!r}"
        )
    return names


# ``kinfold index --fast``: settings of a gallery of one vector a photo, for ``Gallery.create(path, **FAST)``.
FAST: dict[str, Any] = {"engine": "tembedding", "max_side": 480, "max_features": 500}


@dataclass(frozen=True)
class Settings:
    """The parameters of a gallery.

    engine : of ``gallery.METHODS``, or several joined by +, whose similarities are added: "asmk" (local features
        compared word by word), "bow" (the same as visual words with signatures), "vlad", "fisher" and "tembedding" (one
        vector of local features), "colour" (one of the colours around them), "cnn" (networks' descriptors); "both" is
        "vlad+cnn"
    shares : of the similarity, one for each engine in that order; () for what each engine proposes
    features : what finds local features, of ``local.extractors.METHODS``: "sift", or a network's name
    max_side : photos are reduced to this side before local features are found
    max_features : local features of a photo
    contrast_threshold : the weakest of SIFT's features that count, see ``local.SIFT``; networks have their own
    codewords : size of the VLAD codebook; Fisher vectors have half as many Gaussians
    colour_codewords : size of the codebook of colours
    visual_words : size of ASMK's codebook; less where there are few features
    centroids : of the triangulation embedding; fewer where there are few descriptors to learn from
    dim, network_dim : length of the engines' descriptors after PCA-whitening; less where there are fewer photos
    whitening : exponent of the whitening: 0.5 evens all variances out, 0 none
    network_side, network_scales, exponent : of networks, see ``features.Extractor``
    layer : of networks, where they are cut: "fc6", "conv5", the name of a module, see ``features.backbones.cut``; None
        for the maps that retrieval uses; several joined by + are one for each network
    pooling : of networks, one of POOLINGS: names of ``features.pool``, and SPoC with its centre prior; several joined
        by + are one for each network. "learnt-rmac" is what weights of ``kinfold train dir`` hold beside the network.
        Layers that give codes have none
    preprocess : how photos become images of each network, as ``features.preprocess.Preprocessing.to_dict`` has it; ()
        in galleries of before, whose networks say it themselves
    square_side : photos become squares of this side, seen once, for layers that give codes and for "flatten"
    regions : keep the regions of the first network's maps too, for second looks at them; the engine "regions" does so
    search : the index under the vectors, as ``index_factory`` spells it; "Flat" for the exhaustive scan, "auto" for
        that or an index, by the number of photos
    neighbours : length of the neighbour lists of the graph for diffusion
    seed : of the codebook
    """

    engine: str = "asmk+tembedding+colour"
    shares: tuple[float, ...] = ()
    features: str = "sift"
    max_side: int = 800
    max_features: int = 1500
    contrast_threshold: float = 0.01
    codewords: int = 128
    colour_codewords: int = 256
    visual_words: int = 16384
    centroids: int = 16
    dim: int = 128
    whitening: float = 0.25
    network_side: int = 640
    network_scales: tuple[float, ...] = (1.0, 2**-0.5, 0.5)
    layer: str | None = None
    pooling: str = "gem"
    preprocess: tuple[Mapping[str, Any] | None, ...] = ()
    square_side: int = 224
    exponent: float = 3.0
    network_dim: int = 256
    regions: bool = False
    search: str = AUTO
    neighbours: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        names = engines_of(self.engine)
        for share in self.shares:
            as_number(share, "shares", least=0, most=1)
        if self.shares and (len(self.shares) != len(names) or not sum(self.shares)):
            raise ValueError(
                f"shares: expected one for each of {len(names)} engines, got {self.shares}"
            )
        as_choice(self.features, "features", EXTRACTORS)
        as_count(self.max_side, "max_side", least=32, most=1 << 16)
        as_count(self.max_features, "max_features", most=1 << 16)
        as_number(self.contrast_threshold, "contrast_threshold", least=0, most=1)
        as_count(self.codewords, "codewords", most=1 << 16)
        as_count(self.colour_codewords, "colour_codewords", most=1 << 16)
        as_count(self.visual_words, "visual_words", most=1 << 20)
        as_count(self.centroids, "centroids", least=2, most=1024)
        as_count(self.dim, "dim", most=1 << 16)
        as_number(self.whitening, "whitening", least=0, most=1)
        as_count(self.network_side, "network_side", least=32, most=1 << 16)
        if not 0 < len(self.network_scales) <= _MOST_SCALES:
            raise ValueError(
                f"network_scales: expected 1 to {_MOST_SCALES} scales, got {len(self.network_scales)}"
            )
        for scale in self.network_scales:
            as_number(scale, "network_scales", least=0.01, most=8)
        for layer in [] if self.layer is None else self.layer.split("+"):
            if not re.fullmatch(r"[\w.:/-]+", layer):
                raise ValueError(f"layer: expected names of layers joined by +, got {self.layer!r}")
        as_count(self.square_side, "square_side", least=32, most=4096)
        for name in self.pooling.split("+") if isinstance(self.pooling, str) else [self.pooling]:
            as_choice(name, "pooling", POOLINGS)
        for seen in self.preprocess:
            if seen is not None and as_preprocessing(seen).to_dict() != seen:
                raise ValueError(
                    f"preprocess: expected what Preprocessing.to_dict gives, got {seen!r}"
                )
        as_number(self.exponent, "exponent", least=1e-3, most=1e3)
        as_count(self.network_dim, "network_dim", most=1 << 16)
        if not isinstance(self.regions, bool):
            raise ValueError(f"regions: expected True or False, got {self.regions!r}")
        checked_spelling(self.search)
        as_count(self.neighbours, "neighbours", most=10_000)
        as_count(self.seed, "seed", least=0)

    def poolings(self, networks: int) -> tuple[str, ...]:
        """One for each network. Raises ValueError where there is another number of them."""
        return _each(self.pooling.split("+"), networks, "pooling")

    def layers(self, networks: int) -> tuple[str | None, ...]:
        """One for each network. Raises ValueError where there is another number of them."""
        given = [None] if self.layer is None else self.layer.split("+")
        return _each(given, networks, "layer")

    def images(self, networks: int) -> tuple[Mapping[str, Any] | None, ...]:
        """How photos become images, of each network; None where it says so itself. Raises as ``poolings``."""
        return _each(self.preprocess or (None,), networks, "preprocess")

    def regional_networks(self, networks: int) -> dict[int, bool]:
        """The networks whose regions are kept, and whether at every scale, as R-MAC needs them."""
        poolings = self.poolings(networks)
        first = self.looks_at_regions
        return {
            number: name == "rmac"
            for number, name in enumerate(poolings)
            if name == "rmac" or (first and number == 0)
        }

    @property
    def looks_at_regions(self) -> bool:
        """Whether the first network's regions are compared, by an engine or second looks."""
        return self.regions or "regions" in self.engines

    @property
    def learnt_engines(self) -> tuple[str, ...]:
        """The names of the engines that are learnt: those that are used, and what second looks need besides."""
        beside = ("regions",) if self.regions and "regions" not in self.engines else ()
        return (*self.engines, *beside)

    @property
    def engines(self) -> tuple[str, ...]:
        """The names of the engines that are used."""
        return engines_of(self.engine)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """From a manifest. Raises FileFormatError for what this version does not know."""
        known = {field.name for field in fields(cls)}
        if not isinstance(data, Mapping) or not known - _SINCE <= set(data) <= known:
            raise FileFormatError(f"settings: are those of another version; {REMAKE}")
        try:
            tuples = {
                name: tuple(data[name])
                for name in ("network_scales", "shares", "preprocess")
                if name in data
            }
            return cls(**{**data, **tuples})
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"settings: {error}") from error


def _each(given: Sequence[T], networks: int, what: str) -> tuple[T, ...]:
    """What was given, for each of several networks."""
    if len(given) not in (1, networks):
        raise ValueError(
            f"{what}: expected one, or one for each of {networks} networks, got {len(given)}"
        )
    return tuple(given) * (networks if len(given) == 1 else 1)
