"""Indexes by name, in faiss's spelling.

Flat                         exact search
PQ16  PQ16x8  PQ32x4fs       product codes, scanned exhaustively: 16 of 8 bits, 32 of 4 bits
PQ16_direct                  in lists, too, codes of the vectors themselves, not of residuals
VQ4096                       numbers of 4,096 codewords
SQ8  SQ6  SQ4  SQfp16        8-bit, 6-bit, 4-bit, half-precision numbers
LVQ8  LVQ4x8                 8-bit numbers on a scale for each vector; 4 bits that are scanned and 8 more that rank
IVF1024,Flat  IVF1024,PQ16   inverted index of 1,024 cells; codes of residuals
IMI2x10,PQ16                 inverted multi-index of (2**10)**2 cells
IVF1024,LOPQ16               locally optimized product codes
KDTree                       exact search in few dimensions
KDForest8  KDForest8,SQ8     eight randomized k-d trees over float32 or 8-bit vectors
KDForest8_median             split at the median, not at the mean
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
from kinfold.base.spelling import Spelt, part
from kinfold.index.base import Index

_REFINE = {"Flat": "float32", "SQ8": "uint8", "SQfp16": "float16"}
_THOUSANDS = {"k": 1024, "M": 1024 * 1024}
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
    dim = as_count(dim, "dim", most=1 << 20)
    return _Parser(spec, words, dim, metric, {"seed": seed, "verbose": verbose}).index()


def _plain(word: str) -> str:
    """A word without what faiss adds: exact cells, no precomputed table, blocks of a fast scan, thousands."""
    word = re.sub(r"^(PQ\d+(?:x\d+)?)(?:np|fsr?(?:_\d+)?)$", r"\1", word)
    word = re.sub(r"^(IVF\d+[kM]?)_HNSW\d*$", r"\1", word)
    return re.sub(r"^IVF(\d+)([kM])$", lambda m: f"IVF{int(m[1]) * _THOUSANDS[m[2]]}", word)


class _Parser:
    """Reads a description from left to right."""

    def __init__(
        self, spec: str, words: list[str], dim: int, metric: str, training: dict[str, Any]
    ) -> None:
        self.spec, self.words, self.training = spec, words, training
        self.dim, self.metric = dim, metric
        # Of the vectors that reach what comes next.
        self.inner = dim

    def index(self) -> Index:
        """The index that the whole description means."""
        from kinfold.index.candidates import CandidateIndex
        from kinfold.index.cells import CellIndex
        from kinfold.index.coarse.single import SingleCell
        from kinfold.index.hamming import HammingIndex

        index: Index
        whole = self._next("index") if len(self.words) == 1 else None
        if whole is not None:
            index = whole
            return index
        refine = None
        if match := re.fullmatch(r"R(\w+)|Refine\((\w+)\)", self.words[-1]):
            refine = _REFINE.get(match[1] or match[2])
            if refine is not None:
                self.words.pop()
        if signs := self._next("signs"):
            self._end()
            return HammingIndex(self.dim, signs, refine=refine, metric=self.metric)
        if (proposer := self._next("proposer")) and refine is None:
            codec = self._next("codec", SingleCell(self.dim)) if self.words else None
            self._end(codec is not None and codec.compiled != "raw")
            return CandidateIndex(self.dim, proposer, codec, metric=self.metric)
        transform = self._next("transform")
        coarse = self._next("coarse") or SingleCell(self.inner)
        codec = self._next("codec", coarse)
        self._end(codec is None or proposer is not None)
        return CellIndex(
            self.dim, coarse, codec, transform=transform, refine=refine, metric=self.metric
        )

    def _end(self, refuse: bool = False) -> None:
        """ValueError where words are left, or what they mean does not go together."""
        if not self.words and not refuse:
            return
        for word in self.words:
            for pattern, instead in _INSTEAD.items():
                if re.fullmatch(pattern, word):
                    raise ValueError(
                        f"spec: {word} is not offered: instead {instead}, got {self.spec!r}"
                    )
        raise ValueError(f"spec: expected a description such as {_EXAMPLES}, got {self.spec!r}")

    def _next(self, slot: str, cells: Any = None) -> Any:
        """The part that the next word means, by the catalogues; None where it means none in this slot."""
        if not self.words:
            return None
        metric = inner_metric(self.metric) if slot == "codec" else self.metric
        word = _plain(self.words[0])
        try:
            found = part(slot, Spelt(word, self.inner, metric, cells, self.training))
        except ValueError as error:
            if str(error).startswith(("spec: ", "metric: ")):
                raise
            raise ValueError(f"spec: expected other numbers, got {self.spec!r}: {error}") from None
        if found is None:
            return None
        self.words.pop(0)
        made, numbers = found
        if slot == "transform":
            self.inner = numbers.get("dim", self.inner)
        return made
