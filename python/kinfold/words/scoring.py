"""How bags of words are compared: what words weigh in a query and in a photo, and how alike signatures are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.postings import PostingSegment, sealed

SCORINGS = ("cosine", "l1", "intersection")
TERMS = ("count", "root", "one")
_MATCHES = {"cosine": "product", "l1": "least_normed", "intersection": "least"}


class Bag(NamedTuple):
    """A photo's words.

    words : uint32, ascending, each once
    counts : float64, how often; with soft assignment the sum of the weights
    signatures : uint64 of each descriptor, word by word, or None
    """

    words: NDArray[np.uint32]
    counts: NDArray[np.float64]
    signatures: NDArray[np.uint64] | None


@dataclass(frozen=True)
class Scoring:
    """How a query and a photo are compared; scoring, term, embedding : as BagOfWords has them."""

    scoring: str
    term: str
    embedding: HammingEmbedding | None

    def rule(self) -> tuple[str, str, Vectors | None, int]:
        """As the engine is told."""
        return self.term, _MATCHES[self.scoring], *self.likeness()

    def inverse(self, segment: PostingSegment, idf: Vectors) -> Vectors:
        """One over the norm of each photo, float32 (photos,)."""
        if self.scoring == "intersection":
            return np.ones(len(segment), np.float32)
        sums = segment.engine.own_sums(idf, *self.rule())
        norms = np.sqrt(sums) if self.scoring == "cosine" else sums
        inverse: Vectors = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
        return inverse.astype(np.float32)

    def likeness(self) -> tuple[Vectors | None, int]:
        """What signatures count by the bits in which they differ, and up to how many."""
        if self.embedding is None:
            return None, 64
        return self.embedding.likeness(), self.embedding.threshold

    def _terms(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.term == "one":
            return np.ones_like(counts)
        return np.sqrt(counts) if self.term == "root" else counts

    def query(self, bag: Bag, idf: Vectors) -> tuple[Any, ...]:
        """A bag as the engine asks: words, weights, weights of the photos' terms, starts and signatures of entries."""
        own = idf[bag.words].astype(np.float64)
        terms = self._terms(bag.counts)
        if bag.signatures is not None:
            counts = bag.counts.astype(np.int64)
            starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            norm = self._norm(bag, counts, idf)
            weights = np.repeat(own**2 * terms / np.maximum(counts, 1) * norm, counts)
            return bag.words, weights.astype(np.float32), None, starts, bag.signatures
        used = own != 0
        words, own, vector = bag.words[used], own[used], own[used] * terms[used]
        if self.scoring == "cosine":
            total = float(np.sqrt(vector @ vector))
            weights = own * vector / (total if total > 0 else 1.0)
            return words, weights.astype(np.float32), None, None, None
        total = float(vector.sum())
        total = total if total > 0 else 1.0
        photo = own / total if self.scoring == "intersection" else own
        weights = vector / total
        return words, weights.astype(np.float32), photo.astype(np.float32), None, None

    def _norm(self, bag: Bag, counts: NDArray[np.int64], idf: Vectors) -> float:
        """One over the square root of a query's likeness to itself, which a segment of it alone knows."""
        repeated = np.repeat(counts, counts)
        words = np.repeat(bag.words, counts)
        alone = sealed(np.zeros(1, np.int64), words, np.zeros_like(words), repeated, bag.signatures)
        return float(self.inverse(alone, idf)[0])
