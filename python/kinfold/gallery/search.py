"""From a query to hits: describe, rank, second looks, hits, each a function of a snapshot and a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.errors import GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours
from kinfold.base.registry import resolve
from kinfold.gallery.along import Along
from kinfold.gallery.confirm import judge
from kinfold.gallery.feedback import Feedback, moved, settled
from kinfold.gallery.hit import Hit, hit_of
from kinfold.gallery.photo import Photo
from kinfold.gallery.query import Query, with_features
from kinfold.gallery.reader import Snapshot
from kinfold.gallery.stages import STAGES, checked_stages, options_of
from kinfold.gallery.vector_search import SHORTLIST
from kinfold.rerank import METHODS
from kinfold.rerank.pipeline import stage_named
from kinfold.rerank.stage import Asked, Ranked, RankedList


def rank(
    snapshot: Snapshot,
    query: Query,
    *,
    rerank: Sequence[str] | str | None = STAGES,
    verify_top: int = 100,
    verify_seconds: float | None = None,
    along: Mapping[str, Any] | Along | None = None,
    top: int | None = None,
    filter: Any = None,
    like: Any = (),
    unlike: Any = (),
) -> RankedList:
    """Rank photos for a described query; see ``Gallery.rank``.

    Photos that a filter bars are no answer, but speak for others: those that are nearest of all lead diffusion and
    confirm what they show together with, as without a filter.
    """
    names, along = checked_stages(rerank), Along.of(along)
    for name in names:
        _check_regions(snapshot, name)
    verify_top = as_count(verify_top, "verify_top")
    may, examples = snapshot.admitted(filter), Feedback.of(like, unlike, snapshot)
    if query.is_empty:
        return RankedList.first(np.empty(0, np.float32), np.empty(0, np.int64))
    fused = snapshot.parts.fused
    top = None if top is None else as_count(top, "top")
    depth = fused.depth(max(verify_top, SHORTLIST), top)
    similarities, ids = fused.search(query, depth, may, verify_top)
    # Photos that were deleted since are in the index until its next update is done.
    live = _isin(ids, snapshot.by_ids(ids[ids >= 0]))
    ranked = RankedList.first(similarities[live], ids[live])
    if examples:
        found = Neighbours(similarities, ids)
        similarities, ids = moved(snapshot, found, examples, depth, may, verify_top)
        live = _isin(ids, snapshot.by_ids(ids))
        ranked = replace(ranked, scores=similarities[live], ids=ids[live])
    for name in names:
        ranked = _looked(
            snapshot, query, ranked, name, may,
            verify_top=verify_top, verify_seconds=verify_seconds, along=along,
        )  # fmt: skip
    if examples:
        ranked = settled(snapshot, ranked, examples, verify_top, verify=bool(ranked.verified))
    return _barred(ranked, may)


def _barred(ranked: RankedList, may: Ids | None, beside: int = 0) -> RankedList:
    """A ranking without those that may not answer, but for the first ``beside`` of all."""
    if may is None:
        return ranked
    kept = np.isin(ranked.ids, may)
    kept[:beside] = True
    return replace(ranked, ids=ranked.ids[kept], scores=ranked.scores[kept])


def second_look(
    snapshot: Snapshot,
    query: Query,
    ranked: RankedList,
    name: str,
    *,
    verify_top: int = 100,
    verify_seconds: float | None = None,
    along: Mapping[str, Any] | Along | None = None,
    filter: Any = None,
) -> RankedList:
    """One more stage on top of a ranking."""
    may = snapshot.admitted(filter)
    ranked = _looked(
        snapshot, query, ranked, name, may,
        verify_top=as_count(verify_top, "verify_top"), verify_seconds=verify_seconds, along=along,
    )  # fmt: skip
    return _barred(ranked, may)


def _looked(
    snapshot: Snapshot,
    query: Query,
    ranked: RankedList,
    name: str,
    may: Ids | None,
    *,
    verify_top: int,
    verify_seconds: float | None,
    along: Mapping[str, Any] | Along | None,
) -> RankedList:
    """The same; may : the ids that may answer. Others stay where they are among the first ``verify_top``."""
    parts, photos, along = snapshot.parts, {}, Along.of(along)
    _check_regions(snapshot, name)
    ranked = _barred(ranked, may, verify_top)
    # As many that may answer are looked at as without a filter.
    looks = verify_top if may is None else 2 * verify_top
    options = options_of(name, looks, verify_seconds, parts.alpha_along(along), along.k_query)
    stage = stage_named(name, options)
    if not stage.needs.isdisjoint({"features", "regional_of"}):
        # What diffusion reached may be gone from the table since; of what is verified, all is there.
        photos = snapshot.by_ids(parts.ids if "search" in stage.needs else ranked.ids)
        live = _isin(ranked.ids, photos)
        ranked = replace(ranked, ids=ranked.ids[live], scores=ranked.scores[live])

    def features(id: int) -> LocalFeatures:
        return snapshot.segments.features(photos[id])

    def search(_: int, local: LocalFeatures) -> Neighbours:
        expanded = with_features(query, local, parts.model)
        depth = parts.fused.depth(max(verify_top, SHORTLIST))
        similarities, ids = parts.fused.search(expanded, depth, may, verify_top)
        live = _isin(ids, photos)
        return Neighbours(similarities[live], ids[live])

    regions = parts.model.looks_at_regions

    def regional_of(id: int) -> Vectors:
        assert regions is not None
        return regions.regional({0: snapshot.segments.regions(photos[id])})[0]

    asked = Asked(
        graph=parts.graph_along(along),
        ids=parts.ids,
        local=[query.features],
        regions=[query.region],
        features=features,
        search=search,
        regional=None if regions is None else [regions.asked(query.features, query.regions)],
        regional_of=None if regions is None else regional_of,
    )
    return Ranked.of(stage(asked, Ranked.joined([ranked]))).lists[0]


def _check_regions(snapshot: Snapshot, name: str) -> None:
    """Raise GalleryError for a second look at regions that are not kept."""
    if snapshot.parts.model.looks_at_regions is None and "regional" in resolve(METHODS[name]).needs:
        raise GalleryError(
            f"{snapshot.store.folder}: {name} needs the regions of photos: index them anew with "
            "--weights FILE --regions"
        )


def _isin(ids: Ids, photos: Mapping[int, Photo]) -> NDArray[np.bool_]:
    return np.array([id in photos for id in ids.tolist()], bool)


def hits(snapshot: Snapshot, query: Query, ranked: RankedList, top: int) -> list[Hit]:
    """The first photos of a ranking with paths and geometry in pixels of the upright originals, judged."""
    ids = ranked.ids[: as_count(top, "top") + 50]
    photos = snapshot.by_ids(ids)
    listed = [(int(i), s) for i, s in zip(ids, ranked.scores.tolist()) if int(i) in photos][:top]
    root, judged = snapshot.root, judge(snapshot, ranked, [id for id, _ in listed])
    return [
        hit_of(rank, photos[i], score, query, ranked, snapshot.segments, root, judged[i])
        for rank, (i, score) in enumerate(listed, 1)
    ]


def chain(snapshot: Snapshot, ranked: RankedList, id: int) -> tuple[list[int], list[float]]:
    """The photos that lead along the graph from the query to a result; see ``Gallery.chain``."""
    if not len(ranked.sources):
        return [], []
    ids, graph = snapshot.ids, snapshot.parts.graph
    node = {int(i): n for n, i in enumerate(ids)}
    sources = np.array([node[int(i)] for i in ranked.sources], np.int64)
    similarity = dict(zip(ranked.first_ids.tolist(), ranked.first_scores.tolist()))
    near = [similarity.get(i, 0.0) for i in ranked.sources.tolist()]
    near_similarities = np.clip(np.array(near, np.float32), 1e-3, 1.0)
    path = graph.path(sources, node[id], source_similarities=near_similarities)
    return [int(ids[n]) for n in path.ids], [float(s) for s in path.similarities]
