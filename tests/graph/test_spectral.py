"""Ranking by eigenvectors: exact with all of them, within its bound with fewer, golden figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinfold import FileFormatError, KNNGraph, SpectralRanking


def everything(oracle: Any, graph: KNNGraph, alpha: float = 0.99) -> Any:
    return oracle.diffuse(graph, np.eye(len(graph)), alpha)


def all_rows(ranking: SpectralRanking) -> Any:
    n = len(ranking)
    return ranking.scores(np.ones((n, 1)), np.arange(n)[:, None]).astype(float)


@pytest.mark.parametrize("shift", [True, False])
def test_all_eigenvectors_are_diffusion(rng: np.random.Generator, oracle: Any, shift: bool) -> None:
    graph = KNNGraph.build(rng.normal(size=(90, 4)), 8)
    ranking = SpectralRanking(90, shift=shift).fit(graph)
    assert np.abs(all_rows(ranking) - everything(oracle, graph)).max() < 1e-5
    assert ranking.error_bound() == 0


def test_golden_errors_on_two_moons(moons: KNNGraph, oracle: Any) -> None:
    """Relative error of h(W) by rank, plain and shifted: the shift costs nothing and gains most of it."""
    exact = everything(oracle, moons)
    golden = {20: (0.175, 0.108), 50: (0.125, 0.033), 100: (0.112, 0.014), 200: (0.102, 0.012)}
    for r, (plain, shifted) in golden.items():
        for shift, expected in ((False, plain), (True, shifted)):
            found = all_rows(SpectralRanking(r, shift=shift).fit(moons))
            error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
            assert error == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("shift", [True, False])
def test_errors_fall_with_the_rank_and_keep_the_bound(
    moons: KNNGraph, oracle: Any, shift: bool
) -> None:
    exact = everything(oracle, moons)
    errors = []
    for r in (5, 20, 80, 300):
        ranking = SpectralRanking(r, shift=shift).fit(moons)
        difference = all_rows(ranking) - exact
        errors.append(np.linalg.norm(difference))
        assert np.linalg.norm(difference, 2) <= ranking.error_bound() + 1e-5
    assert errors == sorted(errors, reverse=True)


def test_inner_products_of_the_embedding_are_plain_scores(moons: KNNGraph) -> None:
    ranking = SpectralRanking(30, shift=False).fit(moons)
    embedding = ranking.embedding()
    assert embedding.shape == (1000, 30)
    scores = ranking.scores([[1.0, 1.0]], [[3, 8]])[0]
    assert np.allclose(embedding @ (embedding[3] + embedding[8]), scores, atol=1e-5)


def test_ranks_like_diffusion(moons: KNNGraph, oracle: Any) -> None:
    found = SpectralRanking(100).fit(moons).rank([1.0], [0], k=50)
    exact = everything(oracle, moons)[0]
    assert len(np.intersect1d(found.ids, np.argsort(-exact)[:50])) >= 47


def test_refuses(path_graph: KNNGraph) -> None:
    with pytest.raises(ValueError, match="graph: expected a KNNGraph"):
        SpectralRanking(2).fit([])  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="n_components: expected a whole number from 1 to 4, got 5"
    ):
        SpectralRanking(5).fit(path_graph)
    with pytest.raises(ValueError, match="ids: expected nodes from 0 to 3"):
        SpectralRanking(2).fit(path_graph).scores([1.0], [4])


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("vectors", np.zeros((4, 3), np.float32)),
        ("values", np.zeros(2, np.float32)),
        ("alpha", -0.5),
        ("shift", 1),
    ],
)
def test_damaged_state_is_refused(path_graph: KNNGraph, part: str, value: Any) -> None:
    ranking = SpectralRanking(2).fit(path_graph)
    params, arrays = ranking.params(), ranking.arrays()
    (params if part in params else arrays)[part] = value
    with pytest.raises(FileFormatError):
        SpectralRanking.from_state(params, arrays)
