"""Signatures bit by bit, and what their matches count."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.hamming_embedding import BITS, HammingEmbedding
from kinfold.words.words import VisualWords

K, D = 5, 12


@pytest.fixture
def words(rng: np.random.Generator) -> VisualWords:
    return VisualWords(K, verbose=False).fit(rng.standard_normal((200, D)).astype(np.float32))


@pytest.mark.parametrize("d", [D, 80])
def test_a_bit_says_whether_a_projection_is_above_its_words_median(
    d: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((300, d)).astype(np.float32)
    words = VisualWords(K, verbose=False).fit(x)
    assigned = words.assign(x)[0][:, 0]
    # A word of seven descriptors has too few for medians: its own projections stand for them.
    rare = np.flatnonzero(assigned == 2)[7:]
    x, assigned = np.delete(x, rare, axis=0), np.delete(assigned, rare)
    embedding = HammingEmbedding().fit(x, assigned, words)
    projection = embedding.arrays()["projection"]
    projected = x @ projection.T
    medians = words.centroids @ projection.T
    for word in set(range(K)) - {2}:
        medians[word] = np.median(projected[assigned == word], axis=0)
    np.testing.assert_allclose(embedding.arrays()["medians"], medians, rtol=1e-4, atol=1e-5)
    signatures = embedding.signatures(x, assigned[:, None])
    bits = (signatures >> np.arange(BITS, dtype=np.uint64)) & np.uint64(1)
    margin = projected - medians[assigned]
    sure = np.abs(margin) > 1e-4
    np.testing.assert_array_equal(bits[sure], margin[sure] > 0)


def test_a_signature_for_each_of_several_words(words, rng: np.random.Generator) -> None:
    x = rng.standard_normal((40, D)).astype(np.float32)
    assigned = words.assign(x, 3)[0]
    embedding = HammingEmbedding(seed=4).fit(x, assigned[:, 0], words)
    several = embedding.signatures(x, assigned)
    assert several.shape == (40, 3) and several.dtype == np.uint64
    for column in range(3):
        alone = embedding.signatures(x, assigned[:, column : column + 1])
        np.testing.assert_array_equal(several[:, [column]], alone)


def test_what_a_match_counts() -> None:
    h = np.arange(BITS + 1)
    expected = {
        "gaussian": np.exp(-(h**2) / 100.0),
        "linear": 1 - h / 31,
        "none": np.ones(BITS + 1),
    }
    for weight, counted in expected.items():
        likeness = HammingEmbedding(30, weight, 10.0).likeness()
        np.testing.assert_allclose(likeness, np.where(h <= 30, counted, 0), rtol=1e-6)
        assert likeness.dtype == np.float32


def test_its_state_is_itself(words, rng: np.random.Generator) -> None:
    x = rng.standard_normal((60, D)).astype(np.float32)
    assigned = words.assign(x)[0]
    embedding = HammingEmbedding(20, "linear", 8.0, 3)
    assert not embedding.is_trained
    with pytest.raises(NotTrainedError, match="call fit first"):
        embedding.signatures(x, assigned)
    embedding.fit(x, assigned[:, 0], words)
    again = HammingEmbedding.from_state(embedding.params(), embedding.arrays())
    assert again.params() == embedding.params() and again.is_trained
    np.testing.assert_array_equal(again.signatures(x, assigned), embedding.signatures(x, assigned))
    arrays = embedding.arrays()
    broken = {**arrays, "projection": np.full_like(arrays["projection"], np.nan)}
    with pytest.raises(FileFormatError, match="projection"):
        HammingEmbedding.from_state(embedding.params(), broken)
    bags = BagOfWords(words, embedding=embedding).fit(x)
    short = {**bags.arrays(), "embedding.medians": arrays["medians"][1:]}
    with pytest.raises(FileFormatError, match="embedding: expected one of 5 words"):
        BagOfWords.from_state(bags.params(), short)


@pytest.mark.parametrize(
    "choices",
    [{"threshold": 65}, {"threshold": -1}, {"weight": "square"}, {"sigma": 0.0}, {"seed": -1}],
)
def test_refusals(choices) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(choices))):
        HammingEmbedding(**choices)
