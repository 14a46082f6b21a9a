"""What is written to whatever can be written to, and what that answers: for tests that stop writes, or read beside."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import kinfold as kf
from kinfold.words.asmk import ASMK
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.words import VisualWords

D = 4


def vectors(seed: int, n: int, scale: float = 1.0) -> Any:
    return (np.random.default_rng(seed).standard_normal((n, D)) * scale).astype(np.float32)


def photos(seed: int, n: int) -> list[Any]:
    return np.split(vectors(seed, 6 * n), n)


FIRST, QUERIES = vectors(1, 90), vectors(2, 20)


@dataclass
class Case:
    """A thing, what is written to it, what more is written later, and what is read of it."""

    make: Callable[[], Any]
    write: Callable[[Any], Any]
    more: Callable[[Any], Any]
    reads: tuple[Callable[[Any], Any], ...]

    def answer(self, thing: Any) -> tuple[Any, ...]:
        """All that is read."""
        return tuple(answer_of(read, thing) for read in self.reads)


def answer_of(read: Callable[[Any], Any], thing: Any) -> tuple[Any, ...]:
    """Arrays, or that nothing has been learnt."""
    try:
        answer = read(thing)
    except kf.NotTrainedError:
        return ("not trained",)
    return tuple(answer) if isinstance(answer, tuple) else (answer,)


def found(k: int, queries: Any, **choices: Any) -> Callable[[Any], Any]:
    def read(index: Any) -> Any:
        # All lists, all rows: so that every row shows.
        everything = {"nprobe": 64} if hasattr(index, "nprobe") else {}
        everything |= {"checks": 0} if hasattr(index, "checks") else {}
        return index.search(queries, k, **everything, **choices)

    return read


def rebuilt(thing: Any) -> Any:
    return tuple(thing.arrays().values())


FOUND = (
    found(30, QUERIES), found(5, QUERIES[0]), lambda t: t.range_search(QUERIES[:2], 2.0), rebuilt,
    lambda t: t.ids, lambda t: np.array([len(t)]),
)  # fmt: skip
FLAT = (*FOUND, found(30, QUERIES, scan="none"), found(30, QUERIES, scan="f32"))
ALIKE = (
    lambda t: t.search(photos(9, 4), 12), lambda t: t.scores(photos(9, 2)), lambda t: t.neighbours(3), rebuilt,
    lambda t: t.ids, lambda t: np.array([len(t)]),
)  # fmt: skip
REGIONAL = (
    lambda t: t.search(QUERIES[:3], 20), lambda t: t.scores(QUERIES[:2]), rebuilt, lambda t: t.ids,
)  # fmt: skip


def index(
    spec: str, metric: str = "l2", *, empty: bool = False, trained: bool = True, **choices: Any
) -> Any:
    def make() -> Any:
        if spec == "Flat":
            made: Any = kf.FlatIndex(D, metric=metric, **choices)
        else:
            made = kf.index_factory(spec, D, metric=metric, verbose=False, **choices)
        if trained:
            made.train(FIRST)
        if not empty:
            made.add(FIRST[:70])
            made.add(FIRST[70:])  # room to grow
        return made

    return make


def streamed(thing: Any) -> None:
    thing.add(iter([vectors(4, 20, 100), vectors(5, 3)]), verbose=False)


def merge(thing: Any) -> None:
    other = copy.deepcopy(thing)
    other.remove(other.ids)
    other.add(vectors(6, 11, 10), ids=np.arange(500, 511))
    thing.merge(other)


WRITES: dict[str, Callable[[Any], Any]] = {
    "add": lambda t: t.add(vectors(3, 40, 100)),
    "add with ids": lambda t: t.add(vectors(3, 20, 100), ids=np.arange(300, 280, -1)),
    "remove": lambda t: t.remove(np.arange(0, 60, 2)),
    "remove all": lambda t: t.remove(t.ids),
    "update": lambda t: t.update([3, 80, 4], vectors(7, 3, 50)),
    "stream": streamed,
    "compact": lambda t: t.compact(),
    "merge": merge,
}
SEGMENTED = ["KDTree", "IVF2,Flat", "IVF2,SQ8", "PQ2x4,RFlat", "KDForest2", "LSH2x4", "LSH64,RSQ8"]


def regional() -> Any:
    made = kf.RegionalIndex(D)
    made.add(photos(1, 9))
    made.remove([6])
    return made


def more(thing: Any) -> None:
    # Nothing is removed: then what a search needs besides the rows would be made anew.
    thing.add(vectors(8, 60))


def bags(kind: str, **choices: Any) -> Callable[[], Any]:
    def make() -> Any:
        if kind == "bow":
            choices.setdefault("embedding", HammingEmbedding())
        made = {"asmk": ASMK, "bow": BagOfWords}[kind](VisualWords(8, verbose=False), **choices)
        made.fit(FIRST)
        made.add(photos(1, 8))
        made.remove([6])
        return made

    return make


def more_photos(thing: Any) -> None:
    try:
        thing.add(photos(8, 3))
        thing.remove([2])
    except kf.NotTrainedError:
        thing.fit(vectors(13, 80))
        thing.add(photos(8, 3))


def refit(thing: Any) -> None:
    thing.fit(vectors(12, 80, 3))


def model(make: Callable[[], Any], fitted: bool, *reads: Callable[[Any], Any]) -> Case:
    return Case(lambda: make().fit(FIRST) if fitted else make(), refit, lambda t: None, reads)


CASES: dict[str, Case] = {
    **{
        f"Flat {metric} {shadow} {name}": Case(
            index("Flat", metric, shadow=shadow), WRITES[name], more, FLAT
        )
        for metric, shadow, names in (
            ("l2", True, ["add", "add with ids", "remove", "update"]), ("ip", True, ["add"]),
            ("cosine", False, ["add", "remove all"]),
        )
        for name in names
    },
    **{
        f"{spec} {name}": Case(index(spec), write, more, FOUND)
        for spec in SEGMENTED
        for name, write in WRITES.items()
    },
    **{
        f"{spec} train": Case(
            index(spec, empty=True, trained=trained), lambda t: t.train(vectors(10, 90, 3)),
            lambda t: t.add(vectors(8, 30)) if t.is_trained else t.train(FIRST).add(vectors(8, 30)), FOUND,
        )
        for spec in ("IVF2,SQ8", "PCA2,IVF2,PQ1x4,RSQ8", "KDForest2,SQ8", "LSH64")
        for trained in (True, False)
    },
    "first add": Case(
        index("KDForest2,SQ8", empty=True, trained=False), WRITES["add"], lambda t: t.add(vectors(8, 30)), FOUND
    ),
    **{
        f"Regional {name}": Case(regional, write, lambda t: t.add(photos(8, 4)), REGIONAL)
        for name, write in {
            "add": lambda t: t.add([v * 100 for v in photos(3, 5)]),
            "remove": lambda t: t.remove([1, 4]),
            "update": lambda t: t.update([7, 2], photos(3, 2)),
            "compact": lambda t: t.compact(),
        }.items()
    },
    **{
        f"{kind} {name}": Case(bags(kind), write, more_photos, ALIKE)
        for kind in ("asmk", "bow")
        for name, write in {
            "add": lambda t: t.add(photos(3, 5)),
            "add with ids": lambda t: t.add(photos(3, 2), ids=[30, 20]),
            "remove": lambda t: t.remove([1, 4, 5]),
            "update": lambda t: t.update([7, 2], photos(3, 2)),
            "ordered": lambda t: t.ordered(t.ids[::-1]),
            "fit": refit,
        }.items()
    },
    "bow freeze": Case(bags("bow"), lambda t: t.freeze(), more_photos, ALIKE),
    "bow compact": Case(bags("bow", embedding=None), lambda t: t.compact(), more_photos, ALIKE),
    "asmk first fit": Case(lambda: ASMK(VisualWords(8, verbose=False)), refit, more_photos, ALIKE),
    **{
        f"{name}{'' if fitted else ' first'} fit": model(make, fitted, *reads)
        for fitted in (True, False)
        for name, (make, *reads) in {
            "KMeans": (lambda: kf.KMeans(3, verbose=False), lambda m: (m.centroids, m.assign(QUERIES))),
            "Words": (
                lambda: VisualWords(4, branch=2, verbose=False), lambda m: m.assign(QUERIES, 2), lambda m: m.centroids
            ),
            "PQ": (lambda: kf.ProductQuantizer(2, bits=4, verbose=False), lambda m: m.encode(QUERIES), rebuilt),
            "PCA": (lambda: kf.PCA(2, whiten=True), lambda m: m.transform(QUERIES)),
            "Isomap": (lambda: kf.Isomap(2, n_neighbors=6), lambda m: m.transform(QUERIES), rebuilt),
        }.items()
    },
}  # fmt: skip


def same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether two answers are equal to the bit."""
    return len(a) == len(b) and all(map(np.array_equal, a, b))


def equal(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether all that was read is."""
    return all(map(same, a, b))
