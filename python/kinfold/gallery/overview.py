"""What can be asked of a gallery beside searching."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_count
from kinfold.base.local_features import LocalFeatures
from kinfold.datasets.collection import Collection
from kinfold.evaluate import Evaluation, GroundTruth, evaluate
from kinfold.gallery.along import Along
from kinfold.gallery.info import info
from kinfold.gallery.matches import as_pairs, joined_by_graph, matches_of
from kinfold.gallery.photo import Photo
from kinfold.gallery.reader import Reader, ids_of
from kinfold.gallery.stages import STAGES
from kinfold.gallery.views.dedup import Duplicates, duplicates_of
from kinfold.gallery.views.descriptors import descriptors_of
from kinfold.gallery.views.groups import PhotoGroup, groups_of
from kinfold.gallery.views.judge import queries_of, rank_queries
from kinfold.gallery.views.keep import folders_inside
from kinfold.gallery.views.locate import Located, locate
from kinfold.gallery.views.page import (
    duplicates_content,
    gallery_table,
    groups_content,
    location_content,
)
from kinfold.gallery.write.adapt import learn_adapters
from kinfold.learn.adapter import Adapter
from kinfold.local.match_graph import MatchGraph
from kinfold.report.content import Answer
from kinfold.report.duplicates import Shown
from kinfold.report.groups import Member
from kinfold.report.location import Place


class Overview:
    """Which photos match, which groups they make, where a photo was taken, how well all is found, what is there."""

    _reader: Reader

    def matches(self, pairs: Any = None, *, verbose: bool = True) -> MatchGraph:
        """What geometry says of pairs of photos, those included that were looked at before.

        No pair is looked at twice: what is found is kept in the gallery's folder, now and then while the work goes on,
        and holds until one of the two photos changes or leaves. Where nothing can be written, or another process is
        writing, it is told and not kept.

        pairs : int (m, 2), ids of photos; those that the graph joins if not given, copies left out
        Raises GalleryError for a gallery without photos, ValueError for an id that no photo has.
        """
        if pairs is None:
            snapshot = self._reader.snapshot
            wanted = snapshot.ids[joined_by_graph(snapshot)[1]]
        else:
            wanted = as_pairs(self._reader.table, pairs)
        return matches_of(self._reader, wanted, verbose=verbose)

    @property
    def weights(self) -> list[Path]:
        """The file of each network's weights, in the gallery's folder."""
        store = self._reader.store
        return [store.part(name) for name in store.read().weights]

    def descriptors(self, network: int = 0) -> tuple[Ids, Vectors]:
        """What a network gives of the photos, before whitening or adapter: ids int64 (n,) and float32 (n, d).

        Photos that are gone are none of them. Raises GalleryError where photos were described without networks.
        """
        return descriptors_of(self._reader.snapshot, network)

    def learn_adapters(
        self, *, least_inliers: int = 12, verbose: bool = True, **options: Any
    ) -> list[Adapter | None]:
        """Of each network an adapter, learnt from the pairs of photos that geometry confirms, for ``adapt``.

        None where no epoch found pairs of other things better than the whitening does.

        least_inliers : correspondences that one map explains in a confirmed pair
        options : parameters of ``learn.Adapter``; dim and whiten are those of the gallery
        Raises GalleryError where no engine has networks; ValueError where too few photos show the same things.
        """
        return learn_adapters(
            self._reader, self.matches(verbose=verbose), as_count(least_inliers, "least_inliers"),
            verbose=verbose, **options,
        )  # fmt: skip

    def groups(
        self, *, least_inliers: int = 12, bridge: float = 24.0, verbose: bool = True
    ) -> list[PhotoGroup]:
        """Sets of at least two photos of the same thing, the largest first.

        Photos that the graph joins are verified by geometry, pair by pair; confirmed pairs make the groups. See
        ``matches`` for what is kept of that.

        least_inliers : correspondences that one map explains in a confirmed pair
        bridge : two sets of at least two photos each become one group only where pairs with this many inliers together
            connect them
        Raises GalleryError for a gallery without photos.
        """
        least_inliers = as_count(least_inliers, "least_inliers")
        snapshot = self._reader.snapshot
        first, wanted = joined_by_graph(snapshot)
        graph = matches_of(self._reader, snapshot.ids[wanted], verbose=verbose)
        return groups_of(snapshot, graph, first, wanted, least_inliers=least_inliers, bridge=bridge)

    def duplicates(
        self,
        *,
        keep: Sequence[str | os.PathLike[str]] = (),
        mirrors: bool = True,
        verbose: bool = True,
    ) -> Duplicates:
        """Which photos are copies of others, the same file or edited, which to keep, and which only show the same.

        Pairs that ``matches`` looks at are laid over each other where geometry found something, and their pixels
        are compared, see ``gallery.edited``: a copy moved as a whole, another shot did not. Copies of copies are one
        set. Of each, one photo is to keep, by ``RULES`` in ``gallery.views.keep``; nothing is done to any.

        keep : folders in the folder of photos; what lies in them is never proposed to be moved
        mirrors : look for mirror images too; by engines of local features alone
        Raises GalleryError for a gallery without photos, or a folder that does not lie in that of the photos.
        """
        folders = folders_inside(self._reader.folders, keep)
        return duplicates_of(self._reader, keep=folders, mirrors=mirrors, verbose=verbose)

    def duplicates_content(
        self, found: Duplicates
    ) -> tuple[str, list[list[Shown]], dict[str, str]]:
        """What a page shows of duplicates: title, sets and facts for ``report.duplicates.write_duplicates``."""
        return duplicates_content(self._reader.snapshot, found)

    def groups_content(
        self, groups: Sequence[PhotoGroup], *, facts: Mapping[str, str] | None = None
    ) -> tuple[str, list[list[Member]], dict[str, str]]:
        """What a page shows of groups: title, groups and facts for ``report.groups.write_groups``."""
        return groups_content(self._reader.snapshot, groups, facts or {})

    def locate(
        self,
        query: Any,
        *,
        box: Any = None,
        places: str | os.PathLike[str] | None = None,
        least_inliers: int = 12,
        verify_top: int = 100,
        **choices: Any,
    ) -> Located:
        """Where a photo was taken and what it shows: by the positions and tags of the photos of the same thing.

        Those count that are verified with the query, and those that ``matches`` confirms with one of these; the query
        itself and copies do not. Where too little agrees, that is the answer: ``location`` is None.

        query, box : as of ``search``
        places : a table of positions, tags, users and titles, ``*.csv`` or ``*.json``, believed before what files say;
            that which lies beside the photos, ``places.csv`` or ``places.json``, if not given
        least_inliers : of a photo that counts
        verify_top : how many of the first answer are verified
        choices : of ``landmarks.estimate_location``, such as reach=200 (metres)
        """
        return locate(
            self._reader,
            query,
            box=box,
            places=places,
            least_inliers=as_count(least_inliers, "least_inliers"),
            verify_top=as_count(verify_top, "verify_top"),
            choices=choices,
        )

    def location_content(self, found: Located) -> tuple[Answer, Place]:
        """What a page shows of where a photo was taken, for ``report.location.write_location``."""
        return location_content(self._reader.snapshot, found)

    def evaluate(
        self,
        ground_truth: GroundTruth,
        protocol: str = "oxford",
        *,
        rerank: Sequence[str] = STAGES,
        verify_top: int = 100,
        along: Mapping[str, Any] | Along | None = None,
        queries: str | os.PathLike[str] | None = None,
        verbose: bool = True,
    ) -> Evaluation:
        """Search with each query of a ground truth, and judge.

        queries : the folder of the query photos; the folder of the gallery's photos if not given
        verbose : tell on stderr how far it is
        Photos that are not in the ground truth's imlist are left out of the rankings.
        Raises GalleryError where no photo of imlist is in the gallery, or a query photo is not found.
        """
        return self.evaluate_ways(
            ground_truth, [rerank], protocol,
            verify_top=verify_top, along=along, queries=queries, verbose=verbose,
        )[0]  # fmt: skip

    def evaluate_ways(
        self,
        ground_truth: GroundTruth,
        ways: Sequence[Sequence[str]],
        protocol: str = "oxford",
        *,
        verify_top: int = 100,
        along: Mapping[str, Any] | Along | None = None,
        queries: str | os.PathLike[str] | None = None,
        verbose: bool = True,
    ) -> list[Evaluation]:
        """evaluate for several ways to re-rank; what ways have in common is computed once."""
        files = queries_of(ground_truth, self._reader.root if queries is None else Path(queries))
        rankings = rank_queries(
            self._reader, ground_truth.imlist, files, ways,
            verify_top=verify_top, along=along, verbose=verbose, total=len(ground_truth),
        )  # fmt: skip
        return [evaluate(ranking, ground_truth, protocol=protocol) for ranking in rankings]

    def evaluate_collection(
        self,
        collection: Collection,
        *,
        protocols: Sequence[str] | None = None,
        rerank: Sequence[str] = STAGES,
        verify_top: int = 100,
        along: Mapping[str, Any] | Along | None = None,
        verbose: bool = True,
    ) -> dict[str, Evaluation]:
        """Search with each query of a benchmark, in its box where it has one, and judge.

        collection : of ``kinfold.datasets``, such as ``oxford5k(folder)``; its photos may lie elsewhere than the
            gallery's, if they are named alike
        protocols : names of ``evaluate.METHODS``; those by which the benchmark is published if not given
        Returns protocol -> Evaluation. What the gallery lacks counts as not found; photos that are none of the
        benchmark's are left out. Raises GalleryError where it holds none of its photos.
        """
        boxes = [entry.get("bbx") for entry in collection.truth.gnd]
        ranking = rank_queries(
            self._reader, [str(file) for file in collection.files],
            list(zip(collection.query_files, boxes)), [rerank],
            verify_top=verify_top, along=along, verbose=verbose, total=len(boxes),
        )[0]  # fmt: skip
        return collection.evaluate(ranking, protocols)

    @property
    def photos(self) -> list[Photo]:
        """The photos that are described, by id."""
        return self._reader.table.described()

    def __iter__(self) -> Iterator[Photo]:
        return iter(self.photos)

    def __contains__(self, photo: object) -> bool:
        """Whether it is in the gallery: an id, a name as ground truths have them, or a path."""
        if isinstance(photo, (int, np.integer)) and not isinstance(photo, bool):
            return bool(self._reader.table.by_ids([int(photo)]))
        if isinstance(photo, (str, os.PathLike)):
            return ids_of(self._reader.table, self._reader.root, [os.fspath(photo)]) != [None]
        return isinstance(photo, Photo) and photo in self.photos

    def _repr_html_(self) -> str:
        """For notebooks: how many photos there are, and the first of them."""
        return gallery_table(self._reader.store.folder, self.photos, self._reader.root)

    def photo(self, id: int) -> Photo:
        """What is known of a photo. Raises KeyError for an unknown id."""
        return self._reader.table.by_ids([id])[id]

    def features(self, id: int) -> LocalFeatures:
        """The local features of a photo, in the pixels that were described."""
        return self._reader.segments.features(self.photo(id))

    def ids_of(self, names: Sequence[str]) -> list[int | None]:
        """The id of the photo that each name of a ground truth means; None where there is none."""
        return ids_of(self._reader.table, self._reader.root, names)

    def admitted(self, filter: Any = None) -> Ids:
        """The ids of the photos that a filter of ``search`` lets answer, int64 (n,), ascending; all if None."""
        found = self._reader.snapshot.admitted(filter)
        return self._reader.table.ids_of("") if found is None else found

    @property
    def paths(self) -> list[str]:
        """The photos that are described, as paths in the folder of photos, in the order of their ids."""
        return [photo.path for photo in self.photos]

    def info(self, *, verify: bool = False) -> dict[str, Any]:
        """What is in the gallery and how it was made; with ``verify``, every file is read and checked."""
        return info(self._reader, verify=verify)
