"""How well a network in training finds photos: the score that decides when to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from kinfold.base.arrays import as_ids
from kinfold.evaluate.average_precision import average_precision


def retrieval_score(describe: Callable[[Any], Any], labels: Any) -> Callable[[Any], float]:
    """A function network -> mAP of retrieval among some photos, each of which is a query once.

    describe : network -> descriptors (n, d) of length one, such as those of ``neural_codes(network, layer=None)``
    labels : int (n,)    photos of equal labels show one thing; those that are alone are never asked for
    The photos should be none of those that are learnt from.
    """
    ids = as_ids(labels, "labels")

    def score(network: Any) -> float:
        vectors = np.asarray(describe(network), np.float32)
        if len(vectors) != len(ids):
            raise ValueError(f"describe: expected {len(ids)} descriptors, got {len(vectors)}")
        similarities = vectors @ vectors.T
        precisions = []
        for query, row in enumerate(similarities):
            positives = np.flatnonzero(ids == ids[query])
            if len(positives) > 1:
                ranked = np.argsort(-row, kind="stable")
                precisions.append(average_precision(ranked, positives[positives != query], [query]))
        return float(np.mean(precisions)) if precisions else 0.0

    return score


def describe_by(
    photos: Sequence[Any], *, layer: str | None = None, side: int = 224, **options: Any
) -> Callable[[Any], Any]:
    """A function network -> neural codes of some photos: the ``describe`` of retrieval_score.

    layer : name from the network's ``layers``; None for its first
    options : further ones of ``neural_codes``
    """
    from kinfold.features.neural_codes import neural_codes

    def describe(network: Any) -> Any:
        codes = neural_codes(_part(network, layer), layer=None, side=side, **options)
        return codes.describe_all(photos, verbose=False)

    return describe


def describe_pooled(
    photos: Sequence[Any], *, layer: str | None = None, pooling: Any = "gem", max_side: int = 320
) -> Callable[[Any], Any]:
    """A function network -> pooled maps of some photos in their own aspect: the ``describe`` of retrieval_score.

    network : of ``features.backbones``, or a module whose ``backbone`` is one
    pooling : name from ``features.pool``, or such a module, as it is then
    """
    from kinfold.features.extract import Extractor

    def describe(network: Any) -> Any:
        backbone = getattr(network, "backbone", network)
        extractor = Extractor(
            _part(backbone, layer), pooling=deepcopy(pooling), scales=(1.0,), max_side=max_side,
            device=str(next(backbone.parameters()).device),
        )  # fmt: skip
        return extractor.describe_all(photos, verbose=False)

    return describe


def _part(network: Any, layer: str | None) -> Any:
    """A network up to a layer, as one's own module: with the pixels that it expects."""
    from kinfold.features.backbones.cut import cut, where

    part = cut(network, layer).eval()
    part.mean, part.std = network.mean, network.std
    part.least_side = where(network, layer)[1].least_side
    return part
