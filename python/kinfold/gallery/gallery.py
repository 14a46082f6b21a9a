"""A folder of photos made searchable."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.local_features import LocalFeatures
from kinfold.base.locks import Lock
from kinfold.base.threads import get_threads
from kinfold.evaluate import Evaluation, GroundTruth
from kinfold.gallery import MOST_NETWORKS, REMAKE, build
from kinfold.gallery.describe import Describer, Seconds
from kinfold.gallery.explain import explainer_of
from kinfold.gallery.groups import PhotoGroup, groups_of
from kinfold.gallery.hit import Hit, hit_of
from kinfold.gallery.judge import judge
from kinfold.gallery.lock import writer, writer_lock
from kinfold.gallery.names import match_names
from kinfold.gallery.page import Truth, group_content, page_content
from kinfold.gallery.photos import DamagedTableError, Photo, PhotoTable, check_files, salvage
from kinfold.gallery.query import Query, describe_query, with_features
from kinfold.gallery.settings import Settings
from kinfold.gallery.state import (
    Segments,
    State,
    damaged_segments,
    model_of,
    read_model,
    read_segment,
)
from kinfold.gallery.store import PHOTOS, WEIGHTS, Manifest, Store
from kinfold.gallery.update import Changes, compare, describe, list_files
from kinfold.images.digest import content_digest
from kinfold.images.walk import Listing
from kinfold.io import kin
from kinfold.io.atomic import replace_file
from kinfold.rerank import pipeline

STAGES = ("spatial", "diffusion")
# Every second look there is; those above are what a search does unless told otherwise.
ALL_STAGES = (*STAGES, "expansion")


class Gallery:
    """Photos, their descriptors, an index and a graph, in a folder.

    Made by ``create`` or ``open``. Searches take no lock and may run beside an update of another process:
    they answer from the state that was there when the gallery was opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._store = Store(self.path)
        self.settings = self._store.read().settings
        self._opened: PhotoTable | None = None
        self._segments = Segments(self._store)
        self._state: State | None = None
        self._describer: Describer | None = None
        # Networks must not be set up by two threads at once, and the table be opened once.
        self._describing, self._opening = Lock(), Lock()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        model: str | os.PathLike[str] | None = None,
        remake: bool = False,
        **settings: Any,
    ) -> Gallery:
        """Make an empty gallery.

        weights : of the network, where an engine needs one, or of several; kept in the gallery
        model : another gallery, or its model file: its codebook and whitening are used instead of learning
        remake : put it in the place of a gallery that is there, of whatever version and however damaged
        settings : see gallery.settings.Settings
        """
        unknown = sorted(set(settings) - set(Settings.__dataclass_fields__))
        if unknown:
            raise ValueError(f"settings: expected those of Settings, got {', '.join(unknown)}")
        chosen = Settings(**settings)
        given = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights or ())
        needs = "cnn" in chosen.engines
        if needs and not 0 < len(given) <= MOST_NETWORKS:
            raise ValueError(
                f"weights: the engine '{chosen.engine}' needs a file of trained weights, or up to {MOST_NETWORKS}, "
                f"got {len(given)}"
            )
        if not needs and given:
            raise ValueError(
                f"weights: the engine '{chosen.engine}' uses none; choose 'cnn' or '{chosen.engine}+cnn'"
            )
        folder = Path(path)
        store = Store(folder)
        old = store.exists()
        if old and not remake:
            raise GalleryError(f"{folder}: is a gallery already")
        for needed in [*given, *([] if model is None else [model])]:
            if old and Path(needed).resolve().is_relative_to(folder.resolve()):
                raise ValueError(
                    f"remake: {needed} lies in the gallery that is to be made anew; copy it first"
                )
        # Everything that may be wrong is found before anything is written.
        describer = Describer(chosen, given)
        learnt = None if model is None else _model_file(Path(model))
        if learnt is not None:
            other = read_model(learnt)
            if other.fingerprint != describer.fingerprint or set(other.engines) != set(
                chosen.engines
            ):
                raise GalleryError(f"{model}: was learnt for other settings, weights or engines")
        try:
            if old:
                with writer_lock(folder):
                    store.clear()
            manifest = store.create(chosen, beside=old)
            with writer_lock(folder), _undone(store):
                PhotoTable.create(folder / PHOTOS)
                for part, source in zip(WEIGHTS, map(Path, given)):
                    copy = partial(_copy, source)
                    name = store.add("parts", source.suffix, copy, label="weights-")
                    manifest = manifest.with_parts(**{part: name})
                if learnt is not None:
                    name = store.add("parts", ".kin", lambda to: _copy(learnt, to), label="model-")
                    manifest = replace(manifest.with_parts(model=name), own_model=False)
                store.write(manifest)
        except OSError as error:
            raise GalleryError(f"{folder}: cannot be written: {error.strerror or error}") from error
        gallery = cls(folder)
        gallery._store.made = store.made
        return gallery

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, repair: bool = False) -> Gallery:
        """Open a gallery. Raises GalleryError where there is none, FileFormatError for a damaged one.

        repair : open it also where its table of photos is damaged, so that ``update`` can make it anew
        """
        gallery = cls(path)
        if not repair:
            gallery._table  # noqa: B018 - opened
        return gallery

    def restore_weights(self, weights: Sequence[str | os.PathLike[str]]) -> None:
        """Put back weights that are missing or damaged. Raises ValueError for others than the gallery was made with."""
        held = self._store.read().weights
        for given in map(Path, weights):
            name = f"weights-{content_digest(given)}{given.suffix}"
            known = [part for part in held if part.split(".")[0] == name.split(".")[0]]
            if not known:
                raise ValueError(
                    f"weights: {self.path} was made with others than {given}; choose another gallery"
                )
            part = self._store.part(known[0])
            if not part.exists() or content_digest(part) != content_digest(given):
                with writer_lock(self.path):
                    _copy(given, part)

    def discard(self) -> None:
        """Remove what ``create`` made, if the gallery holds no photo; a folder that was there before stays."""
        if len(self):
            raise GalleryError(f"{self.path}: holds photos")
        self.close()
        with writer_lock(self.path):
            self._store.discard()

    @property
    def _table(self) -> PhotoTable:
        """The table of photos, to be read."""
        with self._opening:
            if self._opened is None:
                self._opened = PhotoTable(self.path / PHOTOS)
            return self._opened

    def close(self) -> None:
        """Close the table of photos."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def root(self) -> Path:
        """The folder of the photos."""
        return Path(self._store.read().photos or "")

    def __len__(self) -> int:
        return self._table.count()

    def __repr__(self) -> str:
        return f"Gallery({str(self.path)!r}, {len(self)} photos, engine={self.settings.engine!r})"

    # --- writing -----------------------------------------------------------------------------------

    def update(
        self,
        photos: str | os.PathLike[str] | None = None,
        *,
        files: Sequence[str] | None = None,
        relearn: bool = False,
        prune: bool = False,
        verify: bool = False,
        verbose: bool = True,
    ) -> Changes:
        """Bring the gallery in line with a folder of photos.

        New and changed files are described, moved ones recognised by their content, those that are gone leave the
        index. Photos in folders that cannot be read stay; so do all that are missing where these are more than a tenth:
        that is rather a drive that is not mounted. What could not be read for a reason outside of the file is tried
        again. Damaged parts are made anew. May be interrupted at any moment; the next call does the rest.

        photos : the folder; that of the last update if not given
        files : paths in the folder, to index only these
        relearn : learn codebook and whitening anew; otherwise that is done where the collection has grown
            by half since
        prune : remove all photos whose files are missing, however many
        verify : look for damage in every byte of the gallery, however large it is
        Raises GalleryError where another process is writing, or the folder holds no photo. KeyboardInterrupt has an
        attribute ``kept``, a line that says what of the work is kept.
        """
        began = time.perf_counter()
        try:
            with writer_lock(self.path):
                changes = self._update(photos, files, relearn, prune, verify, verbose)
        except PermissionError as error:
            raise GalleryError(f"{self.path}: cannot be written: {error.strerror}") from error
        except KeyboardInterrupt as stop:
            with suppress(Exception):
                if count := len(self):
                    stop.kept = f"{self.path} keeps the {count} photos described so far; run it again to go on"  # type: ignore[attr-defined]
            raise
        finally:
            self._state = None
        changes.total_seconds = time.perf_counter() - began
        return changes

    def _update(
        self,
        photos: str | os.PathLike[str] | None,
        files: Sequence[str] | None,
        relearn: bool,
        prune: bool,
        verify: bool,
        verbose: bool,
    ) -> Changes:
        manifest = self._store.read()
        root = self._root(manifest, photos)
        changes, seconds = Changes(), Seconds()
        with seconds.of("list files"):
            listing = list_files(root, files, self.path)
        manifest, table, known = self._writable(manifest, changes)
        with table:
            self._check_root(manifest, root, known, listing, prune)
            if manifest.photos != str(root):
                manifest = replace(manifest, photos=str(root))
                self._store.write(manifest)
            with seconds.of("compare"):
                lost = damaged_segments(self._store, known, verify=verify)
                plan = compare(table, known, root, listing, changes, lost=lost, prune=prune)
            if plan.fresh:
                describer = self._described_by(manifest)
                self._check_fingerprint(manifest, describer)
                describe(
                    table, self._store, root, plan, describer, changes, seconds, verbose=verbose
                )
            failed = [(photo.path, photo.reason or "") for photo in table.failed()]
            failed += changes.failed + listing.skipped
            changes.failed = sorted(dict(failed).items())
            described = table.described()
            if described:
                manifest, changes.relearnt = build.finish(
                    self._store, manifest, described, lambda: self._described_by(manifest).fingerprint,
                    seconds, relearn=relearn, notes=changes.notes,
                )  # fmt: skip
            elif manifest.segments:
                manifest = manifest.without_index()
                self._store.write(manifest)
            self._store.sweep(manifest, {photo.segment or "" for photo in described})
        if not described and not changes.removed:
            reasons = "; ".join(f"{path}: {reason}" for path, reason in changes.failed[:3])
            raise GalleryError(
                f"{root}: no photo that can be read" + (f" ({reasons})" if reasons else "")
            )
        if listing.others:
            kinds = ", ".join(f"{n} {ending}" for ending, n in sorted(listing.others.items()))
            changes.notes.append(f"not read: files of other kinds ({kinds})")
        changes.seconds = seconds.to_dict()
        return changes

    def _writable(
        self, manifest: Manifest, changes: Changes
    ) -> tuple[Manifest, PhotoTable, list[Photo]]:
        """The table of photos, to be changed, and all that it holds; made anew where it is damaged."""
        path = self.path / PHOTOS
        check_files(path, written=True)
        try:
            table = PhotoTable(path, write=True)
            try:
                table.check()
                table.next_id()
                return manifest, table, table.all()
            except BaseException:
                table.close()
                raise
        except DamagedTableError as error:
            # Ids may be given again: nothing that knows the old ones may be left.
            manifest = manifest.without_index()
            self._store.write(manifest)
            kept = salvage(path)
            self.close()
            PhotoTable.create(path, kept)
            changes.notes.append(
                f"the table of photos was damaged ({error}): {len(kept)} of its photos were kept"
            )
            return manifest, PhotoTable(path, write=True), kept

    def _root(self, manifest: Manifest, photos: str | os.PathLike[str] | None) -> Path:
        if photos is None and manifest.photos is None:
            raise ValueError("photos: expected a folder of photos")
        root = Path(photos if photos is not None else manifest.photos or "")
        if not root.exists():
            raise FileNotFoundError(f"{root}: there is no such folder")
        if not root.is_dir():
            raise NotADirectoryError(f"{root}: is not a folder")
        return root.resolve()

    def _check_root(
        self,
        manifest: Manifest,
        root: Path,
        known: Sequence[Photo],
        listing: Listing,
        prune: bool,
    ) -> None:
        """A folder given by mistake, or whose drive is not mounted, must not empty the gallery."""
        described = {(photo.path, photo.size) for photo in known if photo.segment is not None}
        if not described:
            return
        if manifest.photos not in (None, str(root)):
            if not any((file.path, file.size) in described for file in listing.photos):
                raise GalleryError(
                    f"{self.path}: holds the photos of {manifest.photos}, and {root} has none of them; "
                    "choose another gallery"
                )
        elif not listing.photos and not listing.closed and not prune:
            raise GalleryError(
                f"{root}: holds no photo now; is a drive not mounted? The {len(described)} photos of {self.path} stay "
                "in it (--prune removes them)"
            )

    def _check_fingerprint(self, manifest: Manifest, describer: Describer) -> None:
        """Photos are described as the others were."""
        with suppress(FileFormatError, FileNotFoundError):  # that is mended later
            if "model" in manifest.parts and (
                model_of(self._store, manifest).fingerprint != describer.fingerprint
            ):
                raise GalleryError(self._other_version())

    def _other_version(self) -> str:
        return f"{self.path}: was made by another version of the feature extractor; {REMAKE}"

    # --- searching ---------------------------------------------------------------------------------

    def search(
        self,
        query: Any,
        *,
        box: Any = None,
        top: int = 20,
        rerank: Sequence[str] = STAGES,
        verify_top: int = 100,
        verify_seconds: float | None = None,
    ) -> list[Hit]:
        """The photos of the same thing, best first.

        query : path of a photo, or pixels uint8 (H, W, 3)
        box : x0, y0, x1, y1 in pixels of the upright photo, to search with that part alone
        rerank : of "spatial", "diffusion" and "expansion" each once, in any order, or none
        verify_top : how many of the first answer are spatially verified
        verify_seconds : start no further verifications after this time; None for all of them. Given enough time, the
            answer does not depend on it
        """
        described = self.describe(query, box=box)
        answer = self.rank(
            described, rerank=rerank, verify_top=verify_top, verify_seconds=verify_seconds, top=top
        )
        return self.hits(described, answer, top)

    def search_many(self, queries: Sequence[Any], **options: Any) -> list[list[Hit]]:
        """search for each of several queries, in threads; ``boxes`` may give one for each."""
        boxes = options.pop("boxes", None) or [None] * len(queries)
        if len(boxes) != len(queries):
            raise ValueError(f"boxes: expected {len(queries)}, one a query, got {len(boxes)}")
        return self._map(
            lambda pair: self.search(pair[0], box=pair[1], **options), zip(queries, boxes)
        )

    def describe(self, query: Any, *, box: Any = None) -> Query:
        """Describe a query as the gallery's photos were."""
        return describe_query(query, box, self._describer_of_queries(), self.state.model)

    def rank(
        self,
        query: Query,
        *,
        rerank: Sequence[str] = STAGES,
        verify_top: int = 100,
        verify_seconds: float | None = None,
        top: int | None = None,
    ) -> pipeline.Answer:
        """Rank photos for a described query; all of them if top is None. None for a query with nothing to compare."""
        names = _checked_stages(rerank)
        verify_top = as_count(verify_top, "verify_top")
        if query.is_empty:
            return pipeline.Answer.first(np.empty(0, np.int64), np.empty(0, np.float32))
        state = self.state
        depth = len(state.fused)
        if top is not None:
            depth = min(depth, max(as_count(top, "top"), verify_top, 200))
        found = state.fused.search(query, depth)
        # Photos that were deleted since are in the index until its next update is done.
        present = self._table.by_ids(found.ids[found.ids >= 0])
        live = np.array([int(i) in present for i in found.ids], bool)
        answer = pipeline.Answer.first(found.ids[live], found.distances[live])
        for name in names:
            answer = self.rerank(
                query, answer, name, verify_top=verify_top, verify_seconds=verify_seconds
            )
        return answer

    def rerank(
        self,
        query: Query,
        answer: pipeline.Answer,
        stage_name: str,
        *,
        verify_top: int = 100,
        verify_seconds: float | None = None,
    ) -> pipeline.Answer:
        """One more stage on top of an answer."""
        if stage_name == "diffusion":
            return pipeline.Manifold(self.state.graph, self.state.ids)(query.features, answer)
        # What diffusion reached may be gone from the table since; of what is verified, all is there.
        photos = self._table.by_ids(self.state.ids if stage_name == "expansion" else answer.ids)
        live = np.array([int(i) in photos for i in answer.ids], bool)
        answer = replace(answer, ids=answer.ids[live], scores=answer.scores[live])

        def features(id: int) -> LocalFeatures:
            return self._segments.features(photos[id])

        spatial = pipeline.Spatial(features, top=verify_top, seconds=verify_seconds)
        if stage_name == "spatial":
            return spatial(query.features, answer)

        def search(local: LocalFeatures) -> tuple[Ids, Vectors]:
            fused = self.state.fused
            found = fused.search(with_features(query, local, self.state.model), len(fused))
            there = np.array([int(i) in photos for i in found.ids], bool)
            return found.ids[there], found.distances[there]

        expand = pipeline.Expansion(search, spatial, features, region=query.region)
        return expand(query.features, answer)

    def hits(self, query: Query, answer: pipeline.Answer, top: int) -> list[Hit]:
        """The first photos of an answer with paths and geometry in pixels of the upright originals."""
        ids = answer.ids[: as_count(top, "top") + 50]
        photos = self._table.by_ids(ids)
        scores, root = answer.scores.tolist(), self.root
        listed = [(int(i), s) for i, s in zip(ids, scores) if int(i) in photos][:top]
        return [
            hit_of(rank, photos[i], score, query, answer, self._segments, root)
            for rank, (i, score) in enumerate(listed, 1)
        ]

    def chain(
        self, query: Query, answer: pipeline.Answer, id: int
    ) -> tuple[list[int], list[float]]:
        """The ids of the photos that lead along the graph from the query to a result, and the similarities.

        Empty where no diffusion ran or none leads there.
        """
        state = self.state
        if not len(answer.sources):
            return [], []
        node = {int(i): n for n, i in enumerate(state.ids)}
        sources = np.array([node[int(i)] for i in answer.sources], np.int64)
        similarity = dict(zip(answer.first_ids.tolist(), answer.first_scores.tolist()))
        known = [similarity.get(i, 0.0) for i in answer.sources.tolist()]
        near = np.clip(np.array(known, np.float32), 1e-3, 1.0)
        path = state.graph.path(sources, node[id], source_similarities=near)
        return [int(state.ids[n]) for n in path.ids], [float(s) for s in path.similarities]

    def answer(
        self,
        query: Query,
        ranked: pipeline.Answer,
        hits: Sequence[Hit],
        *,
        facts: dict[str, str] | None = None,
        truth: Truth | None = None,
    ) -> Any:
        """What a page shows of an answer: a ``report.Answer`` for ``report.answer.write_answer``.

        truth : positives and junk of this query, to mark the hits with
        """
        made = {"Gallery": str(self.path), "Photos": str(len(self)), "Engine": self.settings.engine}
        chains = [self.chain(query, ranked, hit.id) for hit in hits]
        wanted = {hit.id for hit in hits} | {id for ids, _ in chains for id in ids}
        photos = self._table.by_ids(wanted)
        # A photo on the way that was deleted meanwhile cannot be shown.
        chains = [(ids, s) if photos.keys() >= set(ids) else ([], []) for ids, s in chains]
        root = self.root
        return page_content(
            query, hits, chains, photos.__getitem__, root, {**made, **(facts or {})}, truth,
            explainer_of(self.state.model, self._describer_of_queries(), query),
        )  # fmt: skip

    def photo(self, id: int) -> Photo:
        """What is known of a photo. Raises KeyError for an unknown id."""
        return self._table.by_ids([id])[id]

    def features(self, id: int) -> Any:
        """The local features of a photo, in the pixels that were described."""
        return self._segments.features(self.photo(id))

    def ids_of(self, names: Sequence[str]) -> list[int | None]:
        """The id of the photo that each name of a ground truth means; None where there is none."""
        photos = {photo.path: photo.id for photo in self._table.described()}
        paths = match_names(names, photos, root=self.root)
        return [None if path is None else photos[path] for path in paths]

    def groups(
        self, *, least_inliers: int = 12, bridge: float = 24.0, verbose: bool = True
    ) -> list[PhotoGroup]:
        """Sets of at least two photos of the same thing, the largest first.

        Photos that the graph joins are verified by geometry, pair by pair; confirmed pairs make the groups.

        least_inliers : correspondences that one map explains in a confirmed pair
        bridge : two sets of at least two photos each become one group only where pairs with this many inliers together
            connect them
        Raises GalleryError for a gallery without photos.
        """
        photos = {photo.id: photo for photo in self._table.described()}
        return groups_of(
            self.state, self._segments, photos, self._map, verbose=verbose, bridge=bridge,
            least_inliers=as_count(least_inliers, "least_inliers"),
        )  # fmt: skip

    def groups_content(
        self, groups: Sequence[PhotoGroup], *, facts: dict[str, str] | None = None
    ) -> tuple[str, Any, dict[str, str]]:
        """What a page shows of groups: title, groups and facts for ``report.groups.write_groups``."""
        root = self.root
        grouped = sum(len(group.photos) for group in groups)
        made = {"Gallery": str(self.path), "Photos": str(len(self)), "In groups": str(grouped)}
        return (
            "Photos of the same thing",
            [group_content(group, root) for group in groups],
            {**made, **(facts or {})},
        )

    # --- judging -----------------------------------------------------------------------------------

    def evaluate(
        self,
        ground_truth: GroundTruth,
        protocol: str = "oxford",
        *,
        rerank: Sequence[str] = STAGES,
        verify_top: int = 100,
        queries: str | os.PathLike[str] | None = None,
    ) -> Evaluation:
        """Search with each query of a ground truth, and judge.

        queries : the folder of the query photos; the folder of the gallery's photos if not given
        Photos that are not in the ground truth's imlist are left out of the rankings.
        Raises GalleryError where no photo of imlist is in the gallery, or a query photo is not found.
        """
        return self.evaluate_ways(
            ground_truth, [rerank], protocol, verify_top=verify_top, queries=queries
        )[0]

    def evaluate_ways(
        self,
        ground_truth: GroundTruth,
        ways: Sequence[Sequence[str]],
        protocol: str = "oxford",
        *,
        verify_top: int = 100,
        queries: str | os.PathLike[str] | None = None,
    ) -> list[Evaluation]:
        """evaluate for several ways to re-rank; what ways have in common is computed once."""
        root = Path(queries) if queries is not None else self.root
        names = [_checked_stages(way) for way in ways]
        verify_top = as_count(verify_top, "verify_top")
        return judge(self, ground_truth, names, protocol, root, verify_top)

    def info(self, *, verify: bool = False) -> dict[str, Any]:
        """What is in the gallery and how it was made; with ``verify``, every file is read and checked."""
        manifest = self._store.read()
        described, failed = self._table.described(), self._table.failed()
        facts: dict[str, Any] = {
            "gallery": str(self.path),
            "photos_folder": manifest.photos,
            "photos": len(described),
            "failed": [{"path": photo.path, "reason": photo.reason} for photo in failed],
            "with_position": sum(photo.latitude is not None for photo in described),
            "segments": len(self._table.segments()),
            "bytes": self._store.size(),
            "own_model": manifest.own_model,
            "settings": manifest.settings.to_dict(),
        }
        if "graph" in manifest.parts:
            facts |= self._facts(manifest)
        if verify:
            self._verify(manifest)
            facts["verified"] = True
        return facts

    def _facts(self, manifest: Manifest) -> dict[str, Any]:
        """What the headers of the parts tell."""
        facts: dict[str, Any] = {}
        headers = {
            name: kin.header(self._store.part(file))
            for name, file in manifest.parts.items()
            if name not in WEIGHTS
        }
        try:
            graph = headers["graph"].tensors
            facts["indexed"] = graph["starts"][1][0] - 1
            if "index" in headers:
                facts["dim"] = headers["index"].params["dim"]
            facts["model_learnt_on"] = headers["model"].params["photos"]
            facts["graph_edges"] = graph["neighbours"][1][0] // 2
        except (LookupError, TypeError) as error:
            raise FileFormatError(f"{self.path}: a part lacks {error}") from None
        return facts

    def _verify(self, manifest: Manifest) -> None:
        self._table.check()
        for name in sorted({*self._table.segments(), *manifest.segments}):
            read_segment(self._store.segment(name), verify=True)
        if "graph" in manifest.parts:
            State(self._store)
        elif "model" in manifest.parts:
            model_of(self._store, manifest)
        for photo in self._table.described():
            self._segments.features(photo)

    # --- inside ------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The parts that searches read. Raises GalleryError for a gallery without photos."""
        if self._state is None:
            if "graph" not in self._store.read().parts and (count := len(self)):
                raise GalleryError(f"{self.path}: {self._unfinished(count)}")
            self._state = State(self._store)
        return self._state

    def _unfinished(self, count: int) -> str:
        by = writer(self.path)
        if by is not None:
            return f"{count} photos are described; the index is being made by {by}"
        return f"{count} photos are described, but have no index yet; kinfold index goes on where it was stopped"

    def _described_by(self, manifest: Manifest) -> Describer:
        with self._describing:
            if self._describer is None:
                files = [self._store.part(name) for name in manifest.weights]
                try:
                    self._describer = Describer(self.settings, files)
                except (FileFormatError, FileNotFoundError) as error:
                    raise FileFormatError(
                        f"{error}; kinfold index --weights FILE puts the weights back"
                    ) from error
            return self._describer

    def _describer_of_queries(self) -> Describer:
        describer = self._described_by(self.state.manifest)
        if describer.fingerprint != self.state.model.fingerprint:
            raise GalleryError(self._other_version())
        return describer

    def _map(self, function: Any, items: Any) -> list[Any]:
        with ThreadPoolExecutor(max(1, get_threads())) as pool:
            return list(pool.map(function, items))


@contextmanager
def _undone(store: Store) -> Iterator[None]:
    """What fails in the block leaves nothing behind."""
    try:
        yield
    except BaseException:
        with suppress(OSError, FileFormatError):
            store.discard()
        raise


def _checked_stages(rerank: Sequence[str]) -> tuple[str, ...]:
    names = tuple(as_choice(name, "rerank", ALL_STAGES) for name in rerank)
    if len(set(names)) < len(names):
        raise ValueError(f"rerank: expected each stage once, got {','.join(names)}")
    return names


def _model_file(path: Path) -> Path:
    """The file of a model: given itself, or as a gallery."""
    if not path.is_dir():
        if not path.is_file():
            raise GalleryError(f"{path}: there is no such model or gallery")
        return path
    store = Store(path)
    manifest = store.read()
    if "model" not in manifest.parts:
        raise GalleryError(f"{path}: has no model yet")
    return store.part(manifest.parts["model"])


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, replace_file(target, follow=False) as copy:
        shutil.copyfileobj(file, copy)
