"""Diffusions are pickled and copied with their graphs; what is compiled is made anew."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.graph.random_walk import RandomWalk
from kinfold.graph.regional import RegionalDiffusion
from kinfold.graph.truncated import TruncatedDiffusion

MAKERS: dict[str, Callable[[Any], Any]] = {
    "Diffusion": lambda graph: kf.Diffusion(graph, alpha=0.9, storage="float16"),
    "RandomWalk": lambda graph: RandomWalk(graph, alpha=0.9, iterations=30),
    "TruncatedDiffusion": lambda graph: TruncatedDiffusion(graph, alpha=0.9),
    "RegionalDiffusion": lambda graph: RegionalDiffusion(
        kf.Diffusion(graph), np.arange(len(graph)) // 2
    ),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "way", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy, copy.copy], ids=["pickle", "deep", "shallow"]
)  # fmt: skip
def test_copies_rank_the_same(
    name: str, way: Callable[[Any], Any], rng: np.random.Generator
) -> None:
    made = MAKERS[name](kf.KNNGraph.build(rng.standard_normal((40, 6)), 5))
    question = [[0.9, 0.8, 0.1], [0.7, 0.6, 0.5]], [[3, 8, 1], [7, 0, 2]]
    answer, other = made.rank(*question, k=5), way(made).rank(*question, k=5)
    assert np.array_equal(answer.ids, other.ids)
    assert np.array_equal(answer.distances, other.distances)
