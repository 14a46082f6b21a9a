"""What was built or fitted holds arrays of its own: what the caller's become later changes nothing.

And what is shown of an index cannot be written to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.aggregate.fisher import FisherVector
from kinfold.aggregate.vlad import VLAD
from kinfold.index.coarse.kmeans import KMeansCells
from kinfold.index.proposers.hash_tables import HashTables
from kinfold.words.asmk import ASMK
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.words import VisualWords

IDS = np.arange(60)


def filled(index: Any, x: Any, ids: Any) -> Any:
    if hasattr(index, "train"):
        index.train(x)
    index.add(x, ids=ids)
    return index


def regional(items: list[Any]) -> Any:
    index = kf.RegionalIndex(items[0].shape[1])
    index.add(items)
    return index


def graph_of(x: Any, _: Any) -> Any:
    return kf.KNNGraph.build(x, 5)


def regraphed(x: Any, _: Any) -> Any:
    made = kf.KNNGraph.build(x, 5)
    given = [np.array(made.starts), np.array(made.neighbours), np.array(made.weights)]
    graph = kf.KNNGraph.from_rows(
        *given, gamma=made.gamma, metric=made.metric, k=made.k, reciprocal=made.reciprocal
    )
    for array in given:
        array[:] = 0
    return graph


def relisted(x: Any, _: Any) -> Any:
    made = kf.KNNLists.build(x, 5)
    given = [np.array(made.similarities), np.array(made.ids)]
    lists = kf.KNNLists.from_neighbours(*given)
    for array in given:
        array[:] = 0
    return lists


BUILT: dict[str, Callable[[Any, Any], Any]] = {
    **{
        f"{spec} {metric}": lambda x, ids, spec=spec, metric=metric: filled(
            kf.index_factory(spec, x.shape[1], metric=metric), x, ids
        )
        for spec in ("Flat", "KDTree", "IVF2,Flat", "SQ8", "PQ4x4,RFlat", "KDForest2", "LSH2x3", "LSH64,RSQ8")
        for metric in ("l2", "cosine")
    },
    "KDTree": lambda x, _: kf.KDTree(x),
    "KDTree that is scanned": lambda x, _: kf.KDTree(x, scan=True),
    "Regional": lambda x, _: regional([x[:20], x[20:]]),
    "Regional of one": lambda x, _: regional([x]),
    "KMeansCells": lambda x, _: KMeansCells.of(x),
    "HashTables": lambda x, _: HashTables(2, 3).fit(x),
    "KMeans": lambda x, _: kf.KMeans(60, iterations=0, verbose=False).fit(x, start=x),
    "PCA": lambda x, _: kf.PCA(2).fit(x),
    "Rotation": lambda x, _: kf.Rotation(np.eye(x.shape[1], dtype=x.dtype), x[0]),
    "Rotation of a matrix": lambda x, _: kf.Rotation(x[: x.shape[1]]),
    "OPQ": lambda x, _: kf.OPQ(2, bits=4, iterations=1, verbose=False).fit(x),
    "PQ": lambda x, _: kf.ProductQuantizer(2, bits=4, iterations=1, verbose=False).fit(x),
    "Sign": lambda x, _: kf.SignQuantizer(9, centred=True).fit(x),
    "Isomap": lambda x, _: kf.Isomap(2, n_neighbors=8).fit(x),
    "Isomap landmarks": lambda x, _: kf.Isomap(2, n_neighbors=8, landmarks=20).fit(x),
    "KernelPCA": lambda x, _: kf.KernelPCA(2, kernel="rbf").fit(x),
    "LaplacianEigenmaps": lambda x, _: kf.LaplacianEigenmaps(2, n_neighbors=8).fit(x),
    "LLE": lambda x, _: kf.LocallyLinearEmbedding(2, n_neighbors=8).fit(x),
    "LocalPCA": lambda x, _: kf.LocalPCA(2, n_cells=2).fit(x),
    "VisualWords": lambda x, _: VisualWords(60, iterations=0, verbose=False).fit(x),
    "VisualWords, all": lambda x, _: VisualWords(64, branch=4, verbose=False).fit(np.concatenate([x, x[:4]])),
    "VLAD": lambda x, _: VLAD(4).fit(x),
    "Fisher": lambda x, _: FisherVector(2, iterations=1).fit(x),
    "KNNGraph": graph_of,
    "KNNGraph of arrays": regraphed,
    "KNNLists of arrays": relisted,
    **{
        name: lambda x, ids, cls=cls: filled_photos(cls(VisualWords(4, verbose=False)).fit(x), x, ids)
        for name, cls in (("ASMK", ASMK), ("BagOfWords", BagOfWords))
    },
}  # fmt: skip


def filled_photos(made: Any, x: Any, ids: Any) -> Any:
    made.add(np.split(x, 6), ids=ids[:6])
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [4, 16])
@pytest.mark.parametrize("name", BUILT)
def test_the_callers_arrays_may_change(
    name: str, d: int, dtype: Any, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((60, d)).astype(dtype)
    ids = IDS + 7
    made = BUILT[name](x.copy(), ids.copy())
    given, numbers = x.copy(), ids.copy()
    other = BUILT[name](given, numbers)
    given[:], numbers[:] = -3, 3
    for key, array in made.arrays().items():
        np.testing.assert_array_equal(other.arrays()[key], array, err_msg=key)
    if name.startswith("KDTree") and isinstance(made, kf.KDTree):
        np.testing.assert_array_equal(other.query(x, 3)[0], made.query(x, 3)[0])


def test_ids_that_are_given_back(rng: np.random.Generator) -> None:
    """They are the caller's: to write to them changes nothing either."""
    x = rng.standard_normal((30, 4)).astype(np.float32)
    for spec in ("Flat", "KDTree", "IVF2,Flat"):
        index = filled(kf.index_factory(spec, 4), x, None)
        index.add(x)[:] = 5
        assert sorted(index.ids.tolist()) == list(range(60))
    bags = BagOfWords(VisualWords(4, verbose=False)).fit(x)
    bags.add([x[:9], x[9:]])[:] = 5
    assert bags.ids.tolist() == [0, 1]


SHOWN: dict[str, Callable[[Any], list[Any]]] = {
    "FlatIndex": lambda x: [filled(kf.FlatIndex(4), x, IDS).ids],
    "RegionalIndex": lambda x: [getattr(regional([x]), n) for n in ("vectors", "starts", "ids")],
    "KDTree": lambda x: [kf.KDTree(x).data],
    "ASMK": lambda x: [filled_photos(ASMK(VisualWords(4, verbose=False)).fit(x), x, IDS).ids],
    "VisualWords": lambda x: [VisualWords(4, verbose=False).fit(x).centroids],
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_shown_is_read_only(name: str, rng: np.random.Generator) -> None:
    for array in SHOWN[name](rng.standard_normal((60, 4)).astype(np.float32)):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
