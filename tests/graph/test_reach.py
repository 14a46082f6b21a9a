"""How far a flow should reach: shares counted by hand, and lists that leave nobody out."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.graph.knn import KNNGraph
from kinfold.graph.reach import suited_alpha, suited_graph


def cliques(between: float) -> KNNGraph:
    """Two sets of four, all joined with weight 1 within, and one edge between them."""
    weights = np.zeros((8, 8))
    weights[:4, :4] = weights[4:, 4:] = 1 - np.eye(4)
    weights[3, 4] = weights[4, 3] = between
    rows, columns = np.nonzero(weights)
    starts = np.searchsorted(rows, np.arange(9))
    return KNNGraph.from_rows(starts, columns, weights[rows, columns], k=4)


@pytest.mark.parametrize("between", [0.25, 0.5, 1.0])
def test_a_walk_goes_on_as_long_as_it_stays(between: float) -> None:
    # Of 2 * 12 ends of edges within and 2 ends between: the share that leaves.
    assert suited_alpha(cliques(between)) == pytest.approx(1 - 2 * between / (24 + 2 * between))


def test_bounds() -> None:
    assert suited_alpha(cliques(1e-6)) == 0.99
    nobody = KNNGraph.from_neighbours(np.zeros((5, 1), np.float32), np.full((5, 1), -1), k=1)
    assert suited_alpha(nobody) == 0


def lists(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Of points on a sphere, the k nearest of each."""
    x = rng.standard_normal((n, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    likeness = x @ x.T
    np.fill_diagonal(likeness, -2)
    ids = np.argsort(-likeness, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(likeness, ids, axis=1).astype(np.float32), ids


def test_the_shortest_lists_that_leave_few_alone(rng: np.random.Generator) -> None:
    values, ids = lists(rng, 300, 20)
    alone = {}
    for k in (1, 2, 4, 20):
        near = [set(row[:k].tolist()) for row in ids]
        alone[k] = np.mean([not any(i in near[j] for j in near[i]) for i in range(300)])
    assert alone[1] > alone[2] > alone[4] >= alone[20]
    for k, longest in ((1, alone[1]), (2, alone[2]), (4, alone[4])):
        graph = suited_graph(values, ids, lengths=(20, 4, 2, 1), alone=longest + 1e-9)
        assert graph.k == k
    assert suited_graph(values, ids, lengths=(1, 2), alone=0.0).k == 2
    assert suited_graph(values, ids, alone=1.0, gamma=1.0).gamma == 1


def test_refusals(rng: np.random.Generator) -> None:
    values, ids = lists(rng, 30, 5)
    with pytest.raises(ValueError, match="^lengths: expected at least one"):
        suited_graph(values, ids, lengths=())
    with pytest.raises(ValueError, match="^alone: expected a number"):
        suited_graph(values, ids, alone=2)
