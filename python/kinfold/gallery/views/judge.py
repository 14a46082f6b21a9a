"""How well a gallery answers the queries of a ground truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import GalleryError
from kinfold.base.ranking import Ranking
from kinfold.base.threads import in_threads
from kinfold.evaluate import Evaluation, GroundTruth, evaluate
from kinfold.gallery.names import match_names
from kinfold.gallery.query import Query
from kinfold.gallery.reader import Snapshot
from kinfold.images.walk import walk
from kinfold.report.content import Answer

Lists = list[NDArray[np.int64]]


def judge(
    snapshot: Snapshot,
    ground_truth: GroundTruth,
    ways: Sequence[tuple[str, ...]],
    protocol: str,
    root: Path,
    *,
    describe: Callable[[Path, Any], Query],
    rank: Callable[[Query], Answer],
    rerank: Callable[[Query, Answer, str], Answer],
) -> list[Evaluation]:
    """Search with each query photo under ``root`` in each way, and judge; see ``Gallery.evaluate``.

    describe, rank, rerank : a photo and a box; the first answer; one more stage on top of an answer
    """
    position = _positions(snapshot, ground_truth)
    paths = _query_paths(ground_truth, root)

    def ranked(number: int) -> Lists:
        query = describe(root / paths[number], ground_truth.gnd[number].get("bbx"))
        # What several ways begin with is done once.
        answers: dict[tuple[str, ...], Answer] = {(): rank(query)}
        for way in ways:
            for end in range(1, len(way) + 1):
                if way[:end] not in answers:
                    answers[way[:end]] = rerank(query, answers[way[: end - 1]], way[end - 1])
        ids = [answers[way].ids.tolist() for way in ways]
        return [np.array([position[id] for id in row if id in position], np.int64) for row in ids]

    lists = in_threads(ranked, range(len(ground_truth)))
    return [
        evaluate(_ranking([each[way] for each in lists]), ground_truth, protocol=protocol)
        for way in range(len(ways))
    ]


def _positions(snapshot: Snapshot, ground_truth: GroundTruth) -> dict[int, int]:
    """The position in imlist of each photo of the gallery that is in it, by id."""
    if not len(ground_truth):
        raise GalleryError("ground truth: holds no query to judge by")
    positions: dict[int, int] = {}
    for position, id in enumerate(snapshot.ids_of(ground_truth.imlist)):
        if id is None:
            continue
        other = positions.setdefault(id, position)
        if other != position:
            names = " and ".join(repr(ground_truth.imlist[i]) for i in (other, position))
            path = snapshot.by_ids([id])[id].path
            raise GalleryError(f"imlist: expected each photo once, got {names} for {path}")
    if not positions:
        raise GalleryError(f"{snapshot.store.folder}: holds no photo of the ground truth")
    return positions


def _query_paths(ground_truth: GroundTruth, root: Path) -> list[str]:
    """The path under ``root`` of each query photo."""
    paths = match_names(ground_truth.qimlist, [file.path for file in walk(root)])
    for name, path in zip(ground_truth.qimlist, paths):
        if path is None:
            raise GalleryError(
                f"{root}: has no photo for the query {name!r}; where the queries lie elsewhere, name their folder "
                "(--queries)"
            )
    return [str(path) for path in paths]


def _ranking(lists: Lists) -> Ranking:
    """Lists of different length, filled up with -1."""
    ids = np.full((len(lists), max(1, *map(len, lists))), -1, np.int64)
    for row, list_ in enumerate(lists):
        ids[row, : len(list_)] = list_
    return Ranking.from_ids(ids)
