"""Photo files to features: decoding and local features in threads, networks beside them."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from kinfold.base.arrays import Vectors
from kinfold.base.errors import ImageError
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.base.progress import alive
from kinfold.base.registry import resolve
from kinfold.base.threads import get_threads
from kinfold.features.pool.grid import Grid
from kinfold.gallery.region_sets import RegionSets
from kinfold.gallery.settings import Settings
from kinfold.images.caption import NOTHING, Caption
from kinfold.images.decode import decode
from kinfold.images.digest import content_digest
from kinfold.images.exif import PhotoInfo
from kinfold.images.resize import Pixels, fit
from kinfold.images.walk import PhotoFile
from kinfold.local.colour import COLOURS, colours
from kinfold.local.extractors import METHODS as EXTRACTORS
from kinfold.local.sift import SIFT


@dataclass(frozen=True)
class Found:
    """What was found in one photo.

    frame : width and height of the upright original, then of the pixels that the features lie in
    """

    frame: tuple[int, int, int, int]
    info: PhotoInfo
    features: LocalFeatures
    networks: tuple[Vectors, ...] = ()
    regions: Mapping[int, RegionSets] = field(default_factory=dict)
    note: str = ""
    caption: Caption = NOTHING


@dataclass(frozen=True)
class Described:
    """What came of one file: what was found, or the reason why nothing, and its cause (see ``ImageError``)."""

    file: PhotoFile
    digest: str | None = None
    reason: str | None = None
    cause: str | None = None
    found: Found | None = None


# Stages that may take long and have no bar of their own, as they are told of.
_TOLD = {
    "learn": "learning visual words and whitenings",
    "index": "indexing",
    "search index": "learning the index of vectors",
    "graph": "finding each photo's neighbours",
    "confidence": "learning how sure answers are",
}


class Seconds:
    """Seconds spent in each stage, summed over threads.

    verbose : tell of stages that take long
    tell : is told of them too, and of how much is done: stage, done, of how much
    """

    def __init__(
        self, *, verbose: bool = False, tell: Callable[[str, int, int], None] | None = None
    ) -> None:
        self._verbose = verbose
        self.tell = tell or (lambda stage, done, of: None)
        self._lock = Lock()
        self._spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count the time of a block."""
        began = time.perf_counter()
        if stage in _TOLD:
            self.tell(_TOLD[stage], 0, 0)
        try:
            with alive(_TOLD.get(stage, stage), verbose=self._verbose and stage in _TOLD):
                yield
        finally:
            with self._lock:
                self._spent[stage] += time.perf_counter() - began

    def add(self, spent: Mapping[str, float]) -> None:
        """Count what was spent elsewhere."""
        with self._lock:
            for stage, seconds in spent.items():
                self._spent[stage] += seconds

    def to_dict(self) -> dict[str, float]:
        """Stage -> seconds."""
        with self._lock:
            return {stage: round(seconds, 4) for stage, seconds in self._spent.items()}


class Describer:
    """Describes photos as a gallery's settings say.

    weights : of each network, where an engine needs networks
    local_weights : of what finds local features, where it needs some
    Codebooks and whitenings fit features of the same fingerprint alone.
    """

    def __init__(
        self,
        settings: Settings,
        weights: Sequence[str | os.PathLike[str]],
        local_weights: Sequence[str | os.PathLike[str]] = (),
    ) -> None:
        self.settings = settings
        self._local = _local_extractor(settings, local_weights)
        self._coloured = "colour" in settings.engines
        require("cv2").setNumThreads(1)  # the threads are ours
        self._extractors: list[Any] = []
        self._regional = settings.regional_networks(len(weights))
        if weights:
            count = len(weights)
            choices = zip(settings.layers(count), settings.poolings(count), settings.images(count))
            self._extractors = [
                _extractor(file, *choice, settings) for file, choice in zip(weights, choices)
            ]
            self._regions = Grid()
            for number in self._regional:
                if (trunk := self._extractors[number].trunk).codes:
                    raise ValueError(f"regions: {trunk.layer} gives codes, which are of no region")
        self._one_at_a_time = Lock()

    @property
    def fingerprint(self) -> str:
        """Of all that changes the features."""
        colours = [COLOURS] if self._coloured else []
        regions = [f"regions{n}{'-scales' * every}" for n, every in self._regional.items()]
        return "+".join(
            [
                self._local.fingerprint,
                *colours,
                *(e.fingerprint for e in self._extractors),
                *regions,
            ]
        )

    @property
    def pooled_codes(self) -> list[str]:
        """The layers that give codes although the settings have a pooling for them."""
        poolings = self.settings.poolings(len(self._extractors)) if self._extractors else ()
        pairs = zip(self._extractors, poolings)
        return [
            e.trunk.layer or e.trunk.name
            for e, name in pairs
            if e.trunk.codes and name not in ("flatten", "cls")
        ]

    @property
    def preprocess(self) -> tuple[dict[str, Any], ...]:
        """How photos become images of each network, as the settings keep it."""
        return tuple(e.preprocessing.to_dict() for e in self._extractors)

    def extractor(self, whitening: Any) -> Any:
        """The first network with its whitening, for explanations."""
        return self._extractors[0].whitened(whitening)

    @property
    def side(self) -> int:
        """Photos need not be decoded any larger than this."""
        sides = [self.settings.max_side]
        if self._extractors:
            sides.append(self.settings.network_side)
        return max(sides)

    def local(self, pixels: Pixels) -> LocalFeatures:
        """Local features of pixels that were reduced to ``max_side``."""
        features = self._local.extract(pixels)
        if not self._coloured:
            return features
        return replace(features, colours=colours(pixels, features))

    def networks(self, pixels: Pixels) -> tuple[tuple[Vectors, ...], dict[int, RegionSets]]:
        """The descriptor (d,) of each network, and the regions of those that they are kept of."""
        if not self._extractors:
            return (), {}
        seen = fit(pixels, self.settings.network_side)
        vectors, regions = [], {}
        with self._one_at_a_time:
            for number, extractor in enumerate(self._extractors):
                if number not in self._regional:
                    vectors.append(extractor.describe(seen))
                    continue
                vector, scales = extractor.describe_with_regions(seen, self._regions)
                vectors.append(vector)
                kept = scales if self._regional[number] else scales[:1]
                regions[number] = RegionSets.of_photo(kept)
        return tuple(vectors), regions

    def files(
        self, root: Path, files: Iterable[PhotoFile], size: int, seconds: Seconds
    ) -> Iterator[list[Described]]:
        """Describe files, ``size`` at a time, in their order; the next ones are decoded meanwhile."""
        incoming = iter(files)
        workers = max(1, get_threads())
        with ThreadPoolExecutor(workers, thread_name_prefix="describe") as pool:
            waiting: list[list[Future[tuple[Described, Pixels | None]]]] = []
            try:
                while True:
                    while len(waiting) < 2 and (batch := list(islice(incoming, size))):
                        waiting.append(
                            [pool.submit(self._file, root, file, seconds) for file in batch]
                        )
                    if not waiting:
                        return
                    done = [self._with_networks(f.result(), seconds) for f in waiting.pop(0)]
                    yield done
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _file(
        self, root: Path, file: PhotoFile, seconds: Seconds
    ) -> tuple[Described, Pixels | None]:
        path = root / file.path
        try:
            with seconds.of("decode"):
                decoded = decode(path, max_side=self.side)
            with seconds.of("digest"):
                digest = content_digest(path)
            with seconds.of("local features"):
                pixels = fit(decoded.pixels, self.settings.max_side)
                features = self.local(pixels)
        except ImageError as error:
            return Described(file, reason=str(error), cause=error.cause), None
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            return Described(file, reason=reason, cause="access"), None
        except MemoryError:
            reason = "too large for the memory that is there"
            return Described(file, reason=reason, cause="memory"), None
        height, width = pixels.shape[:2]
        found = Found(
            (*decoded.full_size, width, height), decoded.info, features,
            note=decoded.note, caption=decoded.caption,
        )  # fmt: skip
        # Pixels are kept only where a network is yet to see them: a batch of them is large.
        kept = decoded.pixels if self._extractors else None
        return Described(file, digest, found=found), kept

    def _with_networks(self, pair: tuple[Described, Pixels | None], seconds: Seconds) -> Described:
        described, pixels = pair
        if pixels is None or described.found is None:
            return described
        with seconds.of("network"):
            vectors, regions = self.networks(pixels)
        found = replace(described.found, networks=vectors, regions=regions)
        return replace(described, found=found)


def _local_extractor(settings: Settings, weights: Sequence[str | os.PathLike[str]]) -> Any:
    """What finds local features. Raises ValueError where it needs other weights."""
    options: dict[str, Any] = {
        "max_features": settings.max_features,
        "max_side": settings.max_side,
    }
    if settings.features == "sift":
        if weights:
            raise ValueError("local_weights: SIFT has none; choose --features of a network")
        return SIFT(contrast_threshold=settings.contrast_threshold, **options)
    return resolve(EXTRACTORS[settings.features])(weights, **options)


def _extractor(
    file: str | os.PathLike[str],
    layer: str | None,
    pooling: str,
    preprocess: Mapping[str, Any] | None,
    settings: Settings,
) -> Any:
    """What describes photos by one network."""
    from kinfold.features.extract import Extractor
    from kinfold.features.models.load import network_of
    from kinfold.features.models.spec import Choice
    from kinfold.features.neural_codes import neural_codes
    from kinfold.features.pool import LEARNT

    network: Any = network_of(file, Choice(layer, pooling, preprocess))
    one_size = network.preprocessing.size is not None
    if not (network.maker or one_size) and (network.codes or pooling == "flatten"):
        return neural_codes(network, side=settings.square_side)
    return Extractor(
        file if pooling in LEARNT else network,
        layer=layer,
        # Codes are not pooled.
        pooling=None if network.codes and pooling != "cls" else pooling,
        p=settings.exponent,
        scales=None if one_size else settings.network_scales,
        max_side=settings.network_side,
    )
