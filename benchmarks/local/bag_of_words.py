"""Bags of visual words on the real photos: mAP and bytes of each variant.

    python -m benchmarks.local.bag_of_words [--words 16384]

RootSIFT of 898 photos, 82 queries cropped to their boxes where they have one; AP is Oxford's trapezoid, junk removed.
No re-ranking. *score*: of a query whose words are known.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.local.photos import described, truth
from benchmarks.measure import heading, row
from kinfold.base.ranking import Ranking
from kinfold.evaluate import evaluate
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.words import VisualWords

PLAIN = {
    "counts": {"term": "count"},
    "counts, no idf": {"term": "count", "idf": False},
    "roots": {},
    "roots, words of over 15 % of the photos stopped": {"stop": 0.15},
    "roots, 3 words, each in full": {"multiple": 3},
    "roots, 3 words, sigma 0.2": {"multiple": 3, "sigma": 0.2},
    "roots, l1": {"scoring": "l1"},
    "roots, intersection": {"scoring": "intersection"},
}
SIGNED = {
    "signatures, Gaussian": {},
    "signatures, Gaussian, counts": {"term": "count"},
    "signatures, Gaussian, 3 words": {"multiple": 3},
    "signatures, Gaussian, 5 words": {"multiple": 5},
    "signatures, linear, 3 words": {"multiple": 3, "embedding": {"weight": "linear"}},
    "signatures, counted, 3 words": {"multiple": 3, "embedding": {"weight": "none"}},
}


class Remembered(VisualWords):
    """Words that assign the same descriptors once: variants differ in what comes after."""

    def __init__(self, *choices: Any, **more: Any) -> None:
        super().__init__(*choices, **more)
        self._known: dict[tuple[Any, ...], tuple[np.ndarray, np.ndarray]] = {}

    def assign(self, descriptors: np.ndarray, multiple: int = 1) -> tuple[np.ndarray, np.ndarray]:
        key = (len(descriptors), descriptors[:2].tobytes(), descriptors[-2:].tobytes(), multiple)
        if key not in self._known:
            self._known[key] = super().assign(descriptors, multiple)
        return self._known[key]


def learnt(x: np.ndarray, k: int) -> Remembered:
    """Words, kept in the cache folder."""
    path = data.CACHE / f"words-by-photo-{k}.kin"
    if not path.exists():
        kf.save(VisualWords(k, iterations=5, sample=40, verbose=False).fit(x), path)
    words = kf.load(path)
    return Remembered.from_state(words.params(), words.arrays())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=16384)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    kf.set_threads(arguments.threads)
    photos, queries = described()
    known = truth()
    words = learnt(np.concatenate(photos), arguments.words)
    learning = np.concatenate(photos[::4])
    print(heading(["words and terms", "mAP", "B/photo", "score ms"]))
    for embedding, variants in ((None, PLAIN), (HammingEmbedding(), SIGNED)):
        first = BagOfWords(words, embedding=embedding).fit(learning)
        first.add(photos)
        for name, choices in variants.items():
            params = {**first.params(), **choices}
            if embedding is not None:
                params["embedding"] = embedding.params() | choices.get("embedding", {})
            model = BagOfWords.from_state(params, first.arrays())
            model.words = words
            model.scores(queries)  # words of the queries; weights and norms
            start = time.process_time()
            scores = model.scores(queries)
            spent = (time.process_time() - start) / len(queries)
            ranking = Ranking.from_ids(np.argsort(-scores, axis=1, kind="stable"))
            cells = [
                f"{evaluate(ranking, known, protocol='oxford').map:.4f}",
                f"{model.stats()['bytes_per_photo']:,.0f}",
                f"{spent * 1e3:.2f}",
            ]
            print(row([name, *cells]), flush=True)


if __name__ == "__main__":
    main()
