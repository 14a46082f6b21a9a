"""Whether two versions give the same answers, to the last bit.

    python -m benchmarks.answers record FOLDER     with the older version: files and what was answered
    python -m benchmarks.answers compare FOLDER    with the newer one, on the same machine: exit 1 where they differ

Every kind of index, ASMK, bags of words, graphs, k-means and trees, made from seeded data, saved, and asked at every
level of the machine with one thread and two, one query and many. The newer version loads the older one's files and
also makes everything anew. Levels below AVX2 sum in another order: they are compared with themselves.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from kinfold import _core

DIM, ROWS, QUERIES = 32, 6000, 150
SPECS = [
    "Flat", "KDTree", "KDForest4", "KDForest2,SQ8", "KDForest2,SQfp16", "LSH64", "LSH4x12", "PQ8", "PQ8x4fs",
    "SQ8", "SQfp16", "IVF64,Flat", "IVF64,SQ8", "IVF64,SQfp16", "IVF64,PQ8", "IVF64,PQ8x4fs",
    "IVF64,PQ8,RSQ8", "IVF64,PQ8,RFlat", "PQ8,RSQfp16", "OPQ8,IVF32,PQ8", "PCA16,IVF32,Flat", "RR,SQ8",
    "IMI2x3,PQ8", "IMI2x3,PQ8x4,RFlat", "IVF16,LOPQ8", "IVF16,LOPQ8x4", "IMI2x2,LOPQ8x4",
]  # fmt: skip
Ask = Callable[[Any, np.ndarray], Any]


def data(n: int, seed: int, d: int = DIM) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((40, d)) * 2
    return (centres[rng.integers(40, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


def index(spec: str, metric: str) -> Any:
    made = kf.index_factory(spec, DIM, metric=metric, verbose=False)
    made.train(data(4000, 1))
    x = data(ROWS, 2)
    for at in range(0, ROWS, 2500):
        made.add(x[at : at + 2500], ids=np.arange(at, min(at + 2500, ROWS)) * 3)
    made.remove(np.arange(0, 3 * ROWS, 33))
    return made


def ask_index(made: Any, q: np.ndarray) -> Any:
    # In the order of the file, which no version changes.
    ids = np.asarray(made.arrays().get("rows.ids", made.ids))
    found = [
        made.search(q, 10),
        made.search(q[:1], 100),
        made.search(q[0], 3),
        made.search(q, 5, filter=ids[::2]),
    ]
    within = made.range_search(q[:20], float(np.median(np.abs(found[0][0][:, 0]))))
    return [*found, within, made.reconstruct(ids[:50])]


def photos(seed: int, n: int) -> list[np.ndarray]:
    return [data(60, 1000 * seed + i) for i in range(n)]


def inverted(name: str) -> Any:
    from kinfold.words.asmk import ASMK
    from kinfold.words.bag_of_words import BagOfWords
    from kinfold.words.words import VisualWords

    words = VisualWords(64, verbose=False).fit(data(4000, 1))
    model = ASMK(words) if name == "asmk" else BagOfWords(words)
    model.fit(data(4000, 1))
    model.add(photos(3, 120))
    model.add(photos(4, 60))
    model.remove(model.ids[::9])
    return model


def ask_inverted(model: Any, q: np.ndarray) -> Any:
    return [model.search(photos(5, 10), 12), model.scores(photos(5, 4)), model.neighbours(5)]


def graph() -> Any:
    return kf.KNNGraph.build(data(3000, 2), 12)


def ask_graph(made: Any, q: np.ndarray) -> Any:
    return [
        made.normalised(),
        kf.Diffusion(made).rank([[0.9, 0.8], [0.7, 0.6]], [[0, 1], [7, 9]], k=20),
    ]


def tree() -> Any:
    return kf.KDTree(data(3000, 2, 4))


def ask_tree(made: Any, q: np.ndarray) -> Any:
    return [made.query(data(100, 5, 4), 5), made.query_ball_point(data(5, 5, 4), 1.0)]


def kmeans() -> Any:
    return kf.KMeans(100, iterations=5, verbose=False).fit(data(5000, 1))


def ask_kmeans(made: Any, q: np.ndarray) -> Any:
    return [made.assign(q), made.centroids]


def things() -> Iterator[tuple[str, Callable[[], Any], Ask]]:
    for spec in SPECS:
        for metric in ("l2", "ip", "cosine"):
            if metric == "l2" or not any(word in spec for word in ("OPQ", "KDTree", "LSH")):
                yield f"{spec} {metric}", partial(index, spec, metric), ask_index
    yield "asmk", partial(inverted, "asmk"), ask_inverted
    yield "bags", partial(inverted, "bags"), ask_inverted
    yield "graph", graph, ask_graph
    yield "tree", tree, ask_tree
    yield "kmeans", kmeans, ask_kmeans


def digest(value: Any) -> str:
    """Of arrays however nested, to the last bit."""
    sums = hashlib.sha256()

    def take(part: Any) -> None:
        if isinstance(part, np.ndarray) and part.dtype != object:
            sums.update(repr((part.dtype.str, part.shape)).encode())
            sums.update(np.ascontiguousarray(part).tobytes())
        elif hasattr(part, "tocsr"):
            take([part.data, part.indices, part.indptr])
        elif isinstance(part, (list, tuple, np.ndarray)):
            for inner in part:
                take(inner)
        elif hasattr(part, "__dataclass_fields__"):
            take([getattr(part, name) for name in part.__dataclass_fields__])
        else:
            sums.update(repr(part).encode())

    take(value)
    return sums.hexdigest()


def answers(made: Any, ask: Ask) -> dict[str, str]:
    """What is answered by level and number of threads."""
    best, out = _core.level(), {}
    try:
        for level in _core.levels():
            _core.set_level(level)
            for threads in (1, 2):
                kf.set_threads(threads)
                out[f"{level} {threads}"] = digest(ask(made, data(QUERIES, 3)))
    finally:
        _core.set_level(best)
        kf.set_threads(0)
    return out


def save(made: Any, file: Path) -> None:
    made.save(file) if hasattr(made, "save") else kf.save(made, file)


def main(verb: str, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    known = {} if verb == "record" else json.loads((folder / "answers.json").read_text())
    differ = []
    for name, make, ask in things():
        file = folder / (name.replace(",", "_").replace(" ", ".") + ".kin")
        made = make()
        if verb == "record":
            save(made, file)
            known[name] = answers(kf.load(file), ask)
            print(f"{name}: {len(set(known[name].values()))} different", flush=True)
            continue
        with (
            tempfile.TemporaryDirectory() as fresh
        ):  # what was recorded was saved, its segments merged
            save(made, Path(fresh) / "a.kin")
            old, new = answers(kf.load(file), ask), answers(kf.load(Path(fresh) / "a.kin"), ask)
        here = [key for key in known[name] if key.split()[0] in _core.levels()]
        bad = [f"its file at {key}" for key in here if old[key] != known[name][key]]
        bad += [f"made anew at {key}" for key in here if new[key] != known[name][key]]
        differ += bad
        print(f"{name}: {'equal' if not bad else '; '.join(bad)}", flush=True)
    if verb == "record":
        (folder / "answers.json").write_text(json.dumps(known, indent=1))
    print(f"{len(known)} things, {len(differ)} differences")
    return 1 if differ else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("record", "compare"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
