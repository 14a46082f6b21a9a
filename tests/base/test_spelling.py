"""Words of a description against what the catalogues say of them."""

from __future__ import annotations

import pytest

import kinfold as kf
from kinfold.base.spelling import Spelt, part, pattern


@pytest.mark.parametrize(
    ("spelling", "word", "numbers"),
    [
        ("PQ{m}[x{bits}]", "PQ16", {"m": "16", "bits": None}),
        ("PQ{m}[x{bits}]", "PQ16x4", {"m": "16", "bits": "4"}),
        ("PQ{m}[x{bits}]", "PQ16x", None),
        ("PQ{m}[x{bits}]", "PQ", None),
        ("RR[{dim}]", "RR", {"dim": None}),
        ("OPQ{m}[_{dim}]", "OPQ8_64", {"m": "8", "dim": "64"}),
        ("Flat", "flat", None),
    ],
)
def test_patterns(spelling: str, word: str, numbers: dict[str, str | None] | None) -> None:
    match = pattern(spelling).fullmatch(word)
    assert (match and match.groupdict()) == numbers


def said(word: str, metric: str = "l2") -> Spelt:
    return Spelt(word, 16, metric, None, {"seed": 7, "verbose": False})


def test_constructors_take_what_they_know_by_name() -> None:
    made, numbers = part("coarse", said("IVF32", "cosine"))  # type: ignore[misc]
    assert numbers == {"k": 32}
    assert (made.k, made.spherical, made.seed, made.verbose) == (32, True, 7, False)
    made, _ = part("proposer", said("LSH12x6"))  # type: ignore[misc]
    assert isinstance(made, kf.HashTables) and (made.bits, made.centred, made.seed) == (12, True, 7)


def test_a_class_may_say_what_a_word_means() -> None:
    made, numbers = part("transform", said("PCAW8"))  # type: ignore[misc]
    assert isinstance(made, kf.PCA) and made.dim == 8 and made.whiten and numbers == {"dim": 8}


def test_words_of_another_slot_mean_nothing() -> None:
    assert part("codec", said("IVF32")) is None and part("coarse", said("PQ8")) is None
