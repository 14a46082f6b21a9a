"""Answers brought together in the order of each: against a sort of everything."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from kinfold.shards.merge import all_of, best_of, sum_of


def drawn(rng: np.random.Generator, ascends: bool) -> list[list[tuple[float, int]]]:
    """Of three shards the rows of one query, with many ties; ids are of one shard each."""
    pairs = [(float(rng.integers(5)), int(id)) for id in rng.permutation(40)]
    sign = 1 if ascends else -1
    cuts = sorted(rng.integers(0, 40, 2))
    parts = [pairs[: cuts[0]], pairs[cuts[0] : cuts[1]], pairs[cuts[1] :]]
    return [sorted(part, key=lambda pair: (sign * pair[0], pair[1])) for part in parts]


@pytest.mark.parametrize("ascends", [True, False])
def test_the_best_of_all(ascends: bool, rng: np.random.Generator) -> None:
    sign, worst = (1, np.inf) if ascends else (-1, -np.inf)
    for k in (1, 7, 50):
        parts = drawn(rng, ascends)
        answers = []
        for part in parts:
            filled = (part + [(worst, -1)] * k)[:k]
            answers.append(
                (np.array([[d for d, _ in filled]], np.float32), np.array([[i for _, i in filled]]))
            )
        merged = best_of(answers, k, ascends=ascends)
        expected = sorted(chain(*parts), key=lambda pair: (sign * pair[0], pair[1]))[:k]
        n = len(expected)
        assert merged.ids[0, :n].tolist() == [id for _, id in expected]
        assert merged.distances[0, :n].tolist() == [d for d, _ in expected]
        assert (merged.ids[0, n:] == -1).all() and (merged.distances[0, n:] == worst).all()
        for id, owner in zip(merged.ids[0, :n].tolist(), merged.owners[0]):
            assert id in [i for _, i in parts[owner]]


def test_an_infinite_distance_comes_before_what_is_missing() -> None:
    answers = [
        (np.array([[1, np.inf]], np.float32), np.array([[3, -1]])),
        (np.array([[np.inf, np.inf]], np.float32), np.array([[2, -1]])),
    ]
    assert best_of(answers, 3, ascends=True).ids.tolist() == [[3, 2, -1]]


@pytest.mark.parametrize("ascends", [True, False])
def test_all_within(ascends: bool, rng: np.random.Generator) -> None:
    sign = 1 if ascends else -1
    queries = [drawn(rng, ascends) for _ in range(4)] + [[[], [], []]]
    answers = []
    for shard in range(3):
        lists = [query[shard] for query in queries]
        starts = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        flat = [*chain(*lists)]
        answers.append(
            (starts, np.array([d for d, _ in flat], np.float32), np.array([i for _, i in flat], np.int64))
        )  # fmt: skip
    starts, distances, ids = all_of(answers, ascends=ascends)
    for at, query in enumerate(queries):
        expected = sorted(chain(*query), key=lambda pair: (sign * pair[0], pair[1]))
        assert ids[starts[at] : starts[at + 1]].tolist() == [id for _, id in expected]
        assert distances[starts[at] : starts[at + 1]].tolist() == [d for d, _ in expected]


def test_sums() -> None:
    assert sum_of([{"rows": 2, "cells": 1}, {"rows": 5, "cells": 1}]) == {"rows": 7, "cells": 2}
    assert sum_of([3, 4]) == 7 and sum_of([{}, {}]) == {}
