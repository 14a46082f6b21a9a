"""Trials of indexes: what is suggested can be built, what is recommended is the fastest that fits."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.index.trial import Trial, attempt, memory_of, recommend, suggest
from kinfold.index.tune import Setting


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 8, 30, 97, 100, 128, 200, 512, 960])
@pytest.mark.parametrize("n", [1, 300, 1024, 5000, 1_000_000])
def test_suggestions_mean_something(n: int, dim: int) -> None:
    specs = suggest(n, dim)
    assert len(set(specs)) == len(specs) >= 2 and specs[0] == "Flat"
    for spec in specs:
        for metric in ("l2", "ip", "cosine"):
            kf.index_factory(spec, dim, metric=metric)
        cells = [int(part[3:]) for part in spec.split(",") if part.startswith("IVF")]
        assert all(32 * c <= 1.5 * n for c in cells), spec


def test_suggestions_for_a_million_sift() -> None:
    assert suggest(1_000_000, 128) == [
        "Flat", "IVF4096,Flat", "IVF4096,SQ8", "IVF4096,PQ64x4fs,RSQ8", "IVF4096,PQ16,RSQ8",
        "IMI2x10,PQ16,RSQ8", "IVF4096,PQ16", "OPQ16,IVF4096,PQ16",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="n: "):
        suggest(0, 4)


@pytest.mark.parametrize("dim", [8, 12])
def test_every_suggestion_can_be_built_and_tuned(dim: int, rng: np.random.Generator) -> None:
    base = rng.standard_normal((1100, dim)).astype(np.float32)
    queries = rng.standard_normal((20, dim)).astype(np.float32)
    flat = kf.FlatIndex(dim)
    flat.add(base)
    truth = flat.search(queries, 5).ids
    for spec in suggest(*base.shape):
        trial = attempt(spec, base, queries, truth, 5, recall=0.2, rounds=1, verbose=False)
        assert trial.reached and trial.setting.recall >= 0.2
        assert trial.n == 1100 and trial.memory > 1100 * 8
        unreached = attempt("PQ2", base, queries, truth, 5, recall=1.0, rounds=1, verbose=False)
    assert not unreached.reached and unreached.setting.recall < 1


def test_memory_counts_what_serves_only_the_search(rng: np.random.Generator) -> None:
    x = rng.standard_normal((100, 16)).astype(np.float32)
    plain, shadowed = kf.FlatIndex(16, shadow=False), kf.FlatIndex(16)
    for index in (plain, shadowed):
        index.add(x)
    assert 100 * (64 + 8) <= memory_of(plain) <= memory_of(shadowed) - 100 * 16


def test_recommendation() -> None:
    def trial(spec: str, memory: int, seconds: float, reached: bool = True) -> Trial:
        return Trial(spec, 10, memory, 1.0, Setting({}, 0.9, seconds), reached)

    trials = [trial("a", 100, 2.0), trial("b", 500, 1.0), trial("c", 10, 0.5, reached=False)]
    assert recommend(trials).spec == "b"
    assert recommend(trials, memory=100).spec == "a"
    assert recommend(trials, memory=99) is None and recommend([]) is None
    assert trials[0].bytes_per_vector == 10
