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


def vector_search() -> Any:
    from kinfold.gallery.vector_search import VectorSearch

    x = _random().standard_normal((30, 3)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    ids = np.arange(30) * 2 + 1
    return VectorSearch.learn("IVF2,SQ8", x, ids).measured(x, ids)


def confidence() -> Any:
    from kinfold.gallery.confidence import Confidence

    x = _random().random(30)
    return Confidence.learn(x, [1, 2, 1], x, np.arange(30) // 2, photos=9)


def kd_tree() -> Any:
    return kf.KDTree(_random().standard_normal((40, 2)))


def kmeans() -> Any:
    return kf.KMeans(2, iterations=2, verbose=False).fit(_random().standard_normal((6, 2)))


def pca() -> Any:
    return kf.PCA(2, whiten=True).fit(_random().standard_normal((9, 3)))


def learned_whitening() -> Any:
    x = _random().standard_normal((9, 3))
    return kf.LearnedWhitening(2).fit(x, [[0, 1], [2, 3], [4, 5], [6, 7]])


def extractor() -> Any:
    import torch

    from kinfold.features.extract import Extractor
    from kinfold.features.pool.rmac import RMAC

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 2, stride=2), torch.nn.ReLU())
    values = np.linspace(-1, 1, 39, dtype=np.float32)
    for parameter, part in zip(net.parameters(), np.split(values, [36])):
        parameter.data = torch.from_numpy(part.reshape(parameter.shape))
    pooling = RMAC(1, whitening=pca())
    whitening = kf.PCA(2).fit(_random().standard_normal((9, 2)))
    return Extractor(net, pooling=pooling, scales=[1, 0.5], max_side=64, whitening=whitening)


def drlim() -> Any:
    from kinfold.learn.drlim import DrLIM

    model = DrLIM(1, network="connected", epochs=1, verbose=False).fit(
        _random().random((12, 2)), pairs=[[0, 1]]
    )
    # Values that are told: sums of training differ from machine to machine.
    model._weights = np.linspace(-1, 1, len(model._weights), dtype=np.float32)
    return model


def adapter() -> Any:
    from kinfold.learn.adapter import Adapter

    model = Adapter(2, epochs=1, runs=1, verbose=False).fit(
        _random().random((9, 2)), [[0, 1], [2, 3], [4, 5]]
    )
    # Values that are told: sums of training differ from machine to machine.
    model.projection = np.array([[0.5, -1], [2, 0.25]], np.float32)
    model.mean, model._rest = np.array([0.5, 0.25], np.float32), None
    model.before_, model.after_ = 0.5, 0.75
    return model


def vlad() -> Any:
    from kinfold.aggregate.vlad import VLAD

    return VLAD(2).fit(_random().random((8, 3)))


def graph() -> Any:
    return kf.KNNGraph.build(_random().random((6, 3)), 3)


def offline() -> Any:
    return kf.OfflineDiffusion.build(
        graph(), [[0, 1, 2], [1, 0, -1], [2, 3, 0], [3, 2, 5], [4, 1, 0], [5, 3, 2]]
    )


def lists() -> Any:
    return kf.KNNLists.build(_random().random((6, 3)), 3)


def segment() -> Any:
    from kinfold.gallery.segment import PhotoSegment

    random = _random()
    features = [
        LocalFeatures(
            random.random((n, 2), np.float32), random.random(n, np.float32) + 1, random.random(n, np.float32),
            random.integers(0, 256, (n, 128), dtype=np.uint8),
            colours=random.integers(0, 256, (n, 27), dtype=np.uint8),
        )
        for n in (2, 0)
    ]  # fmt: skip
    networks = [random.random((2, 3), np.float32), random.random((2, 2), np.float32)]
    return PhotoSegment.of([1, 2], [(4, 3, 4, 3), (5, 5, 5, 5)], features, networks)


def matches() -> Any:
    from kinfold.local.match_graph import MatchGraph

    return MatchGraph(
        [3, 5, 9],
        [[40, 30], [30, 40], [64, 48]],
        np.arange(60, dtype=np.uint8).reshape(3, 20),
        tried=[[0, 1], [0, 2], [1, 2]],
        matched=[7, 2, 0],
        maps=[np.eye(3), [[2, 0, 1], [0, 2, -1], [0, 0, 1]], np.zeros((3, 3))],
        starts=[0, 3, 4, 4],
        points=_random().random((4, 4), np.float32),
    )


def model() -> Any:
    from kinfold.gallery.model import Model
    from kinfold.gallery.settings import Settings

    settings = Settings(codewords=2, dim=2)
    return Model.learn([segment()], settings, "fingerprint", 2)


def vectors(d: int = 2) -> Any:
    return _random().standard_normal((20, d)).astype(np.float32)


def cells() -> Any:
    index = kf.index_factory("IVF2,SQ8", 2, verbose=False).train(vectors())
    index.add(vectors()[:3], ids=[4, 9, 2])
    return index


def proposed(spec: str) -> Any:
    index = kf.index_factory(spec, 2, verbose=False).train(vectors())
    index.add(vectors()[:5], ids=[4, 9, 2, 7, 0])
    return index


def visual_words() -> Any:
    from kinfold.words.words import VisualWords

    return VisualWords(4, branch=2, fingerprint="made up", verbose=False).fit(vectors())


def t_embedding() -> Any:
    from kinfold.aggregate.t_embedding import TEmbedding

    x = np.concatenate([vectors(), 2 * vectors() ** 2])
    return TEmbedding(3, dim=3).fit(x, np.split(x, 10))


def fisher() -> Any:
    from kinfold.aggregate.fisher import FisherVector

    return FisherVector(2, iterations=2).fit(vectors())


def asmk() -> Any:
    from kinfold.words.asmk import ASMK

    model = ASMK(visual_words(), binarize="median", multiple=2).fit(vectors())
    model.add([vectors()[:9], vectors()[5:], vectors()[:0]], ids=[4, 2, 9])
    return model


def bags() -> Any:
    from kinfold.words.bag_of_words import BagOfWords
    from kinfold.words.hamming_embedding import HammingEmbedding

    model = BagOfWords(visual_words(), embedding=HammingEmbedding(), multiple=2).fit(vectors())
    model.add([vectors()[:9], vectors()[5:], vectors()[:0]], ids=[4, 2, 9])
    return model.freeze()


def part(spec: str, name: str, d: int = 2) -> Any:
    """A trained part of a tiny index."""
    return getattr(kf.index_factory(spec, d, verbose=False).train(vectors(d)), name)


def local_quantizer() -> Any:
    from kinfold.quantize.local import LocallyOptimizedPQ

    lopq = LocallyOptimizedPQ(1, bits=4, iterations=1, verbose=False)
    return lopq.fit(vectors(), np.arange(20) % 2, 2)


def regional() -> Any:
    index = kf.RegionalIndex(2)
    index.add([vectors()[:3], vectors()[3:4], vectors()[4:6]])
    return index


def manifold(name: str, **options: Any) -> Any:
    return getattr(kf, name)(1, **options).fit(vectors())


def near() -> Any:
    from kinfold.gallery.copies import Copies
    from kinfold.gallery.near import Near

    copies = Copies(np.array([0, 1, 0]), np.array([7, 9, 7], np.uint64))
    lists = np.array([[1], [0], [-1]], np.int32)
    values = np.array([[0.5], [0.5], [0]], np.float32)
    return Near(np.array([4, 6, 9]), copies, lists, values, np.full((3, 2), 0.25, np.float32))


def added() -> Any:
    from kinfold.gallery.added import Added

    held = asmk()
    ids = np.array(held.ids)
    vectors = _random().random((len(ids), 3), np.float32)
    return Added(np.array([1000, 1001]), ids, vectors, {"asmk": held.row_arrays()})


FACTORIES: dict[str, Callable[[], Any]] = {
    "index.Flat": flat,
    "index.KDTree": kd_tree,
    "index.Cells": cells,
    "index.Candidates": lambda: proposed("KDForest2,SQ8"),
    "index.Hamming": lambda: proposed("LSH8,RSQ8"),
    "index.Trees": lambda: proposed("KDTree"),
    "local.Words": lambda: visual_words(),
    "local.ASMK": asmk,
    "local.BoW": bags,
    "local.TEmbedding": t_embedding,
    "local.Fisher": fisher,
    "index.KDForest": lambda: part("KDForest2", "proposer"),
    "index.HashTables": lambda: part("LSH2x2", "proposer"),
    "index.Regional": regional,
    "index.SingleCell": lambda: part("SQ8", "coarse"),
    "index.KMeansCells": lambda: part("IVF2,SQ8", "coarse"),
    "index.MultiCells": lambda: part("IMI2x1,PQ1x4", "coarse"),
    "index.RawVectors": lambda: part("SQfp16", "codec"),
    "index.ByteVectors": lambda: part("SQ8", "codec"),
    "index.VectorCodes": lambda: part("VQ5", "codec"),
    "index.ProductCodes": lambda: part("IVF2,PQ1x4", "codec"),
    "index.LocalCodes": lambda: part("IVF2,LOPQ1x4", "codec"),
    "index.ScalarCodes": lambda: part("SQ4", "codec"),
    "index.LocallyAdaptiveCodes": lambda: part("LVQ4x8", "codec"),
    "index.LocalHalves": lambda: part("IMI2x1,LOPQ4x4", "codec", 4),
    "quantize.KMeans": kmeans,
    "quantize.Sign": lambda: kf.SignQuantizer(9, centred=True).fit(vectors()),
    "quantize.VQ": lambda: kf.VectorQuantizer(2, iterations=1, verbose=False).fit(vectors()),
    "quantize.PQ": lambda: kf.ProductQuantizer(1, bits=4, iterations=1, verbose=False).fit(
        vectors()
    ),
    "quantize.OPQ": lambda: kf.OPQ(1, bits=4, iterations=1, verbose=False).fit(vectors()),
    "quantize.LOPQ": local_quantizer,
    "transform.Rotation": lambda: kf.Rotation([[0.6, 0.8], [-0.8, 0.6]], [1, 2]),
    "transform.PCA": pca,
    "transform.LearnedWhitening": learned_whitening,
    "features.Extractor": extractor,
    "learn.Adapter": adapter,
    "learn.DrLIM": drlim,
    "local.VLAD": vlad,
    "graph.KNN": graph,
    "manifold.Isomap": lambda: manifold("Isomap", n_neighbors=4, landmarks=6),
    "manifold.KernelPCA": lambda: manifold("KernelPCA", kernel="rbf"),
    "manifold.LaplacianEigenmaps": lambda: manifold("LaplacianEigenmaps", n_neighbors=4),
    "manifold.LLE": lambda: manifold("LocallyLinearEmbedding", n_neighbors=4),
    "manifold.LocalPCA": lambda: manifold("LocalPCA", n_cells=2),
    "graph.Offline": offline,
    "graph.Spectral": lambda: kf.SpectralRanking(2).fit(graph()),
    "graph.KNNLists": lists,
    "local.Matches": matches,
    "gallery.Segment": segment,
    "gallery.Model": model,
    "gallery.VectorSearch": vector_search,
    "gallery.Near": near,
    "gallery.Added": added,
    "gallery.Confidence": confidence,
}


def codec_answer(codec: Any) -> Any:
    """Three vectors, encoded, packed, unpacked and decoded, and what a search for them finds."""
    from kinfold.index.cells import CellIndex
    from kinfold.index.coarse.kmeans import KMeansCells
    from kinfold.index.coarse.multi import MultiCells

    coarse: Any = KMeansCells.of(np.array([[0, 0], [1, 1]], np.float32))
    if codec.kind == "index.LocalHalves":
        coarse = MultiCells(2, iterations=1, verbose=False).fit(vectors(codec.dim))
    x, found = vectors(codec.dim)[:3], np.array([0, 0, 1])
    packed = codec.pack(codec.encode(x, found, coarse))
    decoded = codec.decode(codec.unpack(packed, np.arange(3)), found, coarse)
    rows = {f"rows.packed.{name}": array for name, array in packed.items()}
    index = CellIndex(codec.dim, coarse, codec)
    state = {
        **{f"coarse.{name}": a for name, a in coarse.arrays().items()},
        **{f"codec.{name}": a for name, a in codec.arrays().items()},
        **rows,
        "rows.cells": np.array([0, 1], np.uint32),
        "rows.starts": np.array([0, 2, 3]),
        "rows.ids": np.array([5, 3, 8]),
        "next_id": np.array([9], np.uint64),
    }
    return decoded, *CellIndex.from_state(index.params(), state).search(x, 2, nprobe=2)


def use(kind: str, thing: Any) -> Any:
    """What the thing answers; arrays or tuples of arrays."""
    if kind == "index.Flat":
        return thing.search(np.eye(3), 4)
    if kind == "index.KDTree":
        return (*thing.query(np.eye(2), 3), thing.query_pairs(0.3, output_type="ndarray"))
    if kind == "index.Regional":
        return thing.search(np.eye(2), 4)
    if kind == "index.Cells":
        return thing.search(np.eye(2), 4, nprobe=2)
    if kind == "index.Candidates":
        return thing.search(np.eye(2), 6, checks=0)
    if kind == "local.Words":
        return thing.assign(vectors(), 2)
    if kind in ("local.ASMK", "local.BoW"):
        return thing.search([vectors(), vectors()[:3]], 4)
    if kind in ("index.Hamming", "index.Trees"):
        return thing.search(np.eye(2), 6)
    if kind in ("index.KDForest", "index.HashTables"):
        index = kf.CandidateIndex(2, thing)
        index.codec.fit(vectors(), np.zeros(20, np.int64), None)
        state = {f"proposer.{name}": a for name, a in thing.arrays().items()}
        state |= {f"codec.{name}": a for name, a in index.codec.arrays().items()}
        index = type(index).from_state(index.params(), {**state, "next_id": np.zeros(1, np.uint64)})
        index.add(vectors())
        return index.search(np.eye(2), 6, checks=9)
    if kind in ("index.SingleCell", "index.KMeansCells", "index.MultiCells"):
        found = thing.assign(vectors())
        return found, thing.centroids_of(found)
    if kind.startswith("index."):
        return codec_answer(thing)
    if kind == "quantize.KMeans":
        return thing.assign(np.eye(2))
    if kind in ("quantize.VQ", "quantize.PQ", "quantize.Sign"):
        return thing.decode(thing.encode(np.eye(2)))
    if kind == "quantize.LOPQ":
        return thing.decode(thing.encode(np.eye(2), [0, 1]), [0, 1])
    if kind in ("quantize.OPQ", "transform.Rotation"):
        return thing.transform(np.eye(2))
    if kind == "features.Extractor":
        pixels = np.arange(40 * 48 * 3, dtype=np.uint64) * 2654435761 >> 7 & 255
        return thing.describe(pixels.astype(np.uint8).reshape(40, 48, 3))
    if kind in ("transform.PCA", "transform.LearnedWhitening"):
        return thing.transform(np.eye(3))
    if kind == "local.VLAD":
        return thing.transform([np.eye(3)])
    if kind in ("local.TEmbedding", "local.Fisher"):
        return thing.transform([vectors()[:4], vectors()[4:]])
    if kind.startswith(("manifold.", "learn.")):
        return thing.transform(np.eye(2))
    if kind == "graph.KNN":
        return kf.Diffusion(thing, iterations=3).scores([[0.9, 0.8]], [[0, 1]])
    if kind in ("graph.Offline", "graph.Spectral"):
        return thing.scores([[0.9, 0.8]], [[0, 1]]), *thing.rank([[0.7, 0.6]], [[2, 4]], k=4)
    if kind == "graph.KNNLists":
        more = thing.insert(_random().random((6, 3)), np.eye(3))
        return more.ids, more.similarities
    if kind == "local.Matches":
        return thing.confirmed(3), thing.rows_of([[2, 0], [1, 2]]), thing.boxes([0, 1]), thing.maps
    if kind == "gallery.Segment":
        rows = [thing.features(row) for row in range(len(thing))]
        # Files of former versions hold neither colours nor more than one network.
        coloured = [f.colours for f in rows if f.colours is not None]
        return *(f.descriptors for f in rows), *coloured, *thing.networks[1:]
    if kind == "gallery.VectorSearch":
        found = thing.search(np.eye(3, dtype=np.float32), 2)
        return found.distances, found.ids, [thing.learnt_on, thing.recall, thing.alone]
    if kind == "gallery.Near":
        graph = thing.graph()
        return graph.starts, graph.neighbours, graph.weights, thing.copies.keys, thing.floors
    if kind == "gallery.Added":
        return thing.gone, thing.vectors, asmk().with_rows(thing.lists["asmk"]).ids
    if kind == "gallery.Confidence":
        return thing.of([0.1, 0.5, 0.9], [2, 7, np.nan]).round(9), [thing.photos]
    if kind == "gallery.Model":
        return thing.vectors(segment())
    raise AssertionError(f"no use for {kind}")


def same(a: Any, b: Any) -> bool:
    """Whether two answers are equal to the bit."""
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
