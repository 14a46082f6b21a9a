"""A folder of photos made searchable."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from kinfold.base.errors import GalleryError
from kinfold.base.threads import in_threads
from kinfold.gallery import search
from kinfold.gallery.along import Along
from kinfold.gallery.asked import source_of
from kinfold.gallery.batches import BatchDescriber
from kinfold.gallery.hit import Hit
from kinfold.gallery.hits import Hits
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.overview import Overview
from kinfold.gallery.parts import Parts
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.query import Query, describe_query
from kinfold.gallery.reader import Reader
from kinfold.gallery.settings import Settings
from kinfold.gallery.stages import STAGES
from kinfold.gallery.store import Store
from kinfold.gallery.views.page import Truth, answer_content
from kinfold.gallery.write.adapt import adapt
from kinfold.gallery.write.changes import Changes
from kinfold.gallery.write.create import create, restore_weights
from kinfold.gallery.write.update import update
from kinfold.gallery.write.watch import watch
from kinfold.learn.adapter import Adapter
from kinfold.report.content import Answer


class Gallery(Overview):
    """Photos, their descriptors, an index and a graph, in a folder.

    Made by ``create`` or ``open``. Searches take no lock and may run beside an update of another process:
    they answer from the state that was there when the gallery was opened.

    path : its folder

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from kinfold.datasets.synthetic import render_collection
    >>> photos = mkdtemp()
    >>> names = render_collection(photos, scenes=2, views=3, distractors=2, size=(240, 180), verbose=False)
    >>> with kf.Gallery.create(mkdtemp() + "/city.kin", engine="vlad", codewords=4) as gallery:
    ...     changes = gallery.update(photos, verbose=False)
    ...     hits = gallery.search(f"{photos}/jpg/{names['qimlist'][0]}.jpg", top=3)
    >>> len(hits), hits[0].verified, hits[0].file.is_file()
    (3, True, True)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._reader = Reader(Store(self.path))
        # Folders that ``create`` has made.
        self._made: Sequence[Path] = ()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        model: str | os.PathLike[str] | None = None,
        local_weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        remake: bool = False,
        preprocess: Any = None,
        **settings: Any,
    ) -> Gallery:
        """Make an empty gallery.

        weights : of the network, where an engine needs one, or of several, as ``features.Extractor`` takes them; kept
            in the gallery
        model : another gallery, or its model file: its codebook and whitening are used instead of learning
        local_weights : of the network that finds local features, where ``features`` names one; kept in the gallery
        remake : put it in the place of a gallery that is there, of whatever version and however damaged
        preprocess : what images networks expect whose models do not say it, see
            ``features.preprocess.as_preprocessing``; one for all, or a list with one for each ("own" for what it says)
        settings : see gallery.settings.Settings
        """
        made = create(Path(path), weights, model, remake, preprocess, settings, local_weights).made
        gallery = cls(path)
        gallery._made = made
        return gallery

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, repair: bool = False) -> Gallery:
        """Open a gallery. Raises GalleryError where there is none, FileFormatError for a damaged one.

        repair : open it also where its table of photos is damaged, so that ``update`` can make it anew
        """
        gallery = cls(path)
        if not repair:
            gallery._reader.open()
        return gallery

    def restore_weights(self, weights: Sequence[str | os.PathLike[str]]) -> None:
        """Put back weights that are missing or damaged. Raises ValueError for others than the gallery was made with."""
        restore_weights(self._store, weights)

    def discard(self) -> None:
        """Remove what ``create`` made, if the gallery holds no photo; a folder that was there before stays.

        Raises GalleryError where it holds some.
        """
        if len(self):
            raise GalleryError(f"{self.path}: holds photos")
        self.close()
        with writer_lock(self.path):
            self._store.discard(self._made)

    def close(self) -> None:
        """Close the table of photos."""
        self._reader.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._table.count()

    def __repr__(self) -> str:
        return f"Gallery({str(self.path)!r}, {len(self)} photos, engine={self.settings.engine!r})"

    @property
    def _store(self) -> Store:
        return self._reader.store

    @property
    def _table(self) -> PhotoTable:
        return self._reader.table

    @property
    def settings(self) -> Settings:
        """What the gallery was made with."""
        return self._reader.settings

    @property
    def root(self) -> Path:
        """The folder of the photos, in which their paths are."""
        return self._reader.root

    @property
    def folders(self) -> list[Path]:
        """Every folder of photos: ``root``, and those whose photos have whole paths."""
        return self._reader.folders

    @property
    def parts(self) -> Parts:
        """What searches read: model, index, graph. Raises GalleryError for a gallery without photos."""
        return self._reader.parts

    state = parts

    def update(
        self,
        photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        *,
        files: Sequence[str] | None = None,
        relearn: bool = False,
        prune: bool = False,
        verify: bool = False,
        search: str | None = None,
        workers: int | str = 0,
        verbose: bool = True,
    ) -> Changes:
        """Bring the gallery in line with a folder of photos, or several.

        New and changed files are described, moved ones recognised by their content, those that are gone leave the
        index. Photos in folders that cannot be read stay; so do all that are missing where these are more than a tenth:
        that is rather a drive that is not mounted. What could not be read for a reason outside of the file is tried
        again. Damaged parts are made anew. May be interrupted at any moment; the next call does the rest.

        photos : the folder; that of the last update if not given. Several: paths of photos are in the first, those of
            others are whole. Folders that the gallery knows are always looked through, new ones join them
        files : paths in the folder, to index only these
        relearn : learn everything on these photos, words and codebooks too, which otherwise come with Kinfold as long
            as there are few photos; what a gallery has learnt it learns anew where it has grown by half since
        prune : remove all photos whose files are missing, however many
        verify : look for damage in every byte of the gallery, however large it is
        search : from now on this index under the vectors, see gallery.settings.Settings; no photo is described again
        workers : describe photos in so many processes, or in actors of Ray ("ray"), in place of this process's threads;
            the gallery is the same, byte for byte. One that is killed is started anew. Each sets up its own networks
        Raises GalleryError where another process is writing, or the folder holds no photo. KeyboardInterrupt has an
        attribute ``kept``, a line that says what of the work is kept.
        """
        return update(
            self._reader,
            photos,
            files=files,
            relearn=relearn,
            prune=prune,
            verify=verify,
            search=search,
            workers=workers,
            verbose=verbose,
        )

    def watch(
        self, *, settle: float = 2.0, stop: Event | None = None, verbose: bool = True
    ) -> Iterator[Changes]:
        """Keep the gallery in line with its folders while one goes through what this gives: ``update`` now, and again
        whenever photos have come, changed or left, until the loop is left or interrupted.

        settle : seconds of rest after the last change, so that many make one update
        stop : an event that ends it
        Gives what each update did; of one that could not be made, ``notes`` say why. Raises MissingExtraError without
        the package watchfiles.
        """
        return watch(
            lambda: self.update(verbose=verbose), self._reader.folders, self.path,
            settle=settle, stop=stop,
        )  # fmt: skip

    def adapt(self, adapters: Adapter | Sequence[Adapter | None] | None) -> list[str]:
        """Compare photos by what adapters make of their networks' descriptors, instead of whitening these.

        Index and graph are made anew, of the descriptors that are stored: no photo is described again. New photos, and
        queries, are adapted too, also after ``update(relearn=True)``. Interrupted anywhere, the gallery is as before.

        adapters : one for each network, or None for those that stay whitened; one alone for the first. None, or none
            for all, takes them away. See ``learn.Adapter``
        Returns lines on what was mended on the way. Raises GalleryError where no engine has networks, or another
        process is writing; ValueError for adapters of other descriptors.
        """
        return adapt(self._reader, adapters)

    def search(
        self,
        query: Any,
        *,
        box: Any = None,
        top: int = 20,
        rerank: Sequence[str] | str | None = STAGES,
        verify_top: int = 100,
        verify_seconds: float | None = None,
        along: Mapping[str, Any] | Along | None = None,
        filter: Any = None,
        like: Any = (),
        unlike: Any = (),
    ) -> Hits:
        """The photos that are most alike, best first, each with a verdict and how sure that is.

        query : path of a photo; its id or name in the gallery, or a hit; an array of pixels, an image of Pillow, the
            bytes of a file, or an open one: see ``images.given.given_pixels``
        box : x0, y0, x1, y1 in pixels of the upright photo, to search with that part alone
        rerank : second looks of ``rerank.METHODS``, each once, in any order: "spatial", "spatial,diffusion" or a list;
            None for none. What needs more than a gallery has is refused
        verify_top : how many of the first answer are spatially verified
        verify_seconds : start no further verifications after this time; None for all of them. Given enough time, the
            answer does not depend on it
        along : how diffusion and the random walk go: ``alpha`` (or "auto"), ``k_query`` photos to start from, ``k``
            neighbours in the graph (or "auto") and ``gamma``, each where it is to be another than the stage's own
        filter : photos that may answer: ``PhotoFilter(folder=, since=, until=)``, ids (unknown ones are ignored), or a
            boolean mask over ``photos``. They are ranked as among all
        like, unlike : photos of the gallery that are examples of what is meant, or of what is not, by id or as hits;
            see ``gallery.feedback``
        """
        described = self.describe(query, box=box)
        answer = self.rank(
            described, rerank=rerank, verify_top=verify_top, verify_seconds=verify_seconds,
            along=along, top=top, filter=filter, like=like, unlike=unlike,
        )  # fmt: skip
        return self.hits(described, answer, top)

    def search_many(self, queries: Sequence[Any], **options: Any) -> list[Hits]:
        """search for each of several queries, in threads; ``boxes`` may give one for each.

        Raises ValueError for another number of boxes.
        """
        boxes = options.pop("boxes", None)
        boxes = [None] * len(queries) if boxes is None else boxes
        if len(boxes) != len(queries):
            raise ValueError(f"boxes: expected {len(queries)}, one a query, got {len(boxes)}")
        return in_threads(
            lambda pair: self.search(pair[0], box=pair[1], **options), zip(queries, boxes)
        )

    def describe(self, query: Any, *, box: Any = None) -> Query:
        """Describe a query, which ``search`` says what it may be, as the gallery's photos were."""
        source = source_of(query, self._table, self.root)
        return describe_query(source, box, self._reader.describer_of_queries(), self.parts.model)

    def batches(self) -> BatchDescriber:
        """What describes photos in batches as this gallery does, in other processes or other people's pipelines."""
        return self._reader.batches(self._reader.store.read())

    def rank(
        self,
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
    ) -> Answer:
        """Rank photos for a described query; all of them if top is None. None for a query with nothing to compare.

        filter : photos that may answer, as of ``search``; like, unlike : examples, too
        """
        ranked = search.rank(
            self._reader.snapshot,
            query,
            rerank=rerank,
            verify_top=verify_top,
            verify_seconds=verify_seconds,
            along=along,
            top=top,
            filter=filter,
            like=like,
            unlike=unlike,
        )
        return Answer(ranked=ranked)

    def rerank(
        self,
        query: Query,
        answer: Answer,
        stage_name: str,
        *,
        verify_top: int = 100,
        verify_seconds: float | None = None,
        along: Mapping[str, Any] | Along | None = None,
        filter: Any = None,
    ) -> Answer:
        """One more stage on top of an answer."""
        ranked = search.second_look(
            self._reader.snapshot,
            query,
            answer.ranked,
            stage_name,
            verify_top=verify_top,
            verify_seconds=verify_seconds,
            along=along,
            filter=filter,
        )
        return Answer(ranked=ranked)

    def hits(self, query: Query, answer: Answer, top: int) -> Hits:
        """The first photos of an answer with verdicts, paths and geometry in pixels of the upright originals."""
        found = search.hits(self._reader.snapshot, query, answer.ranked, top)

        def shown(hits: Sequence[Hit]) -> Answer:
            return self.answer(query, answer, hits)

        return Hits(found, query.name, shown, empty=query.is_empty)

    def chain(self, query: Query, answer: Answer, id: int) -> tuple[list[int], list[float]]:
        """The ids of the photos that lead along the graph from the query to a result, and the similarities.

        Empty where no diffusion ran or none leads there.
        """
        return search.chain(self._reader.snapshot, answer.ranked, id)

    def answer(
        self,
        query: Any,
        ranked: Answer | None = None,
        hits: Sequence[Hit] | None = None,
        *,
        top: int = 20,
        facts: Mapping[str, str] | None = None,
        truth: Truth | None = None,
    ) -> Answer:
        """An answer with all that is to be seen of it, for a notebook or for ``report.answer.write_answer``.

        query : described, or a photo as ``search`` takes it
        ranked : of ``rank``; by the usual second looks if not given
        hits : of ``hits``; the first ``top`` photos if not given
        truth : positives and junk of this query, to mark the hits with
        """
        asked = query if isinstance(query, Query) else self.describe(query)
        ranked = self.rank(asked, top=top) if ranked is None else ranked
        hits = self.hits(asked, ranked, top) if hits is None else hits
        return answer_content(
            self._reader.snapshot,
            self._reader.describer_of_queries(),
            asked,
            ranked.ranked,
            hits,
            facts or {},
            truth,
        )
