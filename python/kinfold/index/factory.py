"""Indexes by name, in faiss's spelling.

Flat                         exact search
PQ16  PQ16x8  PQ32x4fs       product codes, scanned exhaustively: 16 of 8 bits, 32 of 4 bits
SQ8  SQ6  SQ4  SQfp16        8-bit, 6-bit, 4-bit, half-precision numbers
LVQ8  LVQ4x8                 8-bit numbers on a scale for each vector; 4 bits that are scanned and 8 more that rank
IVF1024,Flat  IVF1024,PQ16   inverted index of 1,024 cells; codes of residuals
IMI2x10,PQ16                 inverted multi-index of (2**10)**2 cells
IVF1024,LOPQ16               locally optimized product codes
KDTree                       exact search in few dimensions
KDForest8  KDForest8,SQ8     eight randomized k-d trees over float32 or 8-bit vectors
LSH16x8  LSH16x8,SQ8         hash tables: eight of keys of 16 bits
LSH256  LSH256,RFlat         sign codes of 256 bits, scanned exhaustively
OPQ16,PQ16  OPQ16_64,PQ16    rotation (to 64 dimensions) that suits 16 subquantizers
PCA64,...  PCAW64,...        projection (whitened) to 64 dimensions
...,RFlat  ...,RSQ8  ...,RSQfp16    second look at float32, 8-bit, half-precision vectors
BFlat                        binary vectors, given as packed bits

Also taken, as faiss means them: IDMap and IDMap2 (ids are kept in any case), IVF1k, PQ16np, PQ32x4fs_64,
...,Refine(Flat), and IVF65536_HNSW32: cells are found exactly, and no slower.
"""

from __future__ import annotations

import re
from typing import Any

from kinfold.base.arrays import as_count
from kinfold.base.metrics import as_metric, inner_metric
from kinfold.base.registry import Entry, resolve
from kinfold.index import METHODS, codecs
from kinfold.index.base import Index
from kinfold.index.codecs.base import Spelt

_REFINE = {"Flat": "float32", "SQ8": "uint8", "SQfp16": "float16"}
# Indexes of one word.
_WHOLE = {entry.spelling: entry for entry in METHODS.values() if isinstance(entry, Entry)}


def _pattern(spelling: str) -> str:
    """What words a spelling stands for: {name} is a number, and what follows an x may be left out."""
    pattern = re.sub(r"x\{(\w+)\}", r"(?:x(?P<\1>\\d+))?", spelling)
    return re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", pattern)


# Words of codecs.
_CODECS = {
    _pattern(entry.spelling): entry
    for entry in codecs.METHODS.values() if isinstance(entry, Entry) and entry.spelling
}  # fmt: skip
_THOUSANDS = {"": 1, "k": 1024, "M": 1024 * 1024}
# What faiss has and is not offered here, and what to use instead.
_INSTEAD = {
    r"L2norm": 'choose metric="cosine"',
    r"PCAW?R\d+": "PCA64 keeps the same distances; before product codes OPQ16_64",
    r"ITQ\d*": "OPQ, or LSH256 for binary codes",
    r"Pad\d+": "product codes take any dimension",
    r"HNSW.*|NSG.*|NNDescent.*": "KDForest8, or IVF1024,Flat with a larger nprobe; Flat is exact",
    r"SQ(bf16|8_.*)": "SQfp16 for half precision; SQ8 keeps whole numbers 0 to 255 as they are",
    r"PQ\d+(x\d+)?\+\d+": "a second look, such as ...,PQ8,RSQ8",
    r"(Refine\(|R(?!R|Q)).*": "RFlat, RSQ8 or RSQfp16",
    r"LSH(r|t|rt)": "LSH256 with the number of bits",
    r"BIVF.*|BHNSW.*|BHash.*": "BFlat",
    r"IVF\d+[kM]?[_(].*": "IVF1024: cells are found exactly",
    r"(P?RQ|P?LSQ|RCQ|AQ|ZnLattice|RaBitQ).*": "product codes such as PQ16, OPQ16,PQ16 or IVF1024,LOPQ16",
}  # fmt: skip
_EXAMPLES = "Flat, PQ16, IVF1024,PQ16, IMI2x10,PQ16,RFlat, OPQ16,IVF1024,PQ16, IVF1024,LOPQ16"


def index_factory(
    spec: str, dim: int, *, metric: str = "l2", seed: int = 0, verbose: bool = True
) -> Index:
    """An index from a description such as "Flat" or "OPQ16,IVF1024,PQ16,RFlat".

    dim : dimension of the vectors
    metric : "l2", "ip" or "cosine"
    seed, verbose : for training
    Raises ValueError for a description that means nothing, with examples.
    """
    if not isinstance(spec, str):
        raise ValueError(f"spec: expected a description such as {_EXAMPLES}, got {spec!r}")
    metric = as_metric(metric)
    words = [word.strip() for word in spec.split(",")]
    # Ids are kept in any case.
    for end in (0, -1):
        if len(words) > 1 and words[end] in ("IDMap", "IDMap2"):
            words.pop(end)
    if len(words) == 1 and words[0] in _WHOLE:
        return resolve(_WHOLE[words[0]])(dim, metric=metric)
    dim = as_count(dim, "dim", most=1 << 20)
    return _Parser(spec, words, dim, metric, seed, verbose).index()


class _Parser:
    """Reads a description from left to right."""

    def __init__(
        self, spec: str, words: list[str], dim: int, metric: str, seed: int, verbose: bool
    ) -> None:
        self.spec, self.words, self.dim, self.metric = spec, words, dim, metric
        self.training: dict[str, Any] = {"seed": seed, "verbose": verbose}

    def index(self) -> Index:
        """The index that the whole description means."""
        from kinfold.index.cells import CellIndex

        refine = None
        if match := re.fullmatch(r"R(\w+)|Refine\((\w+)\)", self.words[-1]):
            refine = _REFINE.get(match[1] or match[2])
            if refine is not None:
                self.words.pop()
        if self.words == ["BFlat"] and refine is None:
            return self._binary()
        if match := self._next(r"LSH(\d+)"):
            return self._signs(int(match[1]), refine)
        if match := self._next(r"(?:KDForest(\d+)|LSH(\d+)x(\d+))"):
            if refine is not None:
                self._refuse()
            return self._candidates(*(int(number) if number else 0 for number in match.groups()))
        transform, inner = self._transform()
        coarse = self._coarse(inner)
        if len(self.words) != 1:
            self._refuse()
        codec = self._codec(inner, coarse)
        return CellIndex(
            self.dim, coarse, codec, transform=transform, refine=refine, metric=self.metric
        )

    def _refuse(self) -> Any:
        for word in self.words:
            for pattern, instead in _INSTEAD.items():
                if re.fullmatch(pattern, word):
                    raise ValueError(
                        f"spec: {word} is not offered: instead {instead}, got {self.spec!r}"
                    )
        raise ValueError(f"spec: expected a description such as {_EXAMPLES}, got {self.spec!r}")

    def _next(self, pattern: str) -> re.Match[str] | None:
        match = re.fullmatch(pattern, self.words[0]) if self.words else None
        if match:
            self.words.pop(0)
        return match

    def _binary(self) -> Any:
        from kinfold.index.hamming import HammingIndex

        return HammingIndex(self.dim, None, metric=self.metric)

    def _signs(self, bits: int, refine: str | None) -> Any:
        from kinfold.index.hamming import HammingIndex
        from kinfold.quantize.sign import SignQuantizer

        if self.words:
            self._refuse()
        signs = SignQuantizer(bits, centred=self.metric == "l2", seed=self.training["seed"])
        return HammingIndex(self.dim, signs, refine=refine, metric=self.metric)

    def _candidates(self, trees: int, bits: int, tables: int) -> Any:
        from kinfold.index.candidates import CandidateIndex
        from kinfold.index.coarse.single import SingleCell
        from kinfold.index.proposers.hash_tables import HashTables
        from kinfold.index.proposers.kd_forest import KDForest

        seed = self.training["seed"]
        proposer: Any = KDForest(trees, seed=seed) if trees else None
        if proposer is None:
            proposer = HashTables(bits, tables, centred=self.metric == "l2", seed=seed)
        codec = self._codec(self.dim, SingleCell(self.dim)) if self.words else None
        if self.words or (codec is not None and codec.compiled != "raw"):
            self._refuse()
        return CandidateIndex(self.dim, proposer, codec, metric=self.metric)

    def _transform(self) -> tuple[Any, int]:
        if match := self._next(r"OPQ(\d+)(?:_(\d+))?"):
            from kinfold.quantize.optimized import OPQ

            inner = int(match[2] or self.dim)
            return OPQ(int(match[1]), inner, **self.training), inner
        if match := self._next(r"PCA(W?)(\d+)"):
            from kinfold.transform.pca import PCA

            return PCA(int(match[2]), whiten=bool(match[1])), int(match[2])
        if match := self._next(r"RR(\d+)?"):
            from kinfold.transform.rotation import Rotation

            inner = int(match[1] or self.dim)
            return Rotation.random(self.dim, inner, seed=self.training["seed"]), inner
        return None, self.dim

    def _coarse(self, inner: int) -> Any:
        if match := self._next(r"IVF(\d+)([kM]?)(?:_HNSW\d*)?"):
            from kinfold.index.coarse.kmeans import KMeansCells

            spherical = self.metric == "cosine"
            k = int(match[1]) * _THOUSANDS[match[2]]
            return KMeansCells(k, spherical=spherical, **self.training)
        if match := self._next(r"IMI2x(\d+)"):
            from kinfold.index.coarse.multi import MultiCells

            bits = as_count(int(match[1]), "spec: bits of a multi-index", most=14)
            if inner % 2:
                raise ValueError(f"spec: a multi-index needs an even dimension, got {inner}")
            return MultiCells(1 << bits, **self.training)
        from kinfold.index.coarse.single import SingleCell

        return SingleCell(inner)

    def _codec(self, inner: int, cells: Any) -> Any:
        """The codec whose spelling in the catalogue fits the word."""
        # As faiss adds: without a precomputed table; for a fast scan, in blocks of so many.
        word = re.sub(r"(PQ\d+(?:x\d+)?)(?:np|fsr?(?:_\d+)?)$", r"\1", self.words[0])
        for spelling, entry in _CODECS.items():
            if match := re.fullmatch(spelling, word):
                self.words.pop(0)
                numbers = {name: int(n) for name, n in match.groupdict().items() if n is not None}
                metric = inner_metric(self.metric)
                try:
                    return resolve(entry).spelled(
                        Spelt(word, inner, metric, cells, numbers, self.training)
                    )
                except ValueError as error:
                    if str(error).startswith("spec: "):
                        raise
                    raise ValueError(
                        f"spec: expected other numbers, got {self.spec!r}: {error}"
                    ) from None
        return self._refuse()
