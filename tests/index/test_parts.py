"""Every coarse partition with every codec, metric, level and way of asking, against brute force over what is stored."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.base import registry
from kinfold.base.parameters import Choice
from kinfold.index import codecs
from kinfold.index.candidates import CandidateIndex
from kinfold.index.cells import CellIndex
from kinfold.index.coarse.kmeans import KMeansCells
from kinfold.index.coarse.multi import MultiCells
from kinfold.index.coarse.single import SingleCell
from kinfold.index.codecs.local import LocalCodes, LocalHalves
from kinfold.index.codecs.product import ProductCodes
from kinfold.index.codecs.raw import ByteVectors, RawVectors
from kinfold.index.codecs.vector import VectorCodes
from kinfold.index.hamming import HammingIndex
from kinfold.index.proposers.hash_tables import HashTables
from kinfold.index.proposers.kd_forest import KDForest
from kinfold.index.trees import TreeIndex
from kinfold.quantize.local import LocallyOptimizedPQ
from kinfold.quantize.optimized import OPQ
from kinfold.quantize.product import ProductQuantizer
from kinfold.quantize.sign import SignQuantizer
from kinfold.quantize.vector import VectorQuantizer
from kinfold.transform.pca import PCA
from kinfold.transform.rotation import Rotation

D = 12
ALL = 1 << 20
COARSE = {
    "single": lambda: SingleCell(D),
    "kmeans": lambda: KMeansCells(7, iterations=3, verbose=False),
    "multi": lambda: MultiCells(3, verbose=False),
}


def product(bits: int, residual: bool, blocked: bool) -> Any:
    def make(metric: str) -> ProductCodes:
        quantizer = ProductQuantizer(4 if bits == 8 else 6, bits=bits, iterations=2, verbose=False)
        return ProductCodes(D, quantizer, metric=metric, residual=residual, blocked=blocked)

    return make


def local(shared: bool | None) -> Any:
    def make(metric: str) -> LocalCodes:
        return LocalCodes(
            D, LocallyOptimizedPQ(3, bits=4, shared=shared, least=20, iterations=2, verbose=False)
        )

    return make


def halves(metric: str) -> LocalHalves:
    return LocalHalves(
        D, *(LocallyOptimizedPQ(2, bits=4, iterations=2, verbose=False) for _ in range(2))
    )


def of_choices() -> Iterator[tuple[str, Any]]:
    """Every codec of the catalogue that is made of choices alone, each of its variants by name."""
    for name, entry in codecs.METHODS.items():
        kind = registry.resolve(entry)
        if set(inspect.signature(kind).parameters) <= set(kind._PARAMETERS):
            choices = {n: p.choices for n, p in kind._PARAMETERS.items() if isinstance(p, Choice)}
            for values in itertools.product(*choices.values()):
                variant = dict(zip(choices, values))
                yield "-".join([name, *map(str, values)]), partial(kind, D, **variant)


PLAIN = dict(of_choices())
CODECS: dict[str, Any] = {
    **{name: lambda metric, make=make: make(metric=metric) for name, make in PLAIN.items()},
    **{
        f"pq{bits}{'-residual' * residual}{'-rows' * (not blocked)}": product(bits, residual, blocked)
        for bits in (8, 4) for residual in (False, True) for blocked in (True, False)
    },
    "vq": lambda metric: VectorCodes(D, VectorQuantizer(40, verbose=False), metric=metric),
    "local": local(False), "local-shared": local(True), "halves": halves,
}  # fmt: skip
COMBINATIONS = [
    (coarse, codec, metric)
    for coarse in COARSE for codec in CODECS for metric in ("l2", "ip", "cosine")
    if not (codec.startswith(("local", "halves")) and metric != "l2")
    and (codec != "halves" or coarse == "multi")
]  # fmt: skip


def each_level() -> Iterator[str]:
    """Every level that the machine has, in force while the caller looks."""
    before = _core.level()
    try:
        for level in _core.levels():
            _core.set_level(level)
            yield level
    finally:
        _core.set_level(before)


def vectors(n: int, seed: int, d: int = D) -> np.ndarray:
    """Clusters off the origin, of dimensions of unequal spread."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(5).standard_normal((9, d)) * 2 + 1
    spread = np.exp(np.linspace(-1.5, 1, d))
    return ((centres[rng.integers(9, size=n)] + rng.standard_normal((n, d))) * spread).astype("f4")


def built(coarse: str, codec: str, metric: str, **choices: Any) -> CellIndex:
    inner = "l2" if metric == "l2" else "ip"
    index = CellIndex(D, COARSE[coarse](), CODECS[codec](inner), metric=metric, **choices)
    x = vectors(800, 1)
    index.train(x)
    index.add(x[:500], verbose=False)
    index.add(x[500:], verbose=False)
    index.remove(np.arange(0, 800, 9))
    return index


def distances_to_stored(index: Any, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All ids, ascending, and float64 distances (similarities negated) to what is stored of them."""
    ids = np.sort(index.ids)
    stored, q = index.reconstruct(ids).astype(np.float64), queries.astype(np.float64)
    if index.metric == "l2":
        return ids, ((q[:, None] - stored) ** 2).sum(axis=2)
    if index.metric == "cosine":
        q /= np.linalg.norm(q, axis=1, keepdims=True)
    return ids, -(q @ stored.T)


def check_answers(index: Any, queries: np.ndarray, **options: Any) -> None:
    """Few and many queries, few and many neighbours, with and without a filter: the nearest, at their distances."""
    ids, truth = distances_to_stored(index, queries)
    close = 1e-4 * np.abs(truth).max()
    allowed = ids[::3]
    for nq, k in ((1, 1), (1, 10), (5, len(ids) + 3), (len(queries), 1), (len(queries), 10)):
        for filter in (None, allowed):
            found = index.search(queries[:nq], k, filter=filter, **options)
            values = found.distances if index.metric == "l2" else -found.distances
            among = truth[:nq] if filter is None else truth[:nq, np.isin(ids, allowed)]
            have = min(k, among.shape[1])
            assert (found.ids[:, have:] == -1).all() and (found.ids[:, :have] >= 0).all()
            if filter is not None:
                assert np.isin(found.ids[:, :have], allowed).all()
            own = np.take_along_axis(truth[:nq], np.searchsorted(ids, found.ids[:, :have]), axis=1)
            np.testing.assert_allclose(values[:, :have], own, atol=close)
            np.testing.assert_allclose(own, np.sort(among, axis=1)[:, :have], atol=close)


def check_ranges(index: Any, queries: np.ndarray, **options: Any) -> None:
    """All within a radius and nothing else, but for what lies upon it."""
    ids, truth = distances_to_stored(index, queries)
    close = 1e-4 * np.abs(truth).max()
    for nq in (1, len(queries)):
        radius = float(np.quantile(truth[:nq], 0.03))
        given = radius if index.metric == "l2" else -radius
        found = index.range_search(queries[:nq], given, **options)
        for q in range(nq):
            own = set(found.ids[found.starts[q] : found.starts[q + 1]].tolist())
            assert set(ids[truth[q] < radius - close].tolist()) <= own
            assert own <= set(ids[truth[q] < radius + close].tolist())


@pytest.mark.parametrize(("coarse", "codec", "metric"), COMBINATIONS)
def test_combinations(coarse: str, codec: str, metric: str) -> None:
    index = built(coarse, codec, metric)
    queries = vectors(90, 2)
    for _ in each_level():
        check_answers(index, queries, nprobe=ALL)
        check_ranges(index, queries, nprobe=ALL)


@pytest.mark.parametrize("refine", ["float32", "float16", "uint8"])
@pytest.mark.parametrize(
    "codec", ["pq4", "pq8-residual", "ByteVectors", "ScalarCodes-4", "LocallyAdaptiveCodes-4-8"]
)
@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_second_looks(codec: str, metric: str, refine: str) -> None:
    index = built("kmeans", codec, metric, refine=refine, transform=Rotation.random(D, D, seed=3))
    for _ in each_level():
        check_answers(index, vectors(40, 2), nprobe=ALL, refine_factor=1000)


@pytest.mark.parametrize("codec", ["RawVectors-float32", "RawVectors-float16", "ByteVectors"])
@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("proposer", [lambda: KDForest(3), lambda: HashTables(5, 4)])
def test_proposed_rows(proposer: Any, metric: str, codec: str) -> None:
    x = vectors(800, 1)
    stored = CODECS[codec]("l2" if metric == "l2" else "ip")
    index = CandidateIndex(D, proposer(), stored, metric=metric)
    index.add(x[:500])
    index.add(x[500:])
    index.remove(np.arange(0, 800, 9))
    for _ in each_level():
        check_answers(index, vectors(40, 2), checks=0)
        check_ranges(index, vectors(40, 2), checks=0)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("refine", ["float32", "float16", "uint8"])
def test_signs_with_a_second_look(metric: str, refine: str) -> None:
    index = HammingIndex(D, SignQuantizer(64), refine=refine, metric=metric)
    index.train(vectors(800, 1)).add(vectors(800, 1))
    for _ in each_level():
        check_answers(index, vectors(40, 2), refine_factor=1000)


# --- what does not fit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["RawVectors-float32", "ByteVectors", "pq8"])
@pytest.mark.parametrize(("own", "of_index"), [("l2", "ip"), ("ip", "l2"), ("l2", "cosine")])
def test_a_codec_of_another_metric_is_refused(codec: str, own: str, of_index: str) -> None:
    with pytest.raises(ValueError, match="codec: expected the metric"):
        CellIndex(D, KMeansCells(4), CODECS[codec](own), metric=of_index)
    if codec != "pq8":
        with pytest.raises(ValueError, match="codec: expected the metric"):
            CandidateIndex(D, KDForest(2), CODECS[codec](own), metric=of_index)


def test_parts_of_other_dimensions_or_kinds_are_refused() -> None:
    trained = KMeansCells(4, verbose=False).fit(vectors(50, 1, d=8))
    for call, words in [
        (lambda: CellIndex(D, SingleCell(D), RawVectors(D + 1)), "codec: expected dimension 12"),
        (lambda: CellIndex(D, SingleCell(D + 1), RawVectors(D)), "coarse: expected dimension 12"),
        (lambda: CellIndex(D, trained, RawVectors(D)), "coarse: expected dimension 12, got 8"),
        (lambda: CellIndex(D, KMeansCells(4), halves("l2")), "coarse: expected MultiCells"),
        (lambda: CellIndex(7, MultiCells(2), RawVectors(7)), "needs an even dimension"),
        (lambda: CandidateIndex(D, KDForest(2), RawVectors(D + 1)), "codec: expected dimension"),
        (lambda: CandidateIndex(D, KDForest(2), CODECS["pq8"]("l2")), "codec: expected stored"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()


# --- round trips ---------------------------------------------------------------------------------------------

I, F = np.int64, np.float32  # as a sweep over an array of numpy gives them
PQ = {"bits": I(4), "iterations": I(3), "sample": I(100), "seed": I(5)}
# Constructor choices, each off its default; parts and sizes apart.
CHOICES: dict[type, dict[str, Any]] = {
    KMeansCells: {"iterations": I(4), "sample": I(99), "spherical": True, "seed": I(7)},
    MultiCells: {"iterations": I(4), "sample": I(99), "seed": I(7)},
    ProductQuantizer: PQ,
    LocallyOptimizedPQ: {**PQ, "shared": True, "least": I(30)},
    OPQ: {**PQ, "dim": I(8), "method": "parametric", "start": "parametric"},
    PCA: {
        "dim": 8, "whiten": 0.5, "floor": 1e-5, "shrinkage": 0.1, "solver": "randomized", "seed": 3,
    },
    SignQuantizer: {"bits": I(70), "projection": "hadamard", "centred": True, "seed": I(9)},
    HashTables: {
        "bits": I(6), "tables": I(3), "projection": "hadamard", "centred": False, "seed": I(9),
    },
    KDForest: {"trees": I(3), "leaf": I(9), "among": I(2), "split": "median", "seed": I(9)},
    RawVectors: {"metric": "ip", "dtype": "float16"},
    ByteVectors: {"metric": "ip"},
    ProductCodes: {"metric": "ip", "residual": True, "blocked": False},
    LocalCodes: {},
    LocalHalves: {},
    CellIndex: {
        "metric": "ip", "refine": "uint8", "nprobe": I(3), "budget": I(70), "refine_factor": F(4),
    },
    CandidateIndex: {"metric": "ip", "checks": I(70)},
    HammingIndex: {"metric": "cosine", "refine": "uint8", "refine_factor": F(4)},
    kf.FlatIndex: {"metric": "ip", "shadow": False},
    TreeIndex: {"metric": "cosine"},
}  # fmt: skip
GIVEN = {
    "dim", "k", "m", "coarse", "codec", "transform", "quantizer", "left", "right", "proposer", "signs", "verbose",
}  # fmt: skip


def made(kind: type, *parts: Any, **changed: Any) -> Any:
    """An object with every choice off its default."""
    choices = {**CHOICES[kind], **changed}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in choices:
            assert changed or choices[name] != parameter.default, f"{kind.__name__}.{name}"
        else:
            assert name in GIVEN, f"{kind.__name__}.{name} has no value off its default here"
    return kind(*parts, **choices)


def lopq(shared: bool | None) -> LocallyOptimizedPQ:
    return made(LocallyOptimizedPQ, 2, shared=shared)


def l2(kind: type, *parts: Any, **changed: Any) -> Any:
    return made(kind, *parts, metric="l2", **changed)


TRIPS: dict[str, Any] = {
    "flat": lambda: made(kf.FlatIndex, D),
    "raw": lambda: made(CellIndex, D, made(KMeansCells, 5), made(RawVectors, D)),
    "bytes": lambda: made(CellIndex, D, made(MultiCells, 3), made(ByteVectors, D)),
    "product": lambda: made(
        CellIndex, D, made(KMeansCells, 5), made(ProductCodes, 8, made(ProductQuantizer, 4)),
        transform=made(OPQ, 4),
    ),
    "pca": lambda: made(
        CellIndex, D, SingleCell(8), made(ByteVectors, 8), transform=made(PCA), refine="float16"
    ),
    **{
        f"local-{shared}": lambda shared=shared: l2(
            CellIndex, D, made(KMeansCells, 5), LocalCodes(D, lopq(shared)), refine=None
        )
        for shared in (None, True, False)
    },
    **{
        f"halves-{shared}": lambda shared=shared: l2(
            CellIndex, D, made(MultiCells, 3), LocalHalves(D, lopq(shared), lopq(shared))
        )
        for shared in (None, True, False)
    },
    **{
        name: lambda make=make: made(CellIndex, D, made(KMeansCells, 5), make(metric="ip"))
        for name, make in PLAIN.items() if make.func not in CHOICES
    },
    "forest": lambda: made(CandidateIndex, D, made(KDForest), made(ByteVectors, D)),
    "tables": lambda: made(CandidateIndex, D, made(HashTables), made(RawVectors, D)),
    "trees": lambda: made(TreeIndex, D),
    "signs": lambda: made(HammingIndex, D, made(SignQuantizer)),
}  # fmt: skip


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("trip", TRIPS)
def test_round_trips(trip: str, mmap: bool, tmp_path: Path) -> None:
    index = TRIPS[trip]()
    x, queries = vectors(700, 1), vectors(30, 2)
    index.train(x)
    index.add(x)
    index.save(tmp_path / "a.kin")
    again = kf.load(tmp_path / "a.kin", mmap=mmap)
    assert again.params() == index.params()
    for name, array in index.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)
    for other in (again, type(index).from_state(index.params(), index.arrays())):
        got, expected = other.search(queries, 7), index.search(queries, 7)
        np.testing.assert_array_equal(got.ids, expected.ids)
        np.testing.assert_array_equal(got.distances, expected.distances)
        np.testing.assert_array_equal(other.reconstruct([5, 60]), index.reconstruct([5, 60]))
    # Both go on alike.
    for one in (index, again):
        one.add(queries)
        one.remove([3, 5])
    np.testing.assert_array_equal(again.search(queries, 7).ids, index.search(queries, 7).ids)


def test_choices_stay_what_they_were() -> None:
    """What constructors were given is what the parameters say: none is lost on the way to a file."""
    for trip in TRIPS.values():
        index = trip()
        index.train(vectors(700, 1))
        seen = _flat(index.params())
        for name, value in CHOICES[type(index)].items():
            if name not in ("metric", "refine"):
                assert value in seen[name], name
        for part in ("coarse", "codec", "transform", "proposer", "signs"):
            own = getattr(index, part, None)
            for name, value in CHOICES.get(type(own), {}).items():
                if name not in ("metric",):
                    assert value in seen[name], f"{part}.{name}"


def _flat(params: Any) -> dict[str, list[Any]]:
    """Values of all parameters by name, however deep."""
    out: dict[str, list[Any]] = {}
    for name, value in params.items():
        out.setdefault(name, []).append(value)
        if isinstance(value, dict):
            for inner, values in _flat(value).items():
                out.setdefault(inner, []).extend(values)
    return out
