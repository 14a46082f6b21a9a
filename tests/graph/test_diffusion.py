"""Conjugate gradients against golden figures, dense algebra and what diffusion must satisfy."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from kinfold import Diffusion, KNNGraph, use_threads


def random_graph(rng: np.random.Generator, n: int = 200, k: int = 10) -> KNNGraph:
    return KNNGraph.build(rng.normal(size=(n, 6)), k)


def queries(rng: np.random.Generator, n: int, count: int, k: int = 5) -> tuple[Any, Any]:
    ids = np.argsort(rng.random((count, n)), axis=1)[:, :k]
    return ids, rng.uniform(0.2, 1, ids.shape).astype(np.float32)


def dense_y(ids: Any, weights: Any, n: int) -> Any:
    y = np.zeros((len(ids), n))
    for row, (nodes, values) in enumerate(zip(ids, weights)):
        np.add.at(y[row], nodes, values)
    return y


def one(node: int = 0) -> tuple[Any, Any]:
    return np.array([[1.0]]), np.array([[node]])


def test_iterates_on_the_path_graph(path_graph: KNNGraph) -> None:
    golden = {
        1: (1, 0, 0, 0),
        2: (2.885170, 2.332174, 0, 0),
        3: (3.748843, 3.400638, 1.122210, 0),
        4: (21.163578, 24.944686, 23.749990, 19.197867),
    }
    for iterations, expected in golden.items():
        scores = Diffusion(path_graph, iterations=iterations).scores(*one())
        assert scores[0] / 0.01 == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_closed_form_on_the_path_graph(path_graph: KNNGraph) -> None:
    half = Diffusion(path_graph, alpha=0.5).scores(*one())[0]
    assert half / 0.5 == pytest.approx((1.208333, 0.510310, 0.102062, 0.041667), abs=1e-6)
    near_one = Diffusion(path_graph).scores(*one())[0]
    # Floats, and a condition number of 199.
    assert near_one == pytest.approx((0.211636, 0.249447, 0.237500, 0.191979), abs=2e-6)
    # At alpha = .99 the query's own neighbour is not first.
    assert Diffusion(path_graph).rank(*one(), k=4).ids.tolist() == [[1, 2, 0, 3]]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 0.99])
def test_is_the_dense_solution(rng: np.random.Generator, oracle: Any, alpha: float) -> None:
    graph = random_graph(rng)
    ids, similarities = queries(rng, len(graph), 7)
    found = Diffusion(graph, alpha=alpha, iterations=500, tolerance=1e-9).solve(similarities, ids)
    exact = oracle.diffuse(graph, dense_y(ids, similarities**3.0, len(graph)), alpha)
    assert np.abs(found.scores - exact).max() < 1e-6
    assert (found.residuals <= 1e-9).all()


def test_convergence_on_two_moons(moons: KNNGraph, oracle: Any) -> None:
    """The errors after 2, 10, 20, 40, 60 iterations; 20 of them do what 300 steps of a walk do."""
    y = np.eye(1, len(moons))
    exact = oracle.diffuse(moons, y, 0.99)[0]
    errors = {}
    for iterations in (2, 10, 20, 40, 60):
        scores = Diffusion(moons, iterations=iterations, tolerance=0).scores(*one())[0]
        errors[iterations] = np.linalg.norm(scores - exact) / np.linalg.norm(exact)
    assert errors[2] == pytest.approx(0.93, abs=0.03)
    assert errors[10] == pytest.approx(0.22, abs=0.03)
    assert errors[20] == pytest.approx(0.041, abs=0.008)
    assert errors[40] == pytest.approx(6e-4, abs=3e-4)
    assert errors[60] < 3e-5


def test_mass_stays_on_its_moon(moons: KNNGraph) -> None:
    scores, ids = Diffusion(moons, iterations=200).rank(*one(), k=400)
    from sklearn.datasets import make_moons

    _, moon = make_moons(1000, noise=0.05, random_state=0)
    assert (moon[ids[0]] == moon[0]).all()
    assert (np.diff(scores[0]) <= 0).all()


def test_islands_never_receive_mass(islands: KNNGraph) -> None:
    scores = Diffusion(islands, iterations=300).scores([[1, 0.5], [1, 0.5]], [[0, 3], [45, 50]])
    assert (scores[0, 40:] == 0).all()
    assert (scores[1, :40] == 0).all()
    assert (scores[1, 80:] == 0).all()
    assert (scores[0, :40] > 0).all()


def test_isolated_query_node_keeps_its_own(islands: KNNGraph) -> None:
    scores = Diffusion(islands).scores(*one(80))[0]
    assert scores[80] == pytest.approx(0.01)
    assert np.count_nonzero(scores) == 1


def test_alpha_zero_is_the_query_vector(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    ids, similarities = queries(rng, len(graph), 3)
    scores = Diffusion(graph, alpha=0).scores(similarities, ids)
    assert np.allclose(scores, dense_y(ids, similarities**3.0, len(graph)), rtol=1e-6)


def test_alpha_towards_one_is_stationary(oracle: Any) -> None:
    rng = np.random.default_rng(5)
    graph = KNNGraph.build(rng.random((60, 3)), 20, reciprocal=False)
    scores = Diffusion(graph, alpha=0.99999, iterations=2000, tolerance=1e-9).scores(*one())[0]
    root = np.sqrt(graph.degrees())
    assert scores / np.linalg.norm(scores) == pytest.approx(root / np.linalg.norm(root), rel=5e-3)


def test_is_linear(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    (a, b), s = np.argsort(rng.random((2, 200)), axis=1)[:, :4], rng.random((2, 4))
    diffusion = Diffusion(graph, iterations=500, tolerance=1e-9)
    apart = diffusion.scores(s, [a, b])
    together = diffusion.scores(s[None], [[a, b]])
    assert together.shape == (1, 200)
    assert np.allclose(together[0], apart.sum(0), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 17, 33, 50])
def test_alone_or_among_others_the_bits_are_the_same(count: int) -> None:
    rng = np.random.default_rng(count)
    graph = random_graph(rng, 2500, 8)
    ids, similarities = queries(rng, len(graph), count)
    together = Diffusion(graph).solve(similarities, ids)
    for row in {0, count // 2, count - 1}:
        alone = Diffusion(graph).solve(similarities[row : row + 1], ids[row : row + 1])
        assert np.array_equal(alone.scores[0], together.scores[row])
        assert alone.iterations[0] == together.iterations[row]
        assert alone.residuals[0] == together.residuals[row]


def test_threads_do_not_matter(threads: int) -> None:
    rng = np.random.default_rng(11)
    nearest = (np.arange(30_000)[:, None] + rng.integers(1, 400, (30_000, 6)).cumsum(1)) % 30_000
    graph = KNNGraph.from_neighbours(rng.random(nearest.shape), nearest, reciprocal=False)
    ids, similarities = queries(rng, len(graph), 3)
    many = Diffusion(graph).solve(similarities, ids)
    with use_threads(1):
        single = Diffusion(graph).solve(similarities, ids)
    assert np.array_equal(many.scores, single.scores)
    assert np.array_equal(many.history, single.history, equal_nan=True)


def test_each_query_stops_by_itself(path_graph: KNNGraph, islands: KNNGraph) -> None:
    found = Diffusion(islands, tolerance=1e-4, iterations=300).solve(
        np.ones((3, 2)), [[80, -1], [0, -1], [-1, -1]]
    )
    assert found.iterations[0] == 1
    assert found.iterations[2] == 0
    assert 1 < found.iterations[1] < 300
    assert (found.residuals <= 1e-4).all()
    assert (found.scores[2] == 0).all()
    last = found.iterations[1]
    assert found.history.shape == (301, 3)
    assert found.history[0].tolist() == [1, 1, 0]
    assert found.history[last, 1] == found.residuals[1]
    assert np.isnan(found.history[last + 1 :, 1]).all()
    assert not np.isnan(found.history[: last + 1, 1]).any()


def test_residual_is_the_true_one(rng: np.random.Generator, oracle: Any) -> None:
    graph = random_graph(rng)
    ids, similarities = queries(rng, len(graph), 4)
    found = Diffusion(graph, iterations=15, tolerance=0).solve(similarities, ids)
    y = dense_y(ids, similarities**3.0, len(graph))
    system = (np.eye(len(graph)) - 0.99 * oracle.normalised(graph)) / 0.01
    residual = np.linalg.norm(y - found.scores @ system, axis=1) / np.linalg.norm(y, axis=1)
    assert found.residuals == pytest.approx(residual, rel=1e-3)
    assert (found.iterations == 15).all()


def test_a_warm_start_needs_fewer_iterations(rng: np.random.Generator) -> None:
    graph = random_graph(rng)
    ids, similarities = queries(rng, len(graph), 6)
    diffusion = Diffusion(graph, iterations=300, tolerance=1e-4)
    cold = diffusion.solve(similarities, ids)
    warm = diffusion.solve(similarities * 1.01, ids, start=cold.scores * 1.03)
    assert (warm.iterations < cold.iterations).all()
    reference = diffusion.solve(similarities * 1.01, ids).scores
    assert np.allclose(warm.scores, reference, atol=2e-4 * reference.max())


def test_damaged_weights_end_in_numbers(path_graph: KNNGraph) -> None:
    """An asymmetric graph is no valid system; it must stop, not hang or crash."""
    lopsided = KNNGraph.from_rows([0, 1, 1], [1], [1.0], gamma=1)
    found = Diffusion(lopsided, iterations=50).solve([[1.0]], [[0]])
    assert np.isfinite(found.scores).all()


def test_arrays_damaged_after_the_check_harm_nobody(path_graph: KNNGraph) -> None:
    graph = KNNGraph.from_rows(*path_graph.arrays().values(), gamma=1)
    diffusion = Diffusion(graph)
    graph.neighbours = np.array([1, 0, 2, 1, 3, 2**30], np.int32)
    assert np.array_equal(diffusion.scores(*one()), Diffusion(path_graph).scores(*one()))
    with pytest.raises(ValueError, match="neighbours: expected nodes of the graph"):
        graph.path([0], 3)


def test_several_threads_may_share_one(rng: np.random.Generator) -> None:
    graph = random_graph(rng, 1500)
    diffusion = Diffusion(graph)
    ids, similarities = queries(rng, len(graph), 8)
    expected = diffusion.scores(similarities, ids)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(5):
            if not np.array_equal(diffusion.scores(similarities, ids), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_interrupt_ends_a_long_call() -> None:
    """Small steps without end: the call must answer an interrupt between them."""
    program = """
import os, signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs are started without it
import numpy as np
from kinfold import KNNGraph
from kinfold.graph.random_walk import RandomWalk

# A background job of a shell ignores the signal, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
n = 100_000
ids = (np.arange(n)[:, None] + [1, n - 1]) % n
walk = RandomWalk(KNNGraph.from_neighbours(np.ones(ids.shape), ids), iterations=100_000, tolerance=0)
try:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    walk.scores([[1.0]], [[0]])
except KeyboardInterrupt:
    print("stopped")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "stopped\n", done.stderr


def test_levels_agree(level: str) -> None:
    """From AVX2 on to the bit, alone and among others; the baseline rounds products as well."""
    from kinfold import _core

    rng = np.random.default_rng(7)
    graph = random_graph(rng, 1500, 9)
    ids, similarities = queries(rng, len(graph), 19)
    here = [Diffusion(graph).scores(similarities[:count], ids[:count]) for count in (1, 3, 7, 19)]
    _core.set_level("avx2" if level != "baseline" and "avx2" in _core.levels() else level)
    there = Diffusion(graph).scores(similarities, ids)
    _core.set_level("baseline")
    plain = Diffusion(graph).scores(similarities, ids)
    for scores in here:
        assert np.array_equal(scores, there[: len(scores)])
    assert np.allclose(plain, there, rtol=1e-3, atol=1e-7)


def test_half_weights_keep_their_bound(rng: np.random.Generator, oracle: Any, level: str) -> None:
    graph = random_graph(rng, 300, 12)
    ids, similarities = queries(rng, len(graph), 5)
    exact = oracle.diffuse(graph, dense_y(ids, similarities**3.0, len(graph)), 0.99)
    options = {"iterations": 500, "tolerance": 1e-8}
    halves = Diffusion(graph, storage="float16", **options).scores(similarities, ids)
    error = np.linalg.norm(halves - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert (error < 99 * 2**-11).all()
    assert (error > 0).all()
    alone = Diffusion(graph, storage="float16", **options).scores(similarities[2], ids[2])
    assert np.array_equal(alone, halves[2])


def scattered(n: int, edges: int, seed: int = 0) -> KNNGraph:
    """A ring, and edges between any nodes: no order brings all neighbours together."""
    from scipy.sparse import coo_matrix

    rng = np.random.default_rng(seed)
    near = np.arange(n).repeat(2), (np.arange(n)[:, None] + [1, 2]).ravel() % n
    ends = np.concatenate([near, rng.integers(n, size=(2, n * edges))], axis=1)
    weights = rng.uniform(0.1, 1, ends.shape[1]).astype(np.float32)
    matrix = coo_matrix((weights, ends), shape=(n, n)).tocsr()
    matrix = (matrix + matrix.T).tocsr()
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return KNNGraph.from_rows(matrix.indptr, matrix.indices, matrix.data, gamma=3)


def sparse(graph: KNNGraph) -> Any:
    """The normalised graph in scipy's hands."""
    from scipy.sparse import csr_matrix

    return csr_matrix(
        (graph.normalised().astype(np.float64), graph.neighbours, graph.starts),
        shape=(len(graph), len(graph)),
    )


@pytest.mark.parametrize(("n", "count"), [(9000, 1), (9000, 5), (70_000, 3)])
def test_rounded_directions_reach_the_exact_answer(n: int, count: int) -> None:
    """Large graphs are searched in directions of half precision: answers are as exact, and as soon."""
    from scipy.sparse import identity
    from scipy.sparse.linalg import cg

    graph = scattered(n, 3)
    ids, similarities = queries(np.random.default_rng(1), n, count)
    system = identity(n) - 0.99 * sparse(graph)
    found = Diffusion(graph, iterations=300, tolerance=1e-6).solve(similarities, ids)
    y = dense_y(ids, similarities**3.0, n)
    for row in range(count):
        steps: list[int] = []
        cg(system, y[row], rtol=1e-6, callback=lambda _: steps.append(1))  # noqa: B023
        exact = 0.01 * cg(system, y[row], rtol=1e-11)[0]
        error = np.linalg.norm(found.scores[row] - exact) / np.linalg.norm(exact)
        assert error < 1e-4
        assert found.iterations[row] <= 1.15 * len(steps) + 2


def test_columns_of_a_large_matrix_come_in_blocks() -> None:
    """More columns than a block has: the sums are those of one block, for any width."""
    from kinfold.graph.flow import flow_graph

    n = 2 * 2**18 + 70_001
    graph = scattered(n, 2, seed=3)
    x = np.random.default_rng(4).normal(size=(5, n)).astype(np.float32)
    found = flow_graph(graph).multiply(x)
    expected = sparse(graph) @ x.T.astype(np.float64)
    assert np.allclose(found, expected.T, atol=2e-6)
    assert np.array_equal(flow_graph(graph).multiply(x[2:3])[0], found[2])
    assert np.allclose(flow_graph(graph, "float16").multiply(x[:1])[0], expected[:, 0], atol=2e-3)
    ids, similarities = queries(np.random.default_rng(5), n, 2)
    together = Diffusion(graph, iterations=4).scores(similarities, ids)
    with use_threads(1):
        assert np.array_equal(
            Diffusion(graph, iterations=4).scores(similarities[1], ids[1]), together[1]
        )


def test_levels_agree_on_rounded_directions(level: str) -> None:
    from kinfold import _core

    graph = scattered(70_000, 2)
    ids, similarities = queries(np.random.default_rng(6), len(graph), 3)
    scores = []
    for other in (level, "avx2" if level != "baseline" and "avx2" in _core.levels() else level):
        _core.set_level(other)
        for count in (1, 3):
            scores.append(Diffusion(graph).scores(similarities[:count], ids[:count])[0])
    assert all(np.array_equal(scores[0], others) for others in scores)
    _core.set_level("baseline")
    assert np.allclose(Diffusion(graph).scores(similarities[:1], ids[:1]), scores[0], atol=1e-7)


def test_order_of_nodes_does_not_matter() -> None:
    """Scores go with the nodes, however these are numbered; large graphs are reordered inside."""
    rng = np.random.default_rng(12)
    n = 9000
    nearest = (np.arange(n)[:, None] + rng.integers(1, 60, (n, 6)).cumsum(1)) % n
    values = rng.random(nearest.shape).astype(np.float32)
    graph = KNNGraph.from_neighbours(values, nearest, reciprocal=False)
    turn = rng.permutation(n)
    back = np.argsort(turn)
    other = KNNGraph.from_neighbours(values[turn], back[nearest[turn]], reciprocal=False)
    ids, similarities = queries(rng, n, 4)
    exact = {"iterations": 300, "tolerance": 1e-8}
    scores = Diffusion(graph, **exact).scores(similarities, ids)
    turned = Diffusion(other, **exact).scores(similarities, back[ids])
    assert np.allclose(turned[:, back], scores, rtol=1e-4, atol=1e-8)


def test_parallel_edges_add_up() -> None:
    twice = KNNGraph.from_rows([0, 2, 4], [1, 1, 0, 0], [0.25, 0.5, 0.25, 0.5], gamma=1)
    once = KNNGraph.from_rows([0, 1, 2], [1, 0], [0.75, 0.75], gamma=1)
    assert np.allclose(Diffusion(twice).scores(*one()), Diffusion(once).scores(*one()), rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 0.99])
def test_system_is_positive_definite(rng: np.random.Generator, oracle: Any, alpha: float) -> None:
    graph = random_graph(rng)
    system = (np.eye(len(graph)) - alpha * oracle.normalised(graph)) / (1 - alpha)
    assert np.allclose(system, system.T, atol=1e-6)
    spectrum = np.linalg.eigvalsh(system)
    assert spectrum[0] >= 1 - 1e-4
    assert spectrum[-1] <= (1 + alpha) / (1 - alpha) + 1e-3


def test_the_solvers_graph_is_kept_and_follows_its_graph(rng: np.random.Generator) -> None:
    from kinfold.graph.flow import flow_graph

    graph = random_graph(rng)
    assert flow_graph(graph) is flow_graph(graph)
    assert flow_graph(graph) is not flow_graph(graph, "float16")
    assert len(flow_graph(graph)) == len(graph)
    x = rng.normal(size=(5, len(graph))).astype(np.float32)
    dense = np.zeros((len(graph), len(graph)))
    dense[np.repeat(np.arange(len(graph)), np.diff(graph.starts)), graph.neighbours] = (
        graph.normalised()
    )
    assert np.allclose(flow_graph(graph).multiply(x), x @ dense, atol=1e-5)
