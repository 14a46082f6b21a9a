"""The real photos of `../shared/data/photos` in two halves: objects to learn from, others to judge by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import SHARED
from kinfold.evaluate.average_precision import average_precision
from kinfold.images.decode import decode

PHOTOS = SHARED / "photos"


@dataclass(frozen=True)
class Half:
    """Photos to learn from: pixels and classes (a distractor is a class of its own). And queries, to judge by.

    names : files of the photos to learn from, in PHOTOS / "jpg"
    database, queries : pixels; queries are cropped to their boxes
    ok, junk : rows of the database of each query
    """

    photos: list[Any]
    labels: NDArray[np.int64]
    database: list[Any]
    queries: list[Any]
    ok: list[list[int]]
    junk: list[list[int]]
    names: list[str]

    def mean_ap(self, describe: Any) -> float:
        """mAP of cosine similarity by what describes photos: list -> vectors (n, d) of length one."""
        base, asked = describe(self.database), describe(self.queries)
        order = np.argsort(-(asked @ base.T), axis=1, kind="stable")
        return float(
            np.mean([average_precision(o, k, j) for o, k, j in zip(order, self.ok, self.junk)])
        )


@dataclass(frozen=True)
class Cut:
    """The same as numbers: of photos, the database's first and then the queries', and of queries.

    learnt : photos to learn from; labels : their classes, a distractor is one of its own
    kept : photos of the database that are searched in
    asked : queries; ok, junk : rows of ``kept`` of each
    """

    learnt: NDArray[np.int64]
    labels: NDArray[np.int64]
    kept: NDArray[np.int64]
    asked: NDArray[np.int64]
    ok: list[list[int]]
    junk: list[list[int]]


def cuts(truth: dict[str, Any], seed: int, *, all_distractors: bool = False) -> tuple[Cut, Cut]:
    """One cut of all objects and distractors, both ways round.

    all_distractors : search among those that were learnt from, too
    """
    things = _things(truth)
    of = {
        row: thing
        for thing, entry in zip(things, truth["gnd"])
        for row in entry["ok"] + entry["junk"]
    }
    shown = {row for entry in truth["gnd"] for row in entry["ok"]}
    random = np.random.default_rng(seed)
    known = sorted(set(things))
    side = dict.fromkeys(known, 0) | dict.fromkeys(
        random.permutation(known)[: len(known) // 2].tolist(), 1
    )
    rows = range(len(truth["imlist"]))
    where = [side[of[row]] if row in of else int(random.random() < 0.5) for row in rows]
    made = []
    for judged in (0, 1):
        # Photos of an object that share no view with a query teach nothing that is asked for.
        learnt = [row for row in rows if where[row] != judged and (row in shown or row not in of)]
        kept = [row for row in rows if where[row] == judged or (all_distractors and row not in of)]
        at = {row: i for i, row in enumerate(kept)}
        asked = [i for i, thing in enumerate(things) if side[thing] == judged]
        others = [i for i, thing in enumerate(things) if side[thing] != judged]
        made.append(
            Cut(
                np.array(learnt + [len(rows) + i for i in others]),
                np.array([of.get(row, len(rows) + row) for row in learnt] + [things[i] for i in others]),
                np.array(kept),
                np.array(asked),
                [[at[row] for row in truth["gnd"][i]["ok"]] for i in asked],
                [[at[row] for row in truth["gnd"][i]["junk"]] for i in asked],
            )
        )  # fmt: skip
    return made[0], made[1]


def halves(seed: int) -> tuple[Half, Half]:
    """The photos of one cut, both ways round."""
    truth = json.loads((PHOTOS / "ground_truth.json").read_text())
    names = truth["imlist"] + truth["qimlist"]
    pixels = [decode(PHOTOS / "jpg" / f"{name}.jpg").pixels for name in names]
    n = len(truth["imlist"])
    made = [
        Half(
            [pixels[row] for row in cut.learnt],
            cut.labels,
            [pixels[row] for row in cut.kept],
            [cropped(pixels[n + i], truth["gnd"][i]["bbx"]) for i in cut.asked],
            cut.ok,
            cut.junk,
            [f"{names[row]}.jpg" for row in cut.learnt],
        )
        for cut in cuts(truth, seed)
    ]
    return made[0], made[1]


def _things(truth: dict[str, Any]) -> list[int]:
    """The object of each query: groups that share a photo show the same one."""
    names = sorted(set(truth["qgroup"]))
    thing = {name: number for number, name in enumerate(names)}
    first: dict[int, str] = {}
    for name, entry in zip(truth["qgroup"], truth["gnd"]):
        for row in entry["ok"] + entry["junk"]:
            other = thing[first.setdefault(row, name)]
            thing = {k: other if v == thing[name] else v for k, v in thing.items()}
    return [thing[name] for name in truth["qgroup"]]


def cropped(photo: NDArray[np.uint8], box: list[float] | None) -> NDArray[np.uint8]:
    left, top, right, bottom = (round(v) for v in box) if box else (0, 0, None, None)
    return np.ascontiguousarray(photo[top:bottom, left:right])
