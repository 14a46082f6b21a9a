"""How well a gallery answers the queries of a ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count
from kinfold.base.errors import GalleryError
from kinfold.base.progress import progress
from kinfold.base.ranking import Ranking
from kinfold.base.threads import in_threads
from kinfold.evaluate import GroundTruth
from kinfold.gallery import search
from kinfold.gallery.along import Along
from kinfold.gallery.names import match_names
from kinfold.gallery.query import describe_query
from kinfold.gallery.reader import Reader, Snapshot
from kinfold.gallery.stages import checked_stages
from kinfold.images.walk import walk
from kinfold.rerank.stage import RankedList

Lists = list[NDArray[np.int64]]


def rank_queries(
    reader: Reader,
    names: Sequence[str],
    queries: Iterable[tuple[Path, Any]],
    ways: Sequence[Sequence[str]],
    *,
    verify_top: int,
    along: Any,
    verbose: bool,
    total: int,
) -> list[Ranking]:
    """Search with each query in each way to re-rank: a ranking a way, whose ids are positions in ``names``.

    names : of a collection's photos; others are left out of the rankings
    queries : files, and the box of each, or None; ``total`` of them
    Raises GalleryError where no photo of the names is in the gallery, or two names mean one.
    """
    stages = [checked_stages(way) for way in ways]
    options: dict[str, Any] = {
        "verify_top": as_count(verify_top, "verify_top"), "along": Along.of(along),
    }  # fmt: skip
    snapshot = reader.snapshot
    position = _positions(snapshot, names)
    describer = reader.describer_of_queries()

    def ranked(photo: tuple[Path, Any]) -> Lists:
        query = describe_query(*photo, describer, snapshot.parts.model)
        # What several ways begin with is done once.
        answers: dict[tuple[str, ...], RankedList] = {(): search.rank(snapshot, query, rerank=())}
        for way in stages:
            for end in range(1, len(way) + 1):
                if way[:end] not in answers:
                    before = answers[way[: end - 1]]
                    answers[way[:end]] = search.second_look(
                        snapshot, query, before, way[end - 1], **options
                    )
        bar.update(1)
        ids = [answers[way].ids.tolist() for way in stages]
        return [np.array([position[id] for id in row if id in position], np.int64) for row in ids]

    with progress((), "queries", verbose=verbose, total=total) as bar:
        lists = in_threads(ranked, queries)
    return [_ranking([each[way] for each in lists]) for way in range(len(stages))]


def queries_of(ground_truth: GroundTruth, root: Path) -> Iterator[tuple[Path, Any]]:
    """The file under ``root`` of each query photo, and its box. Raises GalleryError where there is none.

    They are looked for when the first is asked for: that no photo of a gallery is in a ground truth is said before.
    """
    if not len(ground_truth):
        raise GalleryError("ground truth: holds no query to judge by")
    paths = match_names(ground_truth.qimlist, [file.path for file in walk(root)])
    found: list[tuple[Path, Any]] = []
    for name, path, entry in zip(ground_truth.qimlist, paths, ground_truth.gnd):
        if path is None:
            raise GalleryError(
                f"{root}: has no photo for the query {name!r}; where the queries lie elsewhere, name their folder "
                "(--queries)"
            )
        found.append((root / path, entry.get("bbx")))
    yield from found


def _positions(snapshot: Snapshot, names: Sequence[str]) -> dict[int, int]:
    """The position in ``names`` of each photo of the gallery that is one of them, by id."""
    positions: dict[int, int] = {}
    for position, id in enumerate(snapshot.ids_of(names)):
        if id is None:
            continue
        other = positions.setdefault(id, position)
        if other != position:
            both = " and ".join(repr(names[i]) for i in (other, position))
            path = snapshot.by_ids([id])[id].path
            raise GalleryError(f"imlist: expected each photo once, got {both} for {path}")
    if not positions:
        raise GalleryError(f"{snapshot.store.folder}: holds no photo of the ground truth")
    return positions


def _ranking(lists: Lists) -> Ranking:
    """Lists of different length, filled up with -1."""
    ids = np.full((len(lists), max(1, *map(len, lists))), -1, np.int64)
    for row, list_ in enumerate(lists):
        ids[row, : len(list_)] = list_
    return Ranking.from_ids(ids)
