"""Sealed lists against plain triples of photo, word and count."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.words import postings

K = 9


def triples(rng: np.random.Generator, photos: int, n: int) -> tuple[np.ndarray, ...]:
    """Different pairs of photo and word, in no order, each with a count."""
    pairs = rng.choice(photos * K, size=n, replace=False)
    return pairs // K, pairs % K, rng.integers(1, 300, size=n)


def sealed(ids: np.ndarray, photos: np.ndarray, words: np.ndarray, counts: np.ndarray):
    return postings.sealed(np.asarray(ids, np.int64), words, photos, counts, None)


def same(a: postings.PostingSegment, b: postings.PostingSegment) -> None:
    left, right = postings.to_arrays(a), postings.to_arrays(b)
    assert left.keys() == right.keys()
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name], err_msg=name)


@pytest.mark.parametrize("n", [0, 1, 40, 700])
def test_the_order_of_postings_does_not_matter(n: int, rng: np.random.Generator) -> None:
    photos, words, counts = triples(rng, 100, n)
    ids, shuffled = np.arange(100) + 5, rng.permutation(n)
    segment = sealed(ids, photos, words, counts)
    same(segment, sealed(ids, photos[shuffled], words[shuffled], counts[shuffled]))
    assert segment.postings == n
    np.testing.assert_array_equal(segment.words, np.unique(words))
    np.testing.assert_array_equal(
        np.diff(segment.starts.astype(np.int64)), np.unique(words, return_counts=True)[1]
    )


def test_merging_keeps_the_living_as_if_the_others_had_never_been(
    rng: np.random.Generator,
) -> None:
    first, second = triples(rng, 50, 200), triples(rng, 30, 100)
    a, b = sealed(np.arange(50), *first), sealed(np.arange(50, 80), *second)
    gone = np.array([0, 7, 49])
    kept = np.setdiff1d(np.arange(50), gone)
    joined = postings.merged([a.without(gone), b])
    photos = np.concatenate([first[0], second[0] + 50])
    words, counts = (np.concatenate(parts) for parts in zip(first[1:], second[1:]))
    ids = np.concatenate([kept, np.arange(50, 80)])
    stay = np.isin(photos, ids)
    place = np.searchsorted(ids, photos[stay])
    same(joined, sealed(ids, place, words[stay], counts[stay]))


def test_another_order_of_photos(rng: np.random.Generator) -> None:
    photos, words, counts = triples(rng, 60, 300)
    segment = sealed(np.arange(60), photos, words, counts)
    order = rng.permutation(60)
    (turned,) = postings.reordered([segment], order)
    place = np.empty(60, np.int64)
    place[order] = np.arange(60)
    same(turned, sealed(order, place[photos], words, counts))


def test_arrays_are_checked(rng: np.random.Generator) -> None:
    segment = sealed(np.arange(20), *triples(rng, 20, 90))
    arrays = postings.to_arrays(segment)
    same(postings.from_arrays(arrays, K, False), segment)
    wrong = {
        "ids": arrays["ids"][:0],
        "words": arrays["words"][::-1].copy(),
        "starts": arrays["starts"][::-1].copy(),
        "offsets": arrays["offsets"] + np.uint32(1),
        "bytes": arrays["bytes"][1:],
    }
    for name, array in wrong.items():
        with pytest.raises((FileFormatError, ValueError)):
            postings.from_arrays({**arrays, name: array}, K, False)
    with pytest.raises(FileFormatError, match="words"):
        postings.from_arrays(arrays, int(arrays["words"][-1]), False)
    with pytest.raises(FileFormatError, match="signatures"):
        postings.from_arrays(arrays, K, True)


def test_what_fits_in_one(rng: np.random.Generator) -> None:
    small = sealed(np.arange(20), *triples(rng, 20, 90))
    full = sealed(np.arange(postings.MOST_PHOTOS), *triples(rng, 20, 90))
    lists = postings.Lists()
    assert lists.fits([small, small]) and lists.fits([full]) and not lists.fits([full, small])
