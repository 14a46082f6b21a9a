"""Warnings name the line of the caller, whatever stands between."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.ranking import Ranking


def means(rng: np.random.Generator) -> None:
    kf.KMeans(20, verbose=False).fit(rng.standard_normal((100, 4)))


def by_predict(rng: np.random.Generator) -> None:
    kf.KMeans(20, verbose=False).fit_predict(rng.standard_normal((100, 4)))


def codebooks(rng: np.random.Generator) -> None:
    kf.ProductQuantizer(2, verbose=False).fit(rng.standard_normal((300, 4)))


def words(rng: np.random.Generator) -> None:
    kf.VisualWords(20, verbose=False).fit(rng.standard_normal((100, 4)))


def parts(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.standard_normal((30, 3)), rng.standard_normal((30, 3)) + 100])
    kf.Isomap(n_neighbors=4).fit(x)


def whitening(rng: np.random.Generator) -> None:
    x = rng.standard_normal((40, 30))
    kf.LearnedWhitening(4).fit(x, pairs=[(0, 1), (2, 3), (4, 5)])


def scores(rng: np.random.Generator) -> None:
    Ranking(np.array([[1, 2]]), np.array([[0.5, 0.4]], np.float32))


@pytest.mark.parametrize("raised", [means, by_predict, codebooks, words, parts, whitening, scores])
def test_the_line_is_the_callers(
    raised: Callable[[np.random.Generator], None], rng: np.random.Generator
) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        raised(rng)
    assert heard
    for one in heard:
        assert one.filename == __file__, one.message
