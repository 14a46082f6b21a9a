"""What was learnt: the engines together, whose weighed vectors stand side by side in one vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.registry import resolve
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take_param
from kinfold.gallery import METHODS
from kinfold.gallery.engines.asmk import ASMKEngine
from kinfold.gallery.engines.base import Learnt
from kinfold.gallery.segment import Segment
from kinfold.gallery.settings import Settings
from kinfold.local.asmk import ASMK

# The share of an engine in the similarity of vectors, where it is not alone.
_SHARES = {"vlad": lambda weight: 1 - weight, "cnn": lambda weight: weight}


class Model:
    """Photos to vectors of length one; their inner product is the weighed sum of the engines' similarities.

    ASMK has no vectors: ``lists`` is its empty inverted file, or None where it is not used, and ``shares`` says
    what it has of the whole similarity.

    fingerprint : of how photos are described. Vectors of different fingerprints cannot be compared.
    """

    kind: ClassVar[str] = "gallery.Model"

    def __init__(
        self,
        engines: Mapping[str, Learnt],
        shares: Mapping[str, float],
        fingerprint: str,
        photos: int,
    ) -> None:
        # In the catalogue's order, whatever order a file or a caller has: vectors stand side by side.
        self.engines = {name: engines[name] for name in METHODS if name in engines}
        self._vectors: dict[str, Any] = {
            name: engine for name, engine in self.engines.items() if name != "asmk"
        }
        self.fingerprint, self.photos = fingerprint, photos
        self.shares = dict(shares)

    @classmethod
    def learn(
        cls, segments: Iterable[Segment], settings: Settings, fingerprint: str, photos: int
    ) -> Model:
        """All engines of the settings, on all photos."""
        held = list(segments)
        engines = {name: resolve(METHODS[name]).learn(held, settings) for name in settings.engines}
        shares = {name: 1.0 for name in engines}
        if len(shares.keys() - {"asmk"}) > 1:
            shares = {name: _SHARES[name](settings.network_share) for name in engines}
        if "asmk" in engines:
            shares["asmk"] = settings.match_share
        return cls(engines, shares, fingerprint, photos)

    def vectors(self, segment: Segment) -> Vectors:
        """A vector for each photo of a segment, (n, dim)."""
        return self._joined({name: e.vectors(segment) for name, e in self._vectors.items()})

    def describe(self, features: LocalFeatures, raw: Vectors | None) -> Vectors:
        """The vector of one photo, (dim,)."""
        parts = {name: e.describe(features, raw)[None, :] for name, e in self._vectors.items()}
        return self._joined(parts)[0]

    @property
    def match_share(self) -> float:
        """What ASMK has of the similarity of photos."""
        return self.shares.get("asmk", 0.0)

    def lists(self) -> ASMK | None:
        """ASMK's inverted file without photos."""
        engine = self.engines.get("asmk")
        return engine.empty() if isinstance(engine, ASMKEngine) else None

    def _joined(self, parts: Mapping[str, Vectors]) -> Vectors:
        weighed = [part * np.float32(self.shares[name] ** 0.5) for name, part in parts.items()]
        return np.concatenate(weighed, axis=1)

    def params(self) -> dict[str, JSON]:
        return {
            "engines": {name: engine.params() for name, engine in self.engines.items()},
            "shares": self.shares,
            "fingerprint": self.fingerprint,
            "photos": self.photos,
        }

    def arrays(self) -> Arrays:
        arrays: Arrays = {}
        for name, engine in self.engines.items():
            arrays |= add_prefix(name, engine.arrays())
        return arrays

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Model:
        check_only(params, {"engines", "shares", "fingerprint", "photos"}, "parameters")
        chosen = take_param(params, "engines", dict)
        shares = take_param(params, "shares", dict)
        check_only(chosen, set(METHODS), "engines")
        if set(shares) != set(chosen) or not set(chosen) - {"asmk"}:
            raise FileFormatError("parameter 'shares': expected one for each engine")
        for share in shares.values():
            if not isinstance(share, (int, float)) or not 0 <= share <= 1:
                raise FileFormatError(f"parameter 'shares': got {share!r}")
        engines = {
            name: resolve(METHODS[name]).from_state(state, strip_prefix(name, arrays))
            for name, state in chosen.items()
        }
        return cls(
            engines,
            shares,
            take_param(params, "fingerprint", str),
            take_param(params, "photos", int),
        )
