"""Everything that can be asked of a saved thing, with tiny questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tiny import use, vectors


def grown(spec: str, d: int = 2, metric: str = "l2") -> Any:
    """An index with several segments and removed rows."""
    import kinfold as kf

    index = kf.index_factory(spec, d, metric=metric, verbose=False).train(vectors(d))
    for at in (0, 8, 14):
        index.add(vectors(d)[at : at + 6])
    index.remove([3, 15])
    return index


def _tree_of_words(**options: Any) -> Any:
    from kinfold.words.words import VisualWords

    return VisualWords(8, branch=2, verbose=False, **options).fit(vectors())


def _bag(**options: Any) -> Any:
    from kinfold.words.bag_of_words import BagOfWords

    model = BagOfWords(_tree_of_words(), **options).fit(vectors())
    for at in range(3):
        model.add([vectors()[at : at + 9], vectors()[5:]])
    model.remove([1])
    return model


def _asmk(**options: Any) -> Any:
    from kinfold.words.asmk import ASMK

    model = ASMK(_tree_of_words(), **options).fit(vectors())
    model.add([vectors()[:9], vectors()[5:], vectors()[:0], vectors()[3:7]])
    model.remove([1])
    return model


def _large_tree(scan: bool, dtype: str) -> Any:
    import kinfold as kf

    return kf.KDTree(
        np.random.default_rng(3).random((200, 3)).astype(dtype), leafsize=16, scan=scan
    )


def _words_flat() -> Any:
    from kinfold.words.words import VisualWords

    return VisualWords(5, verbose=False).fit(vectors())


def _graph_of(reciprocal: bool) -> Any:
    import kinfold as kf

    return kf.KNNGraph.build(np.random.default_rng(7).random((30, 3)), 5, reciprocal=reciprocal)


# More of some kinds: several segments, other parts, deeper trees.
VARIANTS: dict[str, Callable[[], Any]] = {
    **{spec: lambda spec=spec: grown(spec) for spec in (
        "Flat", "KDForest3", "LSH4x3", "LSH8", "KDTree", "IVF4,Flat", "IVF2,PQ1x4", "PQ2x4", "IVF2,PQ1x4,RSQ8",
        "IMI2x1,PQ1x4", "IVF2,LOPQ1x4", "PCA1,IVF2,SQ8", "SQfp16", "KDForest2_median,SQfp16", "IVF2,SQ4", "SQ6",
        "IVF2,LVQ4x8", "LVQ8", "VQ5", "IVF2,VQ3,RSQ8", "IMI2x1,PQ1x4_direct",
    )},
    "IMI2x1,LOPQ4x4": lambda: grown("IMI2x1,LOPQ4x4", 4),
    "KDForest1,SQ8 ip": lambda: grown("KDForest1,SQ8", 3, "ip"),
    "IVF2,SQ8 cosine": lambda: grown("IVF2,SQ8", 3, "cosine"),
    "words of a tree": lambda: _tree_of_words(paths=2), "words without a tree": _words_flat,
    "bags": _bag, "bags l1": lambda: _bag(scoring="l1", term="count"),
    "bags soft": lambda: _bag(multiple=2, sigma=0.5), "asmk signs": lambda: _asmk(),
    "asmk without signs": lambda: _asmk(binarize="none", rotate=False),
    "tree of 200": lambda: _large_tree(False, "f4"), "scan of 200": lambda: _large_tree(True, "f8"),
    "graph of 30": lambda: _graph_of(True), "graph of 30, one-sided": lambda: _graph_of(False),
}  # fmt: skip

Verb = tuple[str, Callable[[], Any]]
INDEXES = ("index.Flat", "index.Cells", "index.Candidates", "index.Hamming", "index.Trees")


def verbs(kind: str, thing: Any, *, tiny: bool) -> Iterator[Verb]:
    """Names and calls, those that change the thing last; tiny: whether it came of one of tiny's."""
    yield "repr", lambda: repr(thing)
    yield "state", lambda: (thing.params(), thing.arrays())
    if hasattr(type(thing), "__len__"):
        yield "len", lambda: len(thing)
    for name in ("ids", "stats", "get_params"):
        if hasattr(type(thing), name):
            value = getattr(type(thing), name)
            yield (
                name,
                (lambda n=name: getattr(thing, n)())
                if callable(value)
                else (lambda n=name: getattr(thing, n)),
            )
    if tiny:
        yield "use", lambda: use(kind, thing)
    if kind in INDEXES:
        yield from _index(thing)
    elif kind.startswith("graph."):
        yield from _graph(kind, thing)
    elif kind in ("local.BoW", "local.ASMK"):
        yield from _inverted(kind, thing)
    elif kind in _OTHERS:
        yield from _OTHERS[kind](thing)


def _index(index: Any) -> Iterator[Verb]:
    d = index.dim
    x = vectors(d if d < 100 else 2)
    ids = index.ids
    yield "search 1", lambda: index.search(x, 1)
    yield "search one", lambda: index.search(x[0], 30)
    yield "search none", lambda: index.search(x[:0], 3)
    yield "search by mask", lambda: index.search(x, 3, filter=np.arange(len(ids)) % 2 == 0)
    yield "search by ids", lambda: index.search(x, 3, filter=ids[:1])
    yield "range", lambda: index.range_search(x, 1.0)
    yield "reconstruct", lambda: index.reconstruct(ids[:2])
    yield "reconstruct all", lambda: index.reconstruct(ids)
    yield "remove", lambda: index.remove(ids[:1])
    yield "update", lambda: index.update(ids[1:2], x[:1])
    yield "add", lambda: index.add(x[:3])
    yield "search after", lambda: index.search(x, 4)
    if hasattr(index, "compact"):
        yield "compact", index.compact
        yield "search compact", lambda: index.search(x, 4)
    yield "state after", lambda: index.arrays()


def _graph(kind: str, graph: Any) -> Iterator[Verb]:
    import kinfold as kf
    from kinfold.graph.communities import communities, connected_components

    if kind == "graph.KNN":
        yield "components", lambda: connected_components(graph)
        yield "degrees", graph.degrees
        yield "normalised", graph.normalised
        yield "path", lambda: graph.path([0], 1)
        yield "path widest", lambda: graph.path([0, 2], 3, "geodesic")
        yield "diffusion", lambda: kf.Diffusion(graph).rank([[0.9, 0.8]], [[0, 1]], k=3)
        yield "walk", lambda: kf.RandomWalk(graph).rank([[0.9, 0.8]], [[0, 1]], k=3)
        yield "communities", lambda: communities(graph)
        yield "spectral", lambda: kf.SpectralRanking(2).fit(graph).embedding()
        yield "offline", lambda: kf.OfflineDiffusion.build(graph).scores([1.0], [0])
        return
    if kind == "graph.KNNLists":
        x = np.random.default_rng(7).random((len(graph), 3))
        yield "k", lambda: graph.k
        yield "insert", lambda: graph.insert(x, np.eye(3))
        yield "remove", lambda: graph.remove(x, [0])
        yield "graph", lambda: kf.KNNGraph.from_lists(graph).normalised()
        return
    yield "scores", lambda: graph.scores([0.9, 0.8], [0, 1])
    yield "rank one", lambda: graph.rank([1.0], [0], k=3)
    yield "rank none", lambda: graph.rank([0.0], [-1], k=3)
    if kind == "graph.Spectral":
        yield "embedding", graph.embedding
        yield "transfer", graph.transfer
        yield "bound", graph.error_bound
    else:
        whole = kf.KNNGraph.build(np.random.default_rng(7).random((max(len(graph.nodes), 1), 3)), 3)
        yield "updated", lambda: graph.updated(whole, [0])


def _inverted(kind: str, model: Any) -> Iterator[Verb]:
    d = model.dim
    x = vectors(d)
    ids = model.ids
    yield "search one", lambda: model.search(x, 2)
    yield "search empty", lambda: model.search([x[:0]], 2)
    yield "scores", lambda: model.scores([x, x[:1]])
    yield "neighbours", lambda: model.neighbours(2)
    if kind == "local.BoW":
        yield "bag", lambda: model.bag(x, 2)
        yield "filter", lambda: model.search(x, 2, filter=ids[:1])
    yield "ordered", lambda: model.ordered(ids[::-1])
    yield "add", lambda: model.add([x[:4], x[:0]])
    yield "remove", lambda: model.remove(ids[:1])
    if kind == "local.BoW":
        yield "compact", model.compact
        yield "freeze", model.freeze
    yield "search after", lambda: model.search([x], 4)
    yield "state after", lambda: model.arrays()


def _tree(tree: Any) -> Iterator[Verb]:
    x = vectors(tree.m if tree.m < 100 else 2)
    yield "query", lambda: tree.query(x, [1, 3], return_stats=True)
    yield "query p", lambda: tree.query(x, 2, p=np.inf)
    yield "ball", lambda: tree.query_ball_point(x, 0.5)
    yield "ball tree", lambda: tree.query_ball_tree(tree, 0.5)
    yield "count", lambda: tree.count_neighbors(tree, [0.1, 0.5])
    yield "box", lambda: (tree.mins, tree.maxes, tree.indices)


def _words(words: Any) -> Iterator[Verb]:
    x = vectors(words.centroids.shape[1])
    yield "assign", lambda: words.assign(x)
    yield "checks", lambda: words.assign(x, 1, checks=3)
    if words.branch is not None:
        yield "paths", lambda: words.assign(x, 1, paths=1)
    yield "soft", lambda: words.soft(x, 2, sigma=1.0)


def _transformer(names: str) -> Callable[[Any], Iterator[Verb]]:
    def of(model: Any) -> Iterator[Verb]:
        x = vectors(_dim(model))
        for name in names.split():
            yield name, lambda name=name: getattr(model, name)(x)
        if hasattr(model, "inverse_transform"):
            yield "back", lambda: model.inverse_transform(model.transform(x))

    return of


def _codes(model: Any) -> Iterator[Verb]:
    x = vectors(_dim(model))
    yield "codes", lambda: model.decode(model.encode(x))
    for name in ("distortion", "project"):
        if hasattr(model, name):
            yield name, lambda name=name: getattr(model, name)(x)
    if hasattr(model, "distances"):
        yield "distances", lambda: model.distances(x, model.encode(x))


def _photos(model: Any) -> Iterator[Verb]:
    x = vectors(_dim(model))
    yield "transform", lambda: model.transform([x, x[:1], x[:0]])
    for name in ("gradient", "posteriors", "embed"):
        if hasattr(model, name):
            yield name, lambda name=name: getattr(model, name)(x)


def _regional(index: Any) -> Iterator[Verb]:
    x = vectors(index.dim)
    yield "scores", lambda: index.scores(x)
    for match in ("mean", "best"):
        yield match, lambda match=match: index.search(x[:2], 3, match=match)
    yield "vectors", lambda: (index.vectors, index.starts)
    yield "add", lambda: index.add([x[:2]])
    yield "after", lambda: index.search(x[:2], 3)


def _segment(segment: Any) -> Iterator[Verb]:
    yield "parts", lambda: (segment.colours, segment.descriptors)
    yield "features", lambda: [segment.features(row) for row in range(len(segment))]
    yield "select", lambda: segment.select(np.arange(len(segment)) % 2 == 0).arrays()


def _matches(graph: Any) -> Iterator[Verb]:
    yield "confirmed", lambda: graph.boxes(graph.confirmed(1))
    yield "points", lambda: [graph.points_of(row) for row in range(len(graph.tried))]
    yield "missing", lambda: graph.missing([[0, 1], [2, 1]])
    yield "joined", lambda: graph.joined(graph).arrays()


def _dim(model: Any) -> int:
    for name in ("n_features_in_", "dim"):
        d = getattr(model, name, None)
        if isinstance(d, int) and name == "n_features_in_":
            return d
    for name, axis in (
        ("mean", 0), ("codebook", 1), ("centroids", 1), ("means", 1), ("matrix", 1), ("rotation", 1),
    ):  # fmt: skip
        held = getattr(model, name, None)
        if isinstance(held, np.ndarray) and held.ndim > axis and 0 < held.shape[axis] < 100:
            return int(held.shape[axis])
    d = getattr(model, "dim", 2)
    return d if isinstance(d, int) and 0 < d < 100 else 2


_OTHERS: dict[str, Callable[[Any], Iterator[Verb]]] = {
    "index.KDTree": _tree,
    "index.Regional": _regional,
    "local.Words": _words,
    "local.VLAD": _photos, "local.Fisher": _photos, "local.TEmbedding": _photos,
    "quantize.KMeans": _transformer("assign"),
    "quantize.Sign": _codes, "quantize.VQ": _codes, "quantize.PQ": _codes,
    "quantize.OPQ": _transformer("transform"),
    "transform.PCA": _transformer("transform"), "transform.LearnedWhitening": _transformer("transform"),
    "learn.Adapter": _transformer("transform"),
    "transform.Rotation": _transformer("transform"),
    "manifold.Isomap": _transformer("transform"), "manifold.KernelPCA": _transformer("transform"),
    "manifold.LaplacianEigenmaps": _transformer("transform"), "manifold.LLE": _transformer("transform"),
    "manifold.LocalPCA": _transformer("transform predict encode score"),
    "gallery.Segment": _segment,
    "local.Matches": _matches,
}  # fmt: skip
