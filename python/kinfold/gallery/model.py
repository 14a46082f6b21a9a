"""What was learnt: the engines of a gallery, and what each has of the similarity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_vectors
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
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
from kinfold.gallery import METHODS
from kinfold.gallery.engines.base import BroughtEngine, Engine, Lists, shares_of
from kinfold.gallery.engines.cnn import CNNEngine
from kinfold.gallery.engines.keeping import KeepingEngine
from kinfold.gallery.engines.regions import RegionsEngine
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.settings import Settings
from kinfold.learn.adapter import Adapter


class Model(Restorable):
    """The engines by name; the similarity of photos is the weighed sum of theirs.

    Vectors stand side by side in one, each scaled by the root of its engine's share, so that one inner product is their
    part of the sum. Inverted files and sets of regions have no vectors: ``lists`` are the engines that keep such.

    shares : of each engine, adding to one; 0 for what only second looks need
    fingerprint : of how photos are described. Vectors of different fingerprints cannot be compared.
    photos : how many it was learnt on
    brought : the engines that came learnt, but for what is each collection's own
    """

    kind: ClassVar[str] = "gallery.Model"

    def __init__(
        self,
        engines: Mapping[str, Engine],
        shares: Mapping[str, float],
        fingerprint: str,
        photos: int,
        brought: Sequence[str] = (),
    ) -> None:
        # In the catalogue's order, whatever order a file or a caller has: vectors stand side by side.
        self.engines = {name: engines[name] for name in METHODS if name in engines}
        self.shares = {name: float(shares[name]) for name in self.engines}
        self.fingerprint, self.photos, self.brought = fingerprint, photos, tuple(brought)
        keeping = {n: e for n, e in self.engines.items() if isinstance(e, KeepingEngine)}
        self.lists = {name: engine for name, engine in keeping.items() if self.shares[name] > 0}
        self._vectors: dict[str, Any] = {
            name: engine for name, engine in self.engines.items() if name not in keeping
        }

    @classmethod
    def learn(
        cls,
        segments: Iterable[PhotoSegment],
        settings: Settings,
        fingerprint: str,
        photos: int,
        brought: Mapping[str, BroughtEngine] | None = None,
    ) -> Model:
        """All engines of the settings, on all photos.

        brought : engines that were learnt elsewhere
        """
        every, there = list(segments), brought or {}
        engines: dict[str, Engine] = {
            name: there[name].suited(every, settings)
            if name in there
            else resolve(METHODS[name]).learn(every, settings)
            for name in settings.learnt_engines
        }
        shares = dict.fromkeys(engines, 0.0)
        if settings.shares:
            total = sum(settings.shares)
            shares |= {
                name: share / total for name, share in zip(settings.engines, settings.shares)
            }
        else:
            shares |= shares_of({name: engines[name] for name in settings.engines})
        return cls(engines, shares, fingerprint, photos, sorted(there.keys() & engines.keys()))

    @property
    def has_vectors(self) -> bool:
        """Whether any engine gives photos vectors."""
        return bool(self._vectors)

    @property
    def looks_at_regions(self) -> RegionsEngine | None:
        """What makes descriptors of regions, or None where no regions are kept."""
        engine = self.engines.get("regions")
        return engine if isinstance(engine, RegionsEngine) else None

    @property
    def adapters(self) -> tuple[Adapter | None, ...]:
        """Of each network, what was learnt in the place of its whitening; empty where no engine has networks."""
        engine = self.engines.get("cnn")
        return engine.adapters if isinstance(engine, CNNEngine) else ()

    def adapted(self, adapters: Sequence[Adapter | None]) -> Model:
        """The same with other adapters, or with none. Raises GalleryError where no engine has networks."""
        engine = self.engines.get("cnn")
        if not isinstance(engine, CNNEngine):
            raise GalleryError(
                f"adapters are of networks' descriptors, and the engines are {', '.join(self.engines)}: index the "
                "photos with --weights FILE"
            )
        engines = {**self.engines, "cnn": engine.adapted(adapters)}
        return Model(engines, self.shares, self.fingerprint, self.photos, self.brought)

    def vectors(self, segment: PhotoSegment) -> Vectors | None:
        """A vector for each photo of a segment, (n, dim); None where no engine gives any."""
        return self._joined({name: e.vectors(segment) for name, e in self._vectors.items()})

    def describe(
        self,
        features: LocalFeatures,
        networks: Sequence[Vectors] = (),
        regions: Mapping[int, RegionSets] | None = None,
    ) -> Vectors | None:
        """The vector of one photo, (dim,); None where no engine gives any."""
        parts = {
            name: engine.describe(features, networks, regions or {})[None]
            for name, engine in self._vectors.items()
        }
        joined = self._joined(parts)
        return None if joined is None else joined[0]

    def joined(self, vectors: Mapping[str, Any], photo: PhotoSegment) -> Vectors:
        """The vector of a photo, (dim,), of what each engine that gives vectors gives of it.

        photo : one of the gallery's, whose vectors say how long they are
        Raises ValueError for other engines, or other lengths.
        """
        if set(vectors) != set(self._vectors):
            wanted, got = ", ".join(self._vectors), ", ".join(vectors) or "none"
            raise ValueError(f"vector: expected one of each of {wanted}, got {got}")
        dims = {name: engine.vectors(photo).shape[1] for name, engine in self._vectors.items()}
        parts = {
            name: as_vectors(vectors[name], "vector", dim=dim, one=True)
            for name, dim in dims.items()
        }
        return self._joined(parts)[0]  # type: ignore[index]

    def empty(self) -> dict[str, Lists]:
        """What the engines without vectors keep photos in, without photos."""
        return {name: engine.empty() for name, engine in self.lists.items()}

    def _joined(self, parts: Mapping[str, Vectors]) -> Vectors | None:
        weighed = [part * np.float32(self.shares[name] ** 0.5) for name, part in parts.items()]
        return np.concatenate(weighed, axis=1) if weighed else None

    def params(self) -> dict[str, JSON]:
        return {
            "engines": {name: engine.params() for name, engine in self.engines.items()},
            "shares": self.shares,
            "fingerprint": self.fingerprint,
            "photos": self.photos,
            **({"brought": list(self.brought)} if self.brought else {}),
        }

    def arrays(self) -> Arrays:
        arrays: Arrays = {}
        for name, engine in self.engines.items():
            arrays |= add_prefix(name, engine.arrays())
        return arrays

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Model:
        check_only(params, {"engines", "shares", "fingerprint", "photos", "brought"}, "parameters")
        chosen = take_param(params, "engines", dict)
        shares = take_param(params, "shares", dict)
        check_only(chosen, set(METHODS), "engines")
        check_only({n: 0 for n in arrays if n.split(".")[0] not in chosen}, set(), "arrays")
        if set(shares) != set(chosen) or not chosen:
            raise FileFormatError("parameter 'shares': expected one for each engine")
        brought = take_param(params, "brought", list) if "brought" in params else []
        if not all(isinstance(name, str) and name in chosen for name in brought):
            raise FileFormatError("parameter 'brought': expected names of engines")
        for share in shares.values():
            if type(share) not in (int, float) or not 0 <= share <= 1:
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
            brought,
        )
