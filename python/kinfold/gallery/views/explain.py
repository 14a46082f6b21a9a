"""Why a gallery's network finds photos alike, as a page shows it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import ImageError
from kinfold.gallery.describe import Describer
from kinfold.gallery.engines.cnn import CNNEngine
from kinfold.gallery.model import Model
from kinfold.gallery.query import Query
from kinfold.report.seen import Attention, Components

# Components of a pair, channels of the query, and places of each, that a page shows.
_COMPONENTS, _CHANNELS, _PLACES = 6, 10, 12
# Poolings with one number a channel.
_POOLINGS = ("mac", "spoc", "mean", "gem", "crow")


def explainer_of(model: Model, describer: Describer, query: Query) -> Explainer | None:
    """What explains a query by the gallery's first network; None without, or where channels are not kept apart."""
    engine = model.engines.get("cnn")
    if not isinstance(engine, CNNEngine):
        return None
    if describer.settings.pooling.partition("+")[0] not in _POOLINGS:
        return None
    extractor = describer.extractor(engine.whitening)
    if extractor.side is not None or extractor.trunk.codes:
        return None
    return Explainer(extractor, query)


class Explainer:
    """Explains a query and its results by a network whose pooling gives one number a channel.

    extractor : features.Extractor, with the gallery's whitening
    """

    def __init__(self, extractor: Any, query: Query) -> None:
        from kinfold.features.explain import see

        self.extractor, self._query = extractor, query
        self._seen = see(extractor, query.crop)

    def attention(self) -> Attention:
        """Where the network looks in the query."""
        from kinfold.features.explain import sparse_channels, spatial_weights

        rare = sparse_channels(self.extractor, self._seen, count=_CHANNELS, places=_PLACES)
        return Attention(
            spatial_weights(self.extractor, self._seen),
            self._query.area,
            rare.channels,
            rare.weights,
            [self._placed(boxes) for boxes in rare.boxes],
            rare.effective,
        )

    def components(self, photos: Iterable[Path | None]) -> list[Components | None]:
        """What each photo has in common with the query; None for one that is not there or cannot be read."""
        return [None if photo is None else self._components(photo) for photo in photos]

    def _components(self, photo: Path) -> Components | None:
        from kinfold.features.explain import explain_match

        try:
            shared = explain_match(self.extractor, self._seen, photo, components=_COMPONENTS)
        except (ImageError, OSError):
            return None
        return Components(
            shared.similarity,
            shared.components,
            shared.contributions,
            self._placed(shared.left),
            shared.right,
            shared.effective,
        )

    def _placed(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes of the query's pixels as they were described, in those of the upright original."""
        x0, y0, x1, y1 = self._query.area
        height, width = self._query.crop.shape[:2]
        scale = np.array([(x1 - x0) / width, (y1 - y0) / height] * 2)
        return boxes * scale + np.array([x0, y0] * 2)
