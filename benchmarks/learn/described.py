"""Descriptors of the real photos and of other objects, made once: what maps of descriptors are learnt from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import CACHE, SHARED
from benchmarks.learn.halves import PHOTOS, Cut, cropped
from kinfold.base.neighbours import self_neighbours
from kinfold.evaluate.average_precision import average_precision
from kinfold.features.extract import Extractor
from kinfold.gallery import Gallery
from kinfold.gallery.engines.base import learn_whitening, whitened
from kinfold.images.decode import decode
from kinfold.learn.validation import retrieval_score

Array = NDArray[np.float32]
# As a gallery describes photos.
SCALES = (1.0, 2**-0.5, 0.5)
NETWORKS = ("squeezenet1_1", "mobilenet_v2")
# Pairs are looked at by geometry that are among so many nearest of either photo.
NEAREST = 20


@dataclass(frozen=True)
class Described:
    """The real photos as one network sees them, and what geometry says of pairs of them.

    photos : float32 (n, d), the database, then the whole query photos
    queries : float32 (q, d), the queries cropped to their boxes
    pairs, inliers : int64 (m, 2), rows of photos that were looked at, and what one map explains of each
    others, objects : float32 (c, d), every fourth view of COIL-20's objects, and which object
    """

    truth: dict[str, Any]
    photos: Array
    queries: Array
    pairs: NDArray[np.int64]
    inliers: NDArray[np.int64]
    others: Array
    objects: NDArray[np.int64]

    def precisions(self, cut: Cut, vectors: Any) -> NDArray[np.float64]:
        """AP of each query of a cut, by what makes vectors of length one of descriptors."""
        similarities = vectors(self.queries[cut.asked]) @ vectors(self.photos[cut.kept]).T
        order = np.argsort(-similarities, axis=1, kind="stable")
        return np.array([average_precision(o, k, j) for o, k, j in zip(order, cut.ok, cut.junk)])

    def mean_ap_of_others(self, vectors: Any) -> float:
        """mAP of COIL-20's views, each a query once."""
        return retrieval_score(lambda _: vectors(self.others), self.objects)(None)

    def confirmed(self, cut: Cut, least: int = 12) -> NDArray[np.int64]:
        """The pairs of photos to learn from that geometry confirms, as rows of ``cut.learnt``."""
        at = np.full(len(self.photos), -1)
        at[cut.learnt] = np.arange(len(cut.learnt))
        pairs = at[self.pairs[self.inliers >= least]]
        return pairs[(pairs >= 0).all(axis=1)]


def described(network: str) -> Described:
    """The real photos as a network sees them; kept in the cache folder."""
    which, weights = NETWORKS.index(network), [SHARED / "weights" / f"{n}.safetensors" for n in NETWORKS]  # fmt: skip
    truth = json.loads((PHOTOS / "ground_truth.json").read_text())
    names = [f"{name}.jpg" for name in truth["imlist"] + truth["qimlist"]]
    path = CACHE / "learn.kin"
    CACHE.mkdir(parents=True, exist_ok=True)
    made = (
        Gallery.open(path) if path.exists() else Gallery.create(path, engine="cnn", weights=weights)
    )
    with made as gallery:
        gallery.update(PHOTOS / "jpg", files=names)
        ids, vectors = gallery.descriptors(which)
        rows = np.searchsorted(ids, np.array(gallery.ids_of(names), np.int64))
        matches = gallery.matches(_candidates(gallery, ids))
    row_of = np.full(len(ids), -1)
    row_of[rows] = np.arange(len(rows))
    extractor = Extractor(weights[which], scales=SCALES, max_side=640)
    queries = _kept(f"learn-queries-{network}.npy", lambda: extractor.describe_all(_queries(truth)))
    with np.load(SHARED / "coil20" / "coil20.npz") as data:
        views = data["images"][:, ::4]
    grey = np.repeat(views.reshape(-1, *views.shape[2:], 1), 3, axis=3)
    others = _kept(f"learn-coil-{network}.npy", lambda: extractor.describe_all(list(grey)))
    pairs = row_of[np.searchsorted(ids, matches.ids[matches.tried])]
    return Described(
        truth, vectors[rows], queries, pairs, matches.inliers, others,
        np.repeat(np.arange(len(views)), views.shape[1]),
    )  # fmt: skip


def _candidates(gallery: Gallery, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids of the pairs that are among the nearest by either network: half of the photos have fewer near ones."""
    pairs = []
    for network in range(len(NETWORKS)):
        raw = gallery.descriptors(network)[1]
        near = self_neighbours(whitened(raw, learn_whitening(raw, 256, 0.25)), NEAREST, metric="ip").ids  # fmt: skip
        pairs.append(np.stack([np.repeat(np.arange(len(ids)), NEAREST), near.reshape(-1)], axis=1))
    return ids[np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)]


def _queries(truth: dict[str, Any]) -> list[Any]:
    photos = []
    for name, entry in zip(truth["qimlist"], truth["gnd"]):
        pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
        photos.append(cropped(pixels, entry["bbx"]))
    return photos


def _kept(name: str, make: Any) -> Array:
    """An array of the cache folder; made once."""
    path = CACHE / name
    if not path.exists():
        np.save(path, make())
    return np.load(path)
