"""Aggregated selective match kernel: photos compared word by word, what is very alike counting most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, Vectors, as_vectors
from kinfold.base.learnt import Extra, Learnt
from kinfold.base.parameters import Choice, Count, Flag, Number
from kinfold.base.ranking import Neighbours
from kinfold.base.state import JSON, Arrays, check_only
from kinfold.store.keyed import Keys, Marks, check_ids, next_id_from
from kinfold.transform.rotation import Rotation
from kinfold.words.inverted_file import LAYOUTS, Held, InvertedFile, Rule
from kinfold.words.photos import PhotoTable
from kinfold.words.words import VisualWords

if TYPE_CHECKING:
    from typing_extensions import Self

BINARIZE = ("zero", "median", "none")
# Fewer residuals than this tell nothing of a word's median.
_FEW = 8
# Words of descriptors that are assigned together; photos whose neighbours are.
_TOGETHER = 1 << 17
_ROWS = 64


class _Ready(NamedTuple):
    """What a search reads: photos, and the rule with the weights of words and photos."""

    held: Keys[InvertedFile]
    rule: Rule


class ASMK(PhotoTable[Keys[InvertedFile]]):
    """Photos as sets of aggregated residuals, searched through an inverted file.

    What a photo holds of a word is the sum of the residuals of its descriptors to it, as signs (ASMK*) or scaled to
    length one. Two photos' similarity is the sum over common words of idf * sign(u) |u|^alpha for u > tau, where u
    is the inner product of both (of signs: 1 - 2 * differing / d), normalised so that a photo's similarity to itself
    is one.

    Parameters
    ----------
    words : VisualWords, or how many to learn
    alpha, tau : the selectivity
    multiple : words of each descriptor of a query; of a stored photo, one
    binarize : "zero": bits are signs of the sums (16 bytes for 128 dimensions); "median": a sum against the median of
        its word in training; "none": vectors
    rotate : turn the sums by a random rotation before their signs are taken: components of like spread make better bits
    idf : weight words by log(photos / photos that hold it), of the photos that are stored
    centred : subtract the mean of the training descriptors and scale to length one, before anything else

    Tolias, Avrithis and Jegou, ICCV 2013 and IJCV 2016.
    Several threads may search while one adds or removes.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> photos = np.split(x, 10)  # descriptors of each
    >>> model = kf.ASMK(kf.VisualWords(16, verbose=False)).fit(x)
    >>> ids = model.add(photos)
    >>> similarities, ids = model.search(photos[:2], k=3)
    >>> ids.shape
    (2, 3)
    """

    kind: ClassVar[str] = "local.ASMK"

    alpha = Number(0.0, 100.0)
    tau = Number(-1.0, 1.0)
    multiple = Count(most=1024)
    binarize = Choice(*BINARIZE)
    rotate = Flag()
    idf = Flag()
    centred = Flag()
    _mean = Learnt(np.float32, ("_dim",), finite=True)
    _rotation = Extra(np.float32, ("_dim", "_dim"), finite=True, when="rotate")
    _medians = Extra(np.float32, ("_k", "_dim"), when="_about_medians")

    def __init__(
        self,
        words: VisualWords | int = 16384,
        *,
        alpha: float = 3.0,
        tau: float = 0.0,
        multiple: int = 5,
        binarize: str = "zero",
        rotate: bool = True,
        idf: bool = True,
        centred: bool = True,
    ) -> None:
        super().__init__()
        self.words = VisualWords(words) if isinstance(words, int) else words
        self.alpha, self.tau, self.multiple, self.binarize = alpha, tau, multiple, binarize
        self.rotate, self.idf, self.centred = rotate, idf, centred
        if self.binarize == "none":
            self.rotate = False
        self._turned_words: Vectors | None = None
        self._weighed: _Ready | None = None

    @property
    def _dim(self) -> int:
        return int(self.words.centroids.shape[1])

    @property
    def _k(self) -> int:
        return self.words.k

    @property
    def _about_medians(self) -> bool:
        return self.binarize == "median"

    def fit(self, descriptors: ArrayLike) -> Self:
        """Learn mean, words and medians from local descriptors (n, d); words that are learnt already stay."""
        x = as_vectors(descriptors, "descriptors")
        self._mean = np.zeros(x.shape[1], np.float32)
        if self.centred:
            self._mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        shifted = self._shifted(x)
        self._fit_words(shifted)
        if self.rotate:
            self._rotation = Rotation.random(x.shape[1], seed=self.words.seed).matrix
        if self.binarize == "median":
            self._medians = self._learnt_medians(shifted)
        self._turned_words = None
        self._training = object()
        dtype: Any = np.float32 if self.binarize == "none" else np.uint64
        none = Held.empty(np.empty((0, self._width), dtype))
        self._hold((InvertedFile.of(self.words.k, none, np.empty(0, np.int64)),), 0)
        return self

    def _learnt_medians(self, x: Vectors) -> Vectors:
        found, _ = self.words.assign(x)
        residuals = self._turned(x - self.words.centroids[found[:, 0]])
        medians = np.repeat(np.median(residuals, axis=0)[None], self.words.k, axis=0)
        order = np.argsort(found[:, 0], kind="stable")
        used, starts = np.unique(found[order, 0], return_index=True)
        for word, rows in zip(used, np.split(order, starts[1:])):
            if len(rows) >= _FEW:
                medians[word] = np.median(residuals[rows], axis=0)
        return medians.astype(np.float32)

    def _shifted(self, x: Vectors) -> Vectors:
        if not self.centred:
            return x
        moved = x - self._mean
        norms = np.sqrt(np.einsum("ij,ij->i", moved, moved))[:, None]
        return np.divide(moved, norms, out=np.zeros_like(moved), where=norms > 0)

    def _turned(self, sums: Vectors) -> Vectors:
        if self._rotation is None:
            return sums
        zeros = np.zeros(len(self._rotation), np.float32)
        turned: Vectors = _core.quantize.linear(
            np.ascontiguousarray(sums), None, np.ascontiguousarray(self._rotation.T), zeros
        )
        return turned

    def aggregate(
        self, photos: Sequence[Any], multiple: int = 1, *, name: str = "photos", threads: int = 0
    ) -> Held:
        """What photos, each its local descriptors (n_i, d), hold of their words; messages call them ``name``."""
        rows = [
            as_vectors(photo, f"{name}[{at}]", dim=self.dim, empty=True)
            for at, photo in enumerate(photos)
        ]
        if not rows:
            return Held.empty(self._require_fitted().parts[0].lists.parts)
        # So many photos at once that their words are assigned together, in bounded memory.
        held, first = [], 0
        for at in range(len(rows)):
            if at + 1 == len(rows) or sum(map(len, rows[first : at + 2])) * multiple > _TOGETHER:
                held.append(self._aggregated(rows[first : at + 1], multiple, threads))
                first = at + 1
        return Held.joined(held)

    def _aggregated(self, photos: Sequence[Vectors], multiple: int, threads: int) -> Held:
        starts = np.concatenate([[0], np.cumsum([len(photo) for photo in photos])])
        x = self._shifted(np.concatenate(photos))
        assigned, _ = self.words.assign(x, min(multiple, self.words.k))
        # Turning descriptors and words turns the sums, which are more where a descriptor has several words.
        words = self.words.centroids
        if self._rotation is not None:
            if self._turned_words is None:
                self._turned_words = self._turned(words)
            x, words = self._turned(x), self._turned_words
        return Held(
            *_core.words.aggregate(
                np.ascontiguousarray(x), starts.astype(np.int64), assigned, words, self._medians,
                self.binarize != "none", threads,
            )
        )  # fmt: skip

    @property
    def _width(self) -> int:
        """Numbers of what is kept of a word."""
        return self._dim if self.binarize == "none" else -(-self._dim // 64)

    # --- photos ----------------------------------------------------------------------------------------

    def _hold(self, parts: tuple[InvertedFile, ...], next_id: int) -> None:
        (lists,) = parts
        self._held = Keys((lists.merged() if lists.sparse else lists,), next_id)

    def _sealed(self, photos: Sequence[Any]) -> Held:
        return self.aggregate(photos)

    def _with(self, held: Keys[InvertedFile], made: Held, ids: Ids) -> tuple[InvertedFile, ...]:
        return (held.parts[0].added(made, ids),)

    def _in_order(self, held: Keys[InvertedFile], places: Ids) -> tuple[InvertedFile, ...]:
        return (held.parts[0].ordered(places),)

    # --- search ----------------------------------------------------------------------------------------

    def _ready(self) -> _Ready:
        """The present photos; their weights are made by the first search after photos came or went."""
        held, ready = self._require_fitted(), self._weighed
        if ready is None or ready.held is not held:
            (lists,) = held.parts
            idf = np.ones(self.words.k, np.float32)
            if self.idf:
                holders = np.maximum(lists.holders(), 1)
                idf = np.log(max(len(held), 1) / holders).astype(np.float32)
            table = None if self.binarize == "none" else self._selectivity()
            norms = self._norms(lists.totals(idf))
            rule = Rule(idf, table, self.alpha, self.tau, norms)
            self._weighed = ready = _Ready(held, rule)
        return ready

    def _norms(self, totals: NDArray[np.float64]) -> Vectors:
        """What makes a photo's similarity to itself one, from the sum of its words' weights."""
        counted = totals * float(self.tau < 1.0)
        roots = np.sqrt(counted)
        return np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0).astype(np.float32)

    def _asked(self, ready: _Ready, photos: Sequence[Any], threads: int) -> Held:
        return self.aggregate(photos, self.multiple, name="queries", threads=threads)

    def _scores(self, ready: _Ready, asked: Held, threads: int) -> Vectors:
        factors = self._norms(asked.totals(ready.rule.weights))
        return ready.held.parts[0].scores(asked, ready.rule, factors, threads)

    def _best(
        self,
        ready: _Ready,
        asked: Held,
        ids: list[Ids],
        admitted: list[Marks | None],
        k: int,
        threads: int,
    ) -> Neighbours:
        (lists,) = ready.held.parts
        have = min(k, lists.living)
        factors = self._norms(asked.totals(ready.rule.weights))
        best = lists.best(asked, ready.rule, factors, ids[0], admitted[0], have, threads)
        similarities = np.full((len(asked), k), -np.inf, np.float32)
        found = np.full((len(asked), k), -1, np.int64)
        similarities[:, :have], found[:, :have] = best
        return Neighbours(similarities, found)

    def _stored(self, ready: _Ready) -> Iterator[tuple[int, Held]]:
        """What is stored is held twice while this runs."""
        stored = ready.held.parts[0].by_photo()
        for at in range(0, len(stored), _ROWS):
            own = np.arange(at, min(at + _ROWS, len(stored)))
            yield len(own), stored.photos(own)

    def _stored_at(self, ready: _Ready, places: Ids) -> Held:
        return ready.held.parts[0].photos(places)

    def _made_of(self, held: Keys[InvertedFile]) -> Held:
        return held.parts[0].by_photo()

    def _selectivity(self) -> Vectors:
        """Of each number of differing bits."""
        u = 1 - 2 * np.arange(64 * self._width + 1) / self.dim
        counted = np.sign(u) * np.abs(u) ** self.alpha
        return np.where(u > self.tau, counted, 0).astype(np.float32)

    def stats(self) -> dict[str, JSON]:
        """Photos, postings, and bytes of a photo."""
        (lists,) = self._require_fitted().parts
        return {
            "photos": lists.living,
            "postings": lists.size,
            "bytes_per_photo": lists.nbytes / max(1, lists.living),
        }

    def _undeclared(self) -> Arrays:
        held = self._require_fitted()
        return {**held.parts[0].arrays(), "next_id": np.array([held.next_id], np.uint64)}

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        check_only(arrays, {"next_id", *LAYOUTS["held" in arrays]}, "arrays")
        next_id, bits = next_id_from(arrays), 0 if self.binarize == "none" else self._dim
        file = InvertedFile.from_arrays(arrays, self.words.k, self._width, bits)
        check_ids(file.ids, next_id)
        self._hold((file,), next_id)
