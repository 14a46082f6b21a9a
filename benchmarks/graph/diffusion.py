"""Diffusion by conjugate gradients on graphs of real descriptors, beside scipy, torch and pyamg.

    python -m benchmarks.graph.diffusion [--n 10000 100000 1000000] [--blocks 64] [--threads 1] [--levels avx2]
    python -m benchmarks.graph.diffusion --random 1000000     a random graph of 21 entries a node

20 iterations, alpha = 0.99, mutual neighbours among 50 of SIFT descriptors (benchmarks/data.py). All contestants
must agree to a thousandth before they are timed, in turn, by processor time where one thread runs. The
graphs are made once and kept in the cache folder: exactly up to 100,000 nodes, else by an inverted index.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data, measure
from kinfold import _core
from kinfold.graph.flow import flow_graph

ALPHA, ITERATIONS, K = 0.99, 20, 50


def graph_of(n: int) -> kf.KNNGraph:
    """The graph of n SIFT descriptors."""
    data.CACHE.mkdir(parents=True, exist_ok=True)
    path = data.CACHE / f"graph-sift-{n}.kin"
    if not path.exists():
        base = data.sift(n)["base"]
        base /= np.linalg.norm(base, axis=1, keepdims=True)
        if n <= 100_000:
            graph = kf.KNNGraph.build(base, K)
        else:
            index = kf.index_factory("IVF4096,Flat", base.shape[1], metric="ip")
            index.train(base[::8])
            index.add(base)
            parts = [
                index.search(base[at : at + 20_000], K + 1, nprobe=8) for at in range(0, n, 20_000)
            ]
            ids, near = (np.concatenate([part[i] for part in parts]) for i in (1, 0))
            graph = kf.KNNGraph.from_neighbours(near, ids, k=K)
        kf.save(graph, path)
    return kf.load(path)


def random_graph(n: int) -> kf.KNNGraph:
    """A symmetric graph of about 21 entries a node between random nodes: no order of nodes helps."""
    rng = np.random.default_rng(0)
    edges = rng.integers(n, size=(2, int(10.5 * n)))
    weights = rng.uniform(0.1, 1, edges.shape[1]).astype(np.float32)
    matrix = sparse.coo_matrix((weights, edges), shape=(n, n)).tocsr()
    matrix = (matrix + matrix.T).tocsr()
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return kf.KNNGraph.from_rows(matrix.indptr, matrix.indices, matrix.data, gamma=1, k=21)


def queries(n: int, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ten nodes a query, all different."""
    rng = np.random.default_rng(1)
    ids = rng.integers(1, n // 11, size=(count, 10)).cumsum(axis=1)
    return ids, rng.uniform(0.5, 1, ids.shape).astype(np.float32)


def cg(multiply: Callable[[Any], Any], y: Any, dot: Callable[[Any, Any], Any]) -> Any:
    """Conjugate gradients as one would write them over somebody's sparse product; columns are queries."""
    z, r, p = 0 * y, y, y
    rr = dot(r, r)
    for _ in range(ITERATIONS):
        q = multiply(p)
        step = rr / dot(p, q)
        z = z + step * p
        r = r - step * q
        before, rr = rr, dot(r, r)
        p = r + rr / before * p
    return z


def peers(graph: kf.KNNGraph, y: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    """Calls that return (n,) or (n, queries)."""
    n = len(graph)
    w = sparse.csr_matrix((graph.normalised(), graph.neighbours, graph.starts), shape=(n, n))
    system = (sparse.identity(n, dtype=np.float32, format="csr") - np.float32(ALPHA) * w).tocsr()
    calls: dict[str, Callable[[], Any]] = {}
    columns = np.ascontiguousarray(y.T)
    if len(y) == 1:
        from scipy.sparse.linalg import cg as scipy_cg

        calls["scipy cg float32"] = lambda: scipy_cg(
            system, y[0], rtol=0, atol=0, maxiter=ITERATIONS
        )[0]
    calls["loop over scipy"] = lambda: cg(
        lambda p: system @ p, columns, lambda a, b: np.einsum("ij,ij->j", a, b)
    )
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(1)
        s = torch.sparse_csr_tensor(
            torch.from_numpy(system.indptr), torch.from_numpy(system.indices), torch.from_numpy(system.data),
            size=(n, n),
        )  # fmt: skip
        t = torch.from_numpy(columns)
        calls["loop over torch"] = lambda: cg(
            lambda p: s @ p, t, lambda a, b: (a * b).sum(0)
        ).numpy()
    if len(y) == 1:
        try:
            from pyamg.krylov import cg as pyamg_cg
        except ImportError:
            pass
        else:
            wide, right = system.astype(np.float64), y[0].astype(np.float64)
            calls["pyamg"] = lambda: pyamg_cg(wide, right, tol=1e-300, maxiter=ITERATIONS)[0]
    return calls


def at_level(level: str, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call with another instruction set."""

    def run() -> Any:
        best = _core.level()
        _core.set_level(level)
        try:
            return call()
        finally:
            _core.set_level(best)

    return run


def clocked(calls: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]) -> dict:
    """The least seconds of each call, taken in turn; what takes more than five is called twice."""
    least = dict.fromkeys(calls, np.inf)
    for turn in range(rounds):
        for name, call in calls.items():
            if turn > 1 and least[name] > 5:
                continue
            time.sleep(measure.REST)
            start = clock()
            call()
            least[name] = min(least[name], clock() - start)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--random", type=int, help="a random graph of so many nodes")
    parser.add_argument("--blocks", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--threads", type=int, default=1, help="Kinfold's; the peers have one")
    parser.add_argument(
        "--levels", nargs="+", default=[], choices=_core.levels(), help="Kinfold's, too"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    kf.set_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    print(f"level {_core.level()}, {arguments.threads} thread(s)")
    print(measure.heading(["nodes", "entries", "queries", "system", "ms a query", "÷ kinfold"]))
    figures = []
    for n in [arguments.random] if arguments.random else arguments.n:
        graph = random_graph(n) if arguments.random else graph_of(n)
        start = time.process_time()
        system = flow_graph(graph)
        made = time.process_time() - start
        for count in arguments.blocks:
            ids, similarities = queries(n, count)
            flows = {
                name: kf.Diffusion(
                    graph, alpha=ALPHA, iterations=ITERATIONS, tolerance=0, storage=storage
                )
                for name, storage in (("kinfold", "float32"), ("kinfold, halves", "float16"))
            }
            calls = {
                name: (lambda flow=flow, ids=ids, s=similarities: flow.scores(s, ids).T)
                for name, flow in flows.items()
            }
            for level in arguments.levels:
                calls[f"kinfold, {level}"] = at_level(level, calls["kinfold"])
            y = np.zeros((count, n), np.float32)
            for row in range(count):
                np.add.at(y[row], ids[row], graph.weigh(similarities[row]))
            if not arguments.no_peers:
                calls |= peers(graph, y)
            expected = calls["kinfold"]()
            for name, call in calls.items():
                if count > 1 and n >= 1_000_000 and "kinfold" not in name:
                    continue  # the same calls as at 100,000
                found = np.asarray(call()).reshape(n, -1)
                scale = 1 if "kinfold" in name else 1 - ALPHA
                error = np.linalg.norm(scale * found - expected) / np.linalg.norm(expected)
                assert error < (0.01 if "halves" in name else 1e-3), (name, error)
            rounds = arguments.rounds if n < 1_000_000 or count == 1 else 2
            least = clocked(calls, rounds, clock)
            for name, value in least.items():
                ratio = value / least["kinfold"]
                figures.append([n, len(graph.neighbours), count, name, 1e3 * value / count, ratio])
                print(
                    measure.row(
                        [
                            n,
                            len(graph.neighbours),
                            count,
                            name,
                            f"{1e3 * value / count:.2f}",
                            f"{ratio:.2f}",
                        ]
                    ),
                    flush=True,
                )
        print(
            f"order and slices: {made:.2f} s, {system.nbytes / len(graph.neighbours):.2f} bytes an entry"
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
