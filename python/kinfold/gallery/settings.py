"""What a gallery was made with. It is stored in the manifest and stays the same for the gallery's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kinfold.base.arrays import as_choice, as_count, as_number
from kinfold.base.errors import FileFormatError

# What a user may choose: an engine alone, or several whose similarities are added.
ENGINES: dict[str, tuple[str, ...]] = {
    "asmk": ("vlad", "asmk"),
    "vlad": ("vlad",),
    "cnn": ("cnn",),
    "asmk+cnn": ("cnn", "asmk"),
    "both": ("vlad", "cnn"),
}


@dataclass(frozen=True)
class Settings:
    """The parameters of a gallery.

    engine : "asmk" (local features compared word by word, and their VLAD; no weights needed), "vlad" (one vector of
        local features), "cnn" (a network's descriptors), "asmk+cnn", or "both" (VLAD and the network's)
    max_side : photos are reduced to this side before local features are found
    max_features : local features of a photo
    contrast_threshold : the weakest local features that count, see ``local.SIFT``
    codewords : size of the VLAD codebook
    visual_words : size of ASMK's codebook; less where there are few features
    match_share : of the similarity that is ASMK's, where another engine is used beside it
    dim, network_dim : length of the engines' descriptors after PCA-whitening; less where there are fewer photos
    whitening : exponent of the whitening: 0.5 evens all variances out, 0 none
    network_side, network_scales, pooling, exponent : of the network, see ``features.Extractor``
    network_share : of the similarity where both engines are used
    neighbours : length of the neighbour lists of the graph for diffusion
    seed : of the codebook
    """

    engine: str = "asmk"
    max_side: int = 800
    max_features: int = 1500
    contrast_threshold: float = 0.01
    codewords: int = 128
    visual_words: int = 16384
    match_share: float = 0.85
    dim: int = 128
    whitening: float = 0.25
    network_side: int = 640
    network_scales: tuple[float, ...] = (1.0, 2**-0.5, 0.5)
    pooling: str = "gem"
    exponent: float = 3.0
    network_dim: int = 256
    network_share: float = 0.5
    neighbours: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        as_choice(self.engine, "engine", ENGINES)
        as_count(self.max_side, "max_side", least=32, most=1 << 16)
        as_count(self.max_features, "max_features", most=1 << 16)
        as_number(self.contrast_threshold, "contrast_threshold", least=0, most=1)
        as_count(self.codewords, "codewords", most=1 << 16)
        as_count(self.visual_words, "visual_words", most=1 << 20)
        as_number(self.match_share, "match_share", least=0, most=1)
        as_count(self.dim, "dim", most=1 << 16)
        as_number(self.whitening, "whitening", least=0, most=1)
        as_count(self.network_side, "network_side", least=32, most=1 << 16)
        if not self.network_scales:
            raise ValueError("network_scales: expected at least one scale")
        for scale in self.network_scales:
            as_number(scale, "network_scales", least=0.01, most=8)
        as_number(self.exponent, "exponent", least=1e-3, most=1e3)
        as_count(self.network_dim, "network_dim", most=1 << 16)
        as_number(self.network_share, "network_share", least=0, most=1)
        as_count(self.neighbours, "neighbours", most=10_000)
        as_count(self.seed, "seed", least=0)

    @property
    def engines(self) -> tuple[str, ...]:
        """The names of the engines that are used."""
        return ENGINES[self.engine]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "network_scales": list(self.network_scales)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """From a manifest. Raises FileFormatError for what this version does not know."""
        known = {field.name for field in fields(cls)}
        if not isinstance(data, Mapping) or set(data) != known:
            raise FileFormatError("settings: expected those of this version")
        try:
            return cls(**{**data, "network_scales": tuple(data["network_scales"])})
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"settings: {error}") from error
