"""Why two photos are alike to a network: the components that say so, and where on the photos they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.features.extract import Extractor
from kinfold.features.field import ReceptiveField, Span
from kinfold.features.pool.arrays import crow_channels, crow_places
from kinfold.images.decode import decode
from kinfold.images.resize import as_pixels

Boxes = NDArray[np.float64]

# Strides on a side of what is shown of receptive fields that are larger than the photo.
_EFFECTIVE = 6


@dataclass(frozen=True)
class Seen:
    """A photo's maps, and how their places lie on it: may stand for the photo in what this module explains."""

    maps: Vectors
    field: ReceptiveField
    effective: bool
    network: tuple[int, int]  # height and width of what the network saw
    photo: tuple[int, int]  # and of the photo itself
    placed: tuple[
        int, int, int, int
    ]  # where the whole photo lies on what the network saw: x0, y0, x1, y1

    def boxes(self, places: Any) -> Boxes:
        """Receptive fields of places (n, 2) in pixels of the photo."""
        height, width = self.network
        boxes = self.field.boxes(places, height=height, width=width).astype(np.float64)
        left, top, right, bottom = self.placed
        scale = [self.photo[1] / (right - left), self.photo[0] / (bottom - top)] * 2
        on_photo = (boxes - [left, top, left, top]) * scale
        # Places beside a photo that was padded see its edge.
        return np.clip(on_photo, 0, [self.photo[1], self.photo[0]] * 2)

    def strongest(self, channels: Ids) -> Boxes:
        """Of the places where some channels answer most; the first of equals."""
        at = self.maps[channels].reshape(len(channels), -1).argmax(axis=1)
        return self.boxes(np.stack(np.unravel_index(at, self.maps.shape[1:]), axis=1))


def see(extractor: Extractor, photo: Any) -> Seen:
    """A photo, pixels uint8 (H, W, 3) or a file, through the network at its own scale, for several explanations."""
    if isinstance(photo, Seen):
        return photo
    if isinstance(photo, (str, os.PathLike)):
        width, height = decode(photo, max_side=32).full_size
    else:
        height, width = as_pixels(photo).shape[:2]
    pixels = extractor._prepared(photo)
    maps = extractor.maps_of(pixels)
    size = (pixels.shape[0], pixels.shape[1])
    field = extractor.trunk.field(size, maps.shape[1:])
    effective = max(field.size) > max(size)
    if effective:
        field = ReceptiveField(_shrunk(field.y), _shrunk(field.x))
    seen = extractor.preprocessing
    placed = (0, 0, size[1], size[0]) if seen.size is None else seen.placed(height, width)
    return Seen(maps, field, effective, size, (height, width), placed)


@dataclass(frozen=True)
class MatchExplanation:
    """The components that contribute most to the similarity of two photos, the largest first.

    similarity : of the two descriptors at the photos' own scale; all contributions together
    components : int64 (c,)        channels of the maps
    contributions : float32 (c,)   what each adds; with a whitening it may be negative
    left, right : float64 (c, 4)   where on the two photos, x0, y0, x1, y1 in their pixels: the receptive
        field of the place where the channel answers most
    effective : whether receptive fields were larger than a photo, so that boxes of six strides stand for them
    """

    similarity: float
    components: Ids
    contributions: Vectors
    left: Boxes
    right: Boxes
    effective: bool


@dataclass(frozen=True)
class SparseChannels:
    """The channels of a photo that CroW weighs most, the heaviest first.

    channels : int64 (c,)
    weights : float32 (c,)
    boxes : c arrays float64 (m, 4)   receptive fields of the places where the channel answers, strongest first,
        x0, y0, x1, y1 in the photo's pixels
    effective : as of MatchExplanation
    """

    channels: Ids
    weights: Vectors
    boxes: tuple[Boxes, ...]
    effective: bool


def explain_match(
    extractor: Extractor, left: Any, right: Any, *, components: int = 5
) -> MatchExplanation:
    """Which components make two photos alike, and where.

    Channel k contributes f_k(left) f_k(right) to the inner product of two descriptors; after a whitening with
    mean m and projection P, (f(left) - m)_k (P P^T (f(right) - m))_k, over the lengths. For any pooling with one
    number a channel, such as MAC (Tolias, Sicre & Jegou, ICLR 2016) or GeM. Scales but 1 are left out.

    left, right : pixels uint8 (H, W, 3), files, or what ``see`` gives
    Raises ValueError for a pooling without such numbers, or a network without a receptive field.
    """
    count = as_count(components, "components")
    one, other = see(extractor, left), see(extractor, right)
    f, g = (_pooled(extractor, seen.maps) for seen in (one, other))
    if extractor.whitening is not None:
        mean, projection = (part.astype(np.float64) for part in extractor.whitening.affine())
        f, g = f - mean, g - mean
        pulled = projection @ (projection.T @ g)
        lengths = np.linalg.norm(projection.T @ f) * np.linalg.norm(projection.T @ g)
        shares = f * pulled / max(lengths, 1e-30)
    else:
        shares = f * g
    best = np.argsort(-shares, kind="stable")[:count]
    return MatchExplanation(
        float(shares.sum()), best.astype(np.int64), shares[best].astype(np.float32),
        one.strongest(best), other.strongest(best), one.effective or other.effective,
    )  # fmt: skip


def spatial_weights(extractor: Extractor, photo: Any, *, form: str = "reference") -> Vectors:
    """CroW's weight of each place of a photo's maps: float32 (h, w)."""
    weights: Vectors = crow_places(see(extractor, photo).maps[None], form)[0]
    return weights


def sparse_channels(
    extractor: Extractor, photo: Any, *, count: int = 10, places: int = 20, form: str = "reference"
) -> SparseChannels:
    """The channels that answer at the fewest places, which CroW weighs most, and those places.

    count : channels
    places : at most so many of each, the strongest
    Channels that are silent everywhere are none of them.
    """
    seen = see(extractor, photo)
    weights = crow_channels(seen.maps[None], form)[0]
    alive = seen.maps.max(axis=(1, 2)) > 0
    order = np.argsort(-np.where(alive, weights, -np.inf), kind="stable")
    best = order[: min(as_count(count, "count"), int(alive.sum()))].astype(np.int64)
    most = as_count(places, "places")
    boxes = []
    for channel in best:
        values = seen.maps[channel].ravel()
        at = np.argsort(-values, kind="stable")[: min(most, int((values > 0).sum()))]
        boxes.append(seen.boxes(np.stack(np.unravel_index(at, seen.maps.shape[1:]), axis=1)))
    return SparseChannels(best, weights[best].astype(np.float32), tuple(boxes), seen.effective)


def _shrunk(span: Span) -> Span:
    """A few strides around the centre: most of what has an effect is there (Luo et al., NIPS 2016)."""
    size = min(span.size, _EFFECTIVE * span.stride)
    first = span.first + (span.size - size) // 2
    return Span(span.stride, first, first + size - 1)


def _pooled(extractor: Extractor, maps: Vectors) -> NDArray[np.float64]:
    """The descriptor of maps (k, h, w) at one scale: one number a channel, of length one."""
    forward = extractor._forward
    with forward.computing():
        pooled = forward.numbers(extractor._pool(forward.lifted(maps[None])))[0]
    if pooled.shape != (len(maps),) or extractor.pooling in ("rmac", "flatten"):
        raise ValueError(
            f"extractor: expected a pooling with one number a channel, such as MAC or GeM, got {extractor.pooling}"
        )
    vector = pooled.astype(np.float64)
    return vector / max(float(np.linalg.norm(vector)), 1e-30)
