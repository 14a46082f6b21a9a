"""A tiny instance of every kind that can be saved, and a use of it whose answer can be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import kinfold as kf
from kinfold.base.local_features import LocalFeatures


def _random() -> np.random.Generator:
    return np.random.default_rng(7)


def flat() -> Any:
    index = kf.FlatIndex(3, metric="ip")
    index.add(_random().standard_normal((4, 3)), ids=[3, 1, 8, 5])
    return index


def kmeans() -> Any:
    return kf.KMeans(2, iterations=2, verbose=False).fit(_random().standard_normal((6, 2)))


def pca() -> Any:
    return kf.PCA(2, whiten=True).fit(_random().standard_normal((9, 3)))


def vlad() -> Any:
    from kinfold.local.vlad import VLAD

    return VLAD(2).fit(_random().random((8, 3)))


def graph() -> Any:
    return kf.KNNGraph.build(_random().random((6, 3)), 3)


def segment() -> Any:
    from kinfold.gallery.segment import Segment

    random = _random()
    features = [
        LocalFeatures(
            random.random((n, 2), np.float32), random.random(n, np.float32) + 1, random.random(n, np.float32),
            random.integers(0, 256, (n, 128), dtype=np.uint8),
        )
        for n in (2, 0)
    ]  # fmt: skip
    return Segment.of(
        [1, 2], [(4, 3, 4, 3), (5, 5, 5, 5)], features, random.random((2, 3), np.float32)
    )


def model() -> Any:
    from kinfold.gallery.model import Model
    from kinfold.gallery.settings import Settings

    settings = Settings(codewords=2, dim=2)
    return Model.learn([segment()], settings, "fingerprint", 2)


FACTORIES: dict[str, Callable[[], Any]] = {
    "index.Flat": flat,
    "quantize.KMeans": kmeans,
    "transform.PCA": pca,
    "local.VLAD": vlad,
    "graph.KNN": graph,
    "gallery.Segment": segment,
    "gallery.Model": model,
}


def use(kind: str, thing: Any) -> Any:
    """What the thing answers; arrays or tuples of arrays."""
    if kind == "index.Flat":
        return thing.search(np.eye(3), 4)
    if kind == "quantize.KMeans":
        return thing.assign(np.eye(2))
    if kind == "transform.PCA":
        return thing.transform(np.eye(3))
    if kind == "local.VLAD":
        return thing.transform([np.eye(3)])
    if kind == "graph.KNN":
        return kf.Diffusion(thing, iterations=3).scores([[0, 1]], [[0.9, 0.8]])
    if kind == "gallery.Segment":
        return tuple(thing.features(row).descriptors for row in range(len(thing)))
    if kind == "gallery.Model":
        return thing.vectors(segment())
    raise AssertionError(f"no use for {kind}")


def same(a: Any, b: Any) -> bool:
    """Whether two answers are equal to the bit."""
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
