"""Descriptions of indexes, in faiss's spelling."""

from __future__ import annotations

import re

import pytest

import kinfold as kf
from kinfold.base.registry import kinds, resolve
from kinfold.index.coarse.kmeans import KMeansCells
from kinfold.index.coarse.multi import MultiCells
from kinfold.index.coarse.single import SingleCell
from kinfold.index.codecs.local import LocalCodes, LocalHalves
from kinfold.index.codecs.lvq import LocallyAdaptiveCodes
from kinfold.index.codecs.product import ProductCodes
from kinfold.index.codecs.raw import ByteVectors, RawVectors
from kinfold.index.codecs.scalar import ScalarCodes
from kinfold.index.codecs.vector import VectorCodes

SPECS = {
    "PQ8": (SingleCell, ProductCodes, None, None),
    "PQ8x8": (SingleCell, ProductCodes, None, None),
    "PQ8x4fs": (SingleCell, ProductCodes, None, None),
    "VQ300": (SingleCell, VectorCodes, None, None),
    "OPQ8,IVF64,VQ300,RFlat": (KMeansCells, VectorCodes, "OPQ", "float32"),
    "IMI2x5,PQ8_direct": (MultiCells, ProductCodes, None, None),
    "SQ8": (SingleCell, ByteVectors, None, None),
    "SQ4": (SingleCell, ScalarCodes, None, None),
    "IVF64,SQ6": (KMeansCells, ScalarCodes, None, None),
    "LVQ8": (SingleCell, LocallyAdaptiveCodes, None, None),
    "IVF64,LVQ4x8,RFlat": (KMeansCells, LocallyAdaptiveCodes, None, "float32"),
    "SQfp16": (SingleCell, RawVectors, None, None),
    "IVF64,Flat": (KMeansCells, RawVectors, None, None),
    "IVF64,PQ8,RFlat": (KMeansCells, ProductCodes, None, "float32"),
    " IVF64 , PQ8x4fs , RSQ8": (KMeansCells, ProductCodes, None, "uint8"),
    "IMI2x5,PQ8,RSQfp16": (MultiCells, ProductCodes, None, "float16"),
    "IVF64,LOPQ8": (KMeansCells, LocalCodes, None, None),
    "IMI2x5,LOPQ8": (MultiCells, LocalHalves, None, None),
    "OPQ8,IVF64,PQ8": (KMeansCells, ProductCodes, "OPQ", None),
    "OPQ8_16,PQ8": (SingleCell, ProductCodes, "OPQ", None),
    "PCA16,SQ8": (SingleCell, ByteVectors, "PCA", None),
    "PCAW16,IVF64,Flat": (KMeansCells, RawVectors, "PCA", None),
    "RR,SQ8": (SingleCell, ByteVectors, "Rotation", None),
    "RR16,SQ8": (SingleCell, ByteVectors, "Rotation", None),
}


@pytest.mark.parametrize("spec", SPECS)
def test_parts(spec: str) -> None:
    coarse, codec, transform, refine = SPECS[spec]
    index = kf.index_factory(spec, 32)
    assert type(index.coarse) is coarse and type(index.codec) is codec
    assert index.refine == refine and index.dim == 32
    assert (index.transform and type(index.transform).__name__) == transform
    inner = 16 if "16" in spec.split(",")[0] and transform else 32
    assert index.codec.dim == inner


@pytest.mark.parametrize(
    "spelling, plain",
    {
        "PQ8np": "PQ8", "PQ8x8np": "PQ8", "IVF64,PQ8np": "IVF64,PQ8", "PQ8x4fs_64": "PQ8x4",
        "IVF64,PQ8x4fsr": "IVF64,PQ8x4",
        "IDMap,Flat": "Flat", "IDMap2,PQ8": "PQ8", "PQ8,IDMap": "PQ8", "IDMap,IVF64,SQ8": "IVF64,SQ8",
        "IVF2k,Flat": "IVF2048,Flat", "IVF1M,PQ8": "IVF1048576,PQ8", "IVF64_HNSW32,Flat": "IVF64,Flat",
        "IVF64_HNSW,PQ8,RFlat": "IVF64,PQ8,RFlat", "PQ8,Refine(Flat)": "PQ8,RFlat",
        "IVF64,PQ8,Refine(SQ8)": "IVF64,PQ8,RSQ8", "LSH64,Refine(SQfp16)": "LSH64,RSQfp16",
    }.items(),
)  # fmt: skip
def test_other_spellings_of_the_same(spelling: str, plain: str) -> None:
    assert repr(kf.index_factory(spelling, 32)) == repr(kf.index_factory(plain, 32))


@pytest.mark.parametrize(
    "spec, word, instead",
    [
        ("L2norm,Flat", "L2norm", 'metric="cosine"'), ("L2norm,PCA16,IVF4,Flat", "L2norm", "cosine"),
        ("PCAR16,Flat", "PCAR16", "PCA64"), ("PCAWR16,IVF64,SQ8", "PCAWR16", "PCA64"), ("ITQ16,LSH", "ITQ16", "OPQ"),
        ("HNSW32", "HNSW32", "KDForest8"), ("HNSW32,Flat", "HNSW32", "Flat"), ("NSG32", "NSG32", "IVF1024"),
        ("SQbf16", "SQbf16", "SQfp16"),
        ("SQ8_direct", "SQ8_direct", "SQ8"), ("IVF64,PQ8+4", r"PQ8\+4", "RSQ8"), ("PQ4,Refine(PQ25)", "Refine", "RSQ8"),
        ("IVF64,PQ8,RSQ4", "RSQ4", "RSQ8"), ("LSHrt", "LSHrt", "LSH256"), ("IVF64(IVF8,Flat),PQ8", "IVF64", "exactly"),
        ("RQ8", "RQ8", "PQ16"), ("IVF64,PLSQ2x4x8", "PLSQ", "PQ16"), ("BIVF64", "BIVF64", "BFlat"),
    ],
)  # fmt: skip
def test_what_faiss_has_is_refused_with_what_to_use(spec: str, word: str, instead: str) -> None:
    with pytest.raises(ValueError, match=f"spec: .*{word}.*not offered.*{instead}.*got"):
        kf.index_factory(spec, 32)


@pytest.mark.parametrize(
    "alias, metric",
    {
        "L2": "l2", "euclidean": "l2", "Euclidean": "l2", "sqeuclidean": "l2", "IP": "ip", "inner_product": "ip",
        "dot": "ip", "angular": "cosine", "Cosine": "cosine", "l2": "l2",
    }.items(),
)  # fmt: skip
def test_metrics_by_other_names(alias: str, metric: str) -> None:
    for spec in ("Flat", "PQ8", "IVF64,SQ8", "KDForest4", "LSH8x4"):
        assert kf.index_factory(spec, 32, metric=alias).metric == metric
    if metric != "ip":
        assert kf.index_factory("KDTree", 3, metric=alias).metric == metric
        assert kf.index_factory("LSH64", 32, metric=alias).metric == metric
        assert kf.index_factory("BFlat", 32, metric=alias).metric == metric
    assert kf.FlatIndex(4, metric=alias).metric == metric


def test_proposers_and_signs() -> None:
    forest = kf.index_factory("KDForest8,SQ8", 32)
    assert isinstance(forest.proposer, kf.KDForest) and forest.proposer.trees == 8
    assert isinstance(forest.codec, ByteVectors) and forest.proposer.split == "mean"
    balanced = kf.index_factory("KDForest4_median", 32, seed=5)
    assert repr(balanced.proposer) == "KDForest(trees=4, split='median', seed=5)"
    tables = kf.index_factory("LSH12x6", 32, metric="cosine")
    assert isinstance(tables.proposer, kf.HashTables) and isinstance(tables.codec, RawVectors)
    assert (tables.proposer.bits, tables.proposer.tables) == (12, 6)
    assert not tables.proposer.signs.centred
    codes = kf.index_factory("LSH256,RSQ8", 32)
    assert isinstance(codes, kf.HammingIndex) and codes.refine == "uint8"
    assert codes.signs.bits == 256 and codes.signs.centred


def test_numbers_of_a_description() -> None:
    index = kf.index_factory("IMI2x5,PQ8x4", 32)
    assert index.coarse.k == 32 and index.coarse.n_cells == 1024
    assert index.codec.quantizer.m == 8 and index.codec.quantizer.bits == 4
    assert index.codec.residual and not index.codec.blocked
    assert not kf.index_factory("PQ8", 32).codec.residual
    assert isinstance(kf.index_factory("Flat", 32), kf.FlatIndex)
    assert kf.index_factory("IVF4,Flat", 32, metric="cosine").coarse.spherical


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "Flatt",
        "IVF64",
        "PQ",
        "PQ8,IVF64",
        "IVF64,PQ8,PQ8",
        "LSH",
        "LSH64,PQ8",
        "KDForest",
        "KDForest4,PQ8",
        "KDForest4,RFlat",
        "RFlat",
        "IVF,PQ8",
        "OPQ8",
        "PQ8x6",
        5,
        None,
    ],
)
def test_what_means_nothing(spec: object) -> None:
    with pytest.raises(ValueError, match="spec: expected"):
        kf.index_factory(spec, 32)  # type: ignore[arg-type]


def test_impossible_descriptions() -> None:
    with pytest.raises(ValueError, match="needs an even dimension"):
        kf.index_factory("IMI2x4,PQ3", 15)
    with pytest.raises(ValueError, match="bits of a multi-index"):
        kf.index_factory("IMI2x15,PQ8", 32)
    with pytest.raises(ValueError, match="LOPQ is for the metric"):
        kf.index_factory("IVF4,LOPQ8", 32, metric="ip")
    with pytest.raises(ValueError, match="metric: expected one of"):
        kf.index_factory("PQ8", 32, metric="l1")


NUMBERS = {"k": 4, "bits": 4, "second": 8, "m": 2, "dim": 2, "trees": 2, "tables": 2}
SPELLED = [
    (slot, re.sub(r"[][]", "", word.format(**NUMBERS)), target)
    for slot in ("coarse", "codec", "proposer", "signs", "transform")
    for target in kinds(slot).values()
    for word in getattr(target, "spelling", "").split("|")
    if word
]


@pytest.mark.parametrize(("slot", "word", "target"), SPELLED, ids=[word for _, word, _ in SPELLED])
def test_catalogues_say_how_parts_are_spelled(slot: str, word: str, target: str) -> None:
    needs_cells = word.startswith("LOPQ")
    spec = f"{word},Flat" if slot in ("coarse", "transform") else word
    index = kf.index_factory(f"IVF4,{word}" if needs_cells else spec, 4, verbose=False)
    if not isinstance(index, kf.FlatIndex):  # "Flat" alone is the exact index
        assert isinstance(getattr(index, slot), resolve(target))
