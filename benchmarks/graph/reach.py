"""Ranking by diffusion alone against Euclid: published settings, settings told by the graph, and the best there are.

    python -m benchmarks.graph.reach [--only coil20]

coil20: 1,440 views of 20 objects, pixels of length one, each view asked for its object's others. oxford5k: CaffeNet
vectors of whole photos, 55 queries by the protocol of Oxford and 70 of the revisited ones. photos: SqueezeNet's GeM of
898 photos at 320 pixels, 82 queries, by halves of the objects. Diffusion: mutual neighbours among k, gamma 3, 20
iterations of conjugate gradients, from the k_q nearest of the query; what it does not reach follows by similarity.
"Told by the graph": k by `suited_graph`, alpha by `suited_alpha`, without a label. "Best": of 4 k, 3 alpha and 3 k_q,
chosen by the labels.
"""

from __future__ import annotations

import itertools
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.base.neighbours import exact_neighbours
from kinfold.base.ranking import Ranking
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.graph.reach import LENGTHS, suited_alpha, suited_graph
from kinfold.io.vecs import read_vecs

ALPHAS, SOURCES = (0.5, 0.9, 0.99), (1, 5, 10)


class Task(NamedTuple):
    """What is searched, with what, and the average precision of each query by an order (q, n) of the base.

    own : the rows of the base that the queries are, to leave out; None where they count or are not in it
    """

    name: str
    base: NDArray[np.float32]
    queries: NDArray[np.float32]
    judge: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    own: NDArray[np.int64] | None = None


def unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def coil20() -> Iterator[Task]:
    with np.load(data.SHARED / "coil20" / "coil20.npz") as file:
        x = unit(file["images"].reshape(1440, -1).astype(np.float32))

    def judge(order: NDArray[np.int64]) -> NDArray[np.float64]:
        found = []
        for view, ids in enumerate(order):
            hits = np.flatnonzero(ids[ids != view] // 72 == view // 72)
            found.append(np.mean(np.arange(1, 72) / (hits + 1)))
        return np.array(found)

    yield Task("COIL-20, 1,440 views", x, x, judge, np.arange(1440))


def by(truth: GroundTruth, protocol: str = "oxford", kept: Any = slice(None)) -> Any:
    def judge(order: NDArray[np.int64]) -> NDArray[np.float64]:
        judged = evaluate(Ranking.from_ids(order), truth, protocol=protocol)
        found = judged.average_precision[kept]
        return found[~np.isnan(found)]

    return judge


def oxford5k() -> Iterator[Task]:
    folder = data.SHARED / "oxford5k"
    truth = GroundTruth.from_json(folder / "ground_truth.json")
    x = unit(np.asarray(read_vecs(folder / "caffenet_fc7_pca128.fvecs"), np.float32))
    yield Task("Oxford5k", x, x[truth.query_positions()], by(truth))
    again = GroundTruth.from_json(data.SHARED / "revisited" / "gnd_roxford5k.json")
    at = {name: position for position, name in enumerate(truth.imlist)}
    base, queries = ([at[n] for n in names] for names in (again.imlist, again.qimlist))
    for part in ("easy", "medium", "hard"):
        yield Task(f"ROxford5k {part}", x[base], x[queries], by(again, f"revisited-{part}"))


def photos() -> Iterator[Task]:
    folder = data.SHARED / "photos"
    truth = GroundTruth.from_json(folder / "ground_truth.json")
    path = data.CACHE / "photos-squeezenet-320.npy"
    if not path.exists():
        from kinfold.features import Extractor

        weights = data.SHARED / "weights" / "squeezenet1_1.safetensors"
        extractor = Extractor(weights, scales=[1], max_side=320)
        names = [*truth.imlist, *truth.qimlist]
        np.save(path, extractor.describe_all([folder / "jpg" / f"{n}.jpg" for n in names]))
    x = unit(np.load(path))
    n = len(truth.imlist)
    things = [min(entry["ok"]) for entry in truth.gnd]
    half = np.isin(things, sorted(set(things))[::2])
    for name, kept in (("first half", half), ("second half", ~half)):
        yield Task(f"photos, {name} of the objects", x[:n], x[n:], by(truth, kept=kept))


SETS = {"coil20": coil20, "oxford5k": oxford5k, "photos": photos}


def without(own: NDArray[np.int64] | None, found: Any) -> tuple[Any, Any]:
    """Similarities and ids of a search, one less than found, without the query itself."""
    values, ids = found.distances, found.ids
    if own is None:
        return values[:, :-1], ids[:, :-1]
    kept = ids != own[:, None]
    kept[kept.all(axis=1), -1] = False
    shape = (len(ids), ids.shape[1] - 1)
    return values[kept].reshape(shape), ids[kept].reshape(shape)


def interval(change: NDArray[np.float64]) -> str:
    """The mean and its 95 % interval over resampled queries."""
    random = np.random.default_rng(0)
    means = [change[random.integers(len(change), size=len(change))].mean() for _ in range(2000)]
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{change.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def measured(task: Task) -> list[str]:
    """A line of the table."""
    n = len(task.base)
    everyone = exact_neighbours(task.base, task.base, max(LENGTHS) + 1, metric="ip")
    lists = without(np.arange(n), everyone)
    near = without(
        task.own, exact_neighbours(task.queries, task.base, max(SOURCES) + 1, metric="ip")
    )
    likeness = task.queries @ task.base.T
    plain = task.judge(np.argsort(-likeness, axis=1, kind="stable"))

    def diffused(graph: kf.KNNGraph, alpha: float, k_query: int) -> NDArray[np.float64]:
        flow = kf.Diffusion(graph, alpha=alpha)
        scores = flow.scores(near[0][:, :k_query], near[1][:, :k_query])
        return task.judge(np.lexsort((-likeness, -scores)))

    graphs = {k: kf.KNNGraph.from_neighbours(*lists, k=k) for k in LENGTHS}
    published = diffused(graphs[50], 0.99, 10)
    graph = suited_graph(*lists)
    alpha = suited_alpha(graph)
    told = [diffused(graph, alpha, k_query) for k_query in SOURCES]
    grid = {
        setting: diffused(graphs[setting[0]], *setting[1:]).mean()
        for setting in itertools.product(LENGTHS, ALPHAS, SOURCES)
    }
    best = max(grid, key=grid.__getitem__)
    return [
        task.name, f"{plain.mean():.3f}", f"{published.mean():.3f}", f"{graph.k}, {alpha:.3f}",
        *(f"{t.mean():.3f}" for t in told), interval(told[1] - plain),
        f"{grid[best]:.3f} ({', '.join(f'{x:g}' for x in best)})",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SETS)
    arguments = parser.parse_args()
    kf.set_threads(1)
    data.CACHE.mkdir(parents=True, exist_ok=True)
    print(
        heading(
            ["mAP", "cosine", "published: 50, .99, 10", "told: k, alpha", *(f"from {s}" for s in SOURCES),
             "from 5 against cosine [95 %]", "best (k, alpha, k_q)"]
        )
    )  # fmt: skip
    for name, tasks in SETS.items():
        if arguments.only in (None, name):
            for task in tasks():
                print(row(measured(task)), flush=True)


if __name__ == "__main__":
    main()
