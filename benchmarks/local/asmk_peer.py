"""ASMK beside the public package: equal scores first, then what indexing and queries cost.

    python -m benchmarks.local.asmk_peer [--photos 1000] [--words 16384] [--level avx2]

Real SIFT (OpenCV, at most 1,300 a photo) as RootSIFT, of the 898 photos; more photos' worth are copies of which a
random nine tenths of the descriptors are kept. Queries are the query photos. Both packages get one codebook and, where
*apart from assignment* is said, the same words of every descriptor. The options of
Kinfold's ASMK are those that the package has: signs not rotated, no idf, five words a descriptor of a query. Times are
of the processor, one thread.
"""

from __future__ import annotations

import argparse
import gc
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from time import process_time as clock

import asmk
import faiss
import numpy as np
from asmk import codebook, index, inverted_file, kernel

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold import _core
from kinfold.local.sift import root_sift
from kinfold.words.asmk import ASMK
from kinfold.words.words import VisualWords

MULTIPLE = 5
# Photos that the package indexes itself; beyond them its lists are filled with Kinfold's signs, which are the same.
PEER_INDEXES = 100
SEARCH = {
    "quantize": {"multiple_assignment": MULTIPLE},
    "aggregate": {},
    "search": {"topk": None},
    "similarity": {"similarity_threshold": 0.0, "alpha": 3.0},
}


class GivenWords(VisualWords):
    """A codebook whose assignments are known: what is left is measured."""

    def __init__(self, words: VisualWords, known: np.ndarray) -> None:
        super().__init__(words.k, verbose=False)
        self._adopt(words.centroids)
        self.known, self.at = known, 0

    def assign(self, descriptors: np.ndarray, multiple: int = 1) -> tuple[np.ndarray, np.ndarray]:
        found = np.ascontiguousarray(self.known[self.at : self.at + len(descriptors), :multiple])
        self.at += len(descriptors)
        return found, found


def sift() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """SIFT of the photos and of the queries, uint8, kept in the cache folder."""
    path = data.CACHE / "sift-by-photo.npz"
    if not path.exists():
        import cv2

        cv2.setNumThreads(1)
        extractor = cv2.SIFT_create(nfeatures=1300, contrastThreshold=0.02)
        truth = kf.evaluate.GroundTruth.from_json(data.SHARED / "photos" / "ground_truth.json")
        found = []
        for name in (*truth.imlist, *truth.qimlist):
            grey = cv2.imread(
                str(data.SHARED / "photos" / "jpg" / f"{name}.jpg"), cv2.IMREAD_GRAYSCALE
            )
            found.append(extractor.detectAndCompute(grey, None)[1].astype(np.uint8))
        data.CACHE.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            descriptors=np.concatenate(found),
            counts=[len(f) for f in found],
            photos=len(truth.imlist),
        )
    with np.load(path) as file:
        parts = np.split(file["descriptors"], np.cumsum(file["counts"])[:-1])
        return parts[: int(file["photos"])], parts[int(file["photos"]) :]


def photos_worth(
    photos: list[np.ndarray], words: VisualWords, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """RootSIFT of so many photos with their words: the real ones, then copies that are cut."""
    random = np.random.default_rng(0)
    path = data.CACHE / f"words-of-photos-{words.k}.npy"
    if not path.exists():
        found = [words.assign(root_sift(photo))[0].astype(np.int32) for photo in photos]
        np.save(path, np.concatenate(found))
    known = np.split(np.load(path), np.cumsum([len(photo) for photo in photos])[:-1])
    for at in range(count):
        own, of = photos[at % len(photos)], known[at % len(photos)]
        keep = random.random(len(own)) < (0.9 if at >= len(photos) else 2)
        yield root_sift(own[keep]), of[keep].astype(np.int64)


def learnt(photos: list[np.ndarray], k: int) -> VisualWords:
    """Words, kept in the cache folder; more than 16,384 by a tree."""
    path = data.CACHE / f"words-by-photo-{k}.kin"
    if not path.exists():
        sample = root_sift(np.concatenate(photos)[:: max(1, 1_000_000 // (40 * k))])
        branch = None if k <= 16384 else round(k**0.5)
        words = VisualWords(k, branch=branch, iterations=5, sample=None, verbose=False)
        kf.save(words.fit(sample), path)
    return kf.load(path)


def model_of(words: VisualWords) -> ASMK:
    """Kinfold's ASMK with the package's options."""
    model = ASMK(words, rotate=False, idf=False, centred=False, multiple=MULTIPLE)
    return model.fit(words.centroids[:1])


def peer_of(words: VisualWords) -> tuple[codebook.Codebook, kernel.ASMKKernel]:
    """The package's codebook and kernel."""
    book = codebook.Codebook(index.initialize_index(None), size=words.k)
    book.index(words.centroids)
    return book, kernel.ASMKKernel(book, binary=True)


def package_order(parts: np.ndarray) -> np.ndarray:
    """Signs as the package packs them: 32-bit words, the first component at the highest bit."""
    reverse = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1])
    return reverse[parts.view(np.uint8)].view(">u4").astype(np.uint32)


def filled(model: ASMK) -> inverted_file.IVF:
    """The package's inverted file with Kinfold's photos."""
    lists = model._held.parts[0].merged().lists
    counts = np.diff(lists.starts)
    cuts = lists.starts[1:-1]
    return inverted_file.IVF(
        np.bincount(lists.photo, minlength=len(model)).astype(float),
        len(model),
        np.split(package_order(lists.parts), cuts),
        np.split(lists.photo.astype(np.int64), cuts),
        counts.astype(np.int32),
        np.ones(len(counts), np.float32),
        0,
        use_idf=False,
    )


def bytes_of(ivf: inverted_file.IVF) -> int:
    """Of the arrays in the package's lists."""
    arrays = (*ivf.ivf_vecs, *ivf.ivf_image_ids)
    return sum(a.nbytes for a in arrays if a is not None) + ivf.counts.nbytes + ivf.idf.nbytes


def fastest(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least processor seconds of each call, taken in turn: one thread, whatever else the machine does.

    Calls of less than a tenth of a second are made ten times as often: they feel a cold cache more.
    """
    least = dict.fromkeys(calls, np.inf)
    for round in range(10 * rounds):
        for name, call in calls.items():
            if round >= rounds and least[name] > 0.1:
                continue
            start = clock()
            call()
            least[name] = min(least[name], clock() - start)
    return least


def each(find: Callable[..., object], photos: list[np.ndarray]) -> None:
    """The words of each photo."""
    for photo in photos:
        find(photo, MULTIPLE)


def assignment(words: VisualWords, queries: list[np.ndarray], sift: list[np.ndarray]) -> None:
    """Five words a descriptor by a flat index and by Kinfold."""
    print(
        heading(
            [
                f"{words.k:,} words, {MULTIPLE} a descriptor",
                "faiss ms/photo",
                "ms/photo",
                "ratio",
                "same words",
            ]
        )
    )
    bytes_of_sift = VisualWords(words.k, verbose=False)
    bytes_of_sift._adopt(np.round((words.centroids / np.abs(words.centroids).max()) ** 2 * 255))
    for name, book, photos in (
        ("RootSIFT, a photo at a time", words, queries[:4]),
        ("RootSIFT, 16 photos together", words, [np.concatenate(queries[:16])]),
        ("SIFT (whole numbers), 16 photos together", bytes_of_sift, [np.concatenate(sift[:16]).astype(np.float32)]),
    ):  # fmt: skip
        flat = faiss.IndexFlatL2(book.centroids.shape[1])
        flat.add(book.centroids)
        calls = {
            "faiss": partial(each, flat.search, photos),
            "kinfold": partial(each, book.assign, photos),
        }
        times = fastest(calls, 3)
        same = np.mean(
            [(flat.search(x[:2000], MULTIPLE)[1] == book.assign(x[:2000], MULTIPLE)[0]).mean() for x in photos]
        )  # fmt: skip
        count = 4 if len(photos) == 4 else 16
        print(
            row(
                [
                    name, f"{times['faiss'] / count * 1e3:.1f}", f"{times['kinfold'] / count * 1e3:.2f}",
                    f"{times['faiss'] / times['kinfold']:.1f}", f"{same:.5f}",
                ]
            ),
            flush=True,
        )  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--words", type=int, default=16384)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--no-assignment", action="store_true", help="leave its table out")
    parser.add_argument("--level", choices=_core.levels())
    arguments = parser.parse_args()
    kf.set_threads(1)
    faiss.omp_set_num_threads(1)
    if arguments.level:
        _core.set_level(arguments.level)
    photos, query_sift = sift()
    query_sift = query_sift[: arguments.queries]
    queries = [root_sift(q) for q in query_sift]
    words = learnt(photos, arguments.words)
    print(
        f"asmk {getattr(asmk, '__version__', '0.1.1')}, faiss {faiss.__version__}, {_core.level()}\n"
    )
    if not arguments.no_assignment:
        assignment(words, queries, query_sift)

    # Indexing, apart from assignment: batches of 100 photos, words given.
    model, spent, size = model_of(words), 0.0, 0
    batch: list[np.ndarray] = []
    of: list[np.ndarray] = []
    for at, (photo, found) in enumerate(photos_worth(photos, words, arguments.photos), 1):
        batch.append(photo)
        of.append(found)
        size += len(photo)
        if len(batch) < 100 and at < arguments.photos:
            continue
        known = np.concatenate(of)
        model.words = GivenWords(words, known)
        start = clock()
        model.add(batch)
        spent += clock() - start
        if at == 100:
            _, kern = peer_of(words)
            ivf = inverted_file.IVF.initialize_empty(codebook_size=words.k, use_idf=False)
            ids = np.repeat(np.arange(PEER_INDEXES), [len(x) for x in batch])
            gc.collect()
            start = clock()
            ivf.add(*kern.aggregate(np.concatenate(batch), known, ids))
            peer_spent = (clock() - start) / PEER_INDEXES
            peer_bytes = len(pickle.dumps(ivf.state_dict())) / ivf.counts.sum()
            ours = filled(model)
            for word in range(words.k):
                n = ours.counts[word]
                assert n == ivf.counts[word]
                if n:
                    assert np.array_equal(ours.ivf_vecs[word], ivf.ivf_vecs[word][:n])
        batch, of = [], []
    known, _ = words.assign(np.concatenate(queries), MULTIPLE)
    given = GivenWords(words, known)
    model.words = given

    # One more photo, the first search after it, and the same for its removal.
    held = model.aggregate(queries[:1])

    def spent_on(call: Callable[[], object]) -> float:
        given.at = 0
        start = clock()
        call()
        return clock() - start

    new: list[np.ndarray] = []
    added = spent_on(lambda: new.append(model.add([queries[0]])))
    searched = spent_on(lambda: model.search(queries[:1]))
    removed = spent_on(lambda: model.remove(new[0]))
    searched_then = spent_on(lambda: model.search(queries[:1]))
    many = model.ids[::3]
    other = model_of(words)
    other._held = model._held
    dropping = spent_on(partial(other.remove, many))
    other.remove(other.ids)

    ivf = filled(model)
    _, kern = peer_of(words)
    starts = np.concatenate([[0], np.cumsum([len(q) for q in queries])])

    def package() -> np.ndarray:
        found = np.empty((len(queries), len(model)))
        for at in range(len(queries)):
            own = known[starts[at] : starts[at + 1]]
            ranks, values = ivf.search(
                *kern.aggregate_image(queries[at], own),
                similarity_func=lambda *x: kern.similarity(*x, **SEARCH["similarity"]), topk=None,
            )  # fmt: skip
            found[at, ranks] = values
        return found

    def kinfold() -> np.ndarray:
        given.at = 0
        return np.concatenate([model.scores([q]) for q in queries])

    def searches() -> None:
        given.at = 0
        for q in queries:
            model.search(q, 100)

    expected, found = package(), kinfold()
    worst = np.abs(found / np.maximum(expected, 1e-9) - 1)[expected > 1e-6].max()
    assert worst < 1e-4, worst
    given.at = 0
    ready, parts = model._ready(), [model.aggregate([q], MULTIPLE) for q in queries]

    def together() -> None:
        given.at = 0
        model.search(queries, 100)

    lists = model._held.parts[0]
    times = fastest(
        {
            "package": package, "scores": kinfold, "search": searches, "together": together,
            "walk": lambda: [model._best(ready, p, [lists.ids], [lists.alive], 100, 1) for p in parts],
        },
        3,
    )  # fmt: skip
    asked = {name: seconds / len(queries) * 1e3 for name, seconds in times.items()}
    n = len(model)
    walked = np.diff(lists.lists.starts)
    postings = np.mean([walked[part.words].sum() for part in parts])
    print()
    print(heading([f"{n:,} photos, {arguments.words:,} words", "asmk", "kinfold", "ratio"]))
    for name, theirs, mine in (
        ("index, ms a photo, apart from assignment", peer_spent * 1e3, spent / n * 1e3),
        ("query, ms besides assignment: all scores", asked["package"], asked["scores"]),
        ("the same, best 100", asked["package"], asked["search"]),
        (
            f"the same, {len(queries)} queries in one call",
            asked["package"],
            asked["together"],
        ),
        ("bytes a photo", bytes_of(ivf) / n, lists.nbytes / n),
        (
            "bytes a photo, pickled or saved",
            peer_bytes * lists.size / n,
            lists.nbytes / n,
        ),
    ):
        print(row([name, f"{theirs:,.2f}", f"{mine:,.3f}", f"{theirs / mine:,.1f}"]))
    walk = asked["walk"]
    print(f"\n{size / n:,.0f} descriptors and {lists.size / n:,.0f} parts a photo")
    print(
        f"{postings:,.0f} postings a query, which take {walk:.3f} ms of it: {postings / walk / 1e6:.2f} G/s, "
        f"{20 * postings / walk / 1e6:.1f} GB/s"
    )
    print(f"largest relative difference of scores {worst:.1e}")
    print(
        f"one more photo ({len(held.words)} parts) {added * 1e3:.2f} ms, first search then {searched * 1e3:.2f} ms"
    )
    print(
        f"removal of a photo {removed * 1e3:.2f} ms, first search then {searched_then * 1e3:.2f} ms; "
        f"of {len(many):,} photos {dropping * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
