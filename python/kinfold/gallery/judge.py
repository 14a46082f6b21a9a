"""How well a gallery answers the queries of a ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import GalleryError
from kinfold.base.ranking import Ranking
from kinfold.base.threads import get_threads
from kinfold.evaluate import Evaluation, GroundTruth, evaluate
from kinfold.gallery.names import match_names
from kinfold.images.walk import walk
from kinfold.rerank import pipeline

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery

Lists = list[NDArray[np.int64]]


def judge(
    gallery: Gallery,
    ground_truth: GroundTruth,
    ways: Sequence[tuple[str, ...]],
    protocol: str,
    root: Path,
    verify_top: int,
) -> list[Evaluation]:
    """Search with each query photo under ``root`` in each way, and judge; see Gallery.evaluate."""
    if not len(ground_truth):
        raise GalleryError("ground truth: holds no query to judge by")
    ids = gallery.ids_of(ground_truth.imlist)
    position: dict[int, int] = {}
    for place, id in enumerate(ids):
        if id is None:
            continue
        other = position.setdefault(id, place)
        if other != place:
            names = " and ".join(repr(ground_truth.imlist[i]) for i in (other, place))
            raise GalleryError(
                f"imlist: expected each photo once, got {names} for {gallery.photo(id).path}"
            )
    if not position:
        raise GalleryError(f"{gallery.path}: holds no photo of the ground truth")
    paths = match_names(ground_truth.qimlist, [file.path for file in walk(root)])
    for name, path in zip(ground_truth.qimlist, paths):
        if path is None:
            raise GalleryError(
                f"{root}: has no photo for the query {name!r}; where the queries lie elsewhere, name their folder "
                "(--queries)"
            )

    def one(i: int) -> Lists:
        query = gallery.describe(root / str(paths[i]), box=ground_truth.gnd[i].get("bbx"))
        # What several ways begin with is done once.
        known: dict[tuple[str, ...], pipeline.Answer] = {(): gallery.rank(query, rerank=())}
        lists = []
        for way in ways:
            for end in range(1, len(way) + 1):
                if way[:end] not in known:
                    before = known[way[: end - 1]]
                    known[way[:end]] = gallery.rerank(
                        query, before, way[end - 1], verify_top=verify_top
                    )
            found = known[way].ids.tolist()
            lists.append(np.array([position[j] for j in found if j in position], np.int64))
        return lists

    with ThreadPoolExecutor(max(1, get_threads())) as pool:
        lists = list(pool.map(one, range(len(ground_truth))))
    return [
        evaluate(_ranking([found[w] for found in lists]), ground_truth, protocol=protocol)
        for w in range(len(ways))
    ]


def _ranking(lists: Lists) -> Ranking:
    """Lists of different length, filled up with -1."""
    ids = np.full((len(lists), max(1, *map(len, lists))), -1, np.int64)
    for row, found in enumerate(lists):
        ids[row, : len(found)] = found
    return Ranking.from_ids(ids)
