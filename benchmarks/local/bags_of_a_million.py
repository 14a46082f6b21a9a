"""An inverted file of a million photos with a thousand words each: bytes, milliseconds a query, scipy beside it.

    python -m benchmarks.local.bags_of_a_million [--photos 1000000] [--level avx2]

Words are learnt on the SIFT of the real photos by a tree; how frequent each is and how often it occurs in a photo that
holds it are measured there, and postings of other photos drawn from that, word by word. Queries are real photos'
first thousand descriptors, and their words are known. CPU time, one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.local.photos import described
from benchmarks.measure import heading, row
from kinfold import _core
from kinfold.base.state import add_prefix
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.postings import MOST_PHOTOS, PostingSegment, to_arrays
from kinfold.words.words import VisualWords

BRANCH = 256
DESCRIPTORS = 1000
QUERIES = 6


def learnt(photos: list[np.ndarray]) -> tuple[VisualWords, np.ndarray]:
    """65,536 words, and those of the photos' descriptors; kept in the cache folder."""
    path = data.CACHE / f"tree-words-{BRANCH**2}.kin"
    x = np.concatenate(photos)
    if not path.exists():
        kf.save(VisualWords(BRANCH**2, branch=BRANCH, iterations=5, verbose=False).fit(x), path)
    words = kf.load(path)
    found = path.with_suffix(f".{len(photos)}.npy")
    if not found.exists():
        np.save(found, words.assign(x)[0][:, 0])
    return words, np.load(found)


def drawn(share: np.ndarray, counts: np.ndarray, n: int, seed: int, signed: bool) -> PostingSegment:
    """n photos that hold each word with its probability, as often as the real ones do.

    The gaps between the photos of a word are geometric.
    """
    random = np.random.default_rng(seed)
    lists: list[tuple[np.ndarray, ...]] = []
    expected = share * n
    room = np.ceil(expected + 6 * np.sqrt(expected) + 6).astype(np.int64)
    for part in np.array_split(np.arange(len(share)), max(1, int(room.sum()) // 4_000_000)):
        words = np.repeat(part, room[part])
        gaps = random.standard_exponential(len(words), np.float32)
        gaps /= np.repeat(-np.log1p(-share[part]), room[part]).astype(np.float32)
        ends = np.cumsum(gaps.astype(np.int64) + 1)
        first = np.repeat(np.cumsum(room[part]) - room[part], room[part])
        photos = ends - np.where(first > 0, ends[first - 1], 0) - 1
        kept = photos < n
        words, photos = words[kept].astype(np.uint32), photos[kept].astype(np.uint32)
        often = counts[random.integers(len(counts), size=len(words))].astype(np.uint32)
        signatures = None
        if signed:
            words, photos = np.repeat(words, often), np.repeat(photos, often)
            often = np.repeat(often, often)
            signatures = random.integers(1 << 63, size=len(words), dtype=np.uint64)
        lists.append(_core.words.pack_postings(words, photos, often, signatures))
    return joined(np.arange(n) + seed * MOST_PHOTOS, lists)


def joined(ids: np.ndarray, lists: list[tuple[np.ndarray, ...]]) -> PostingSegment:
    """Lists of ascending words, packed in parts, as one segment."""
    words, starts, offsets, packed, signatures = zip(*lists)

    def rising(parts: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(p) for p in parts]))])

    signed = None
    if signatures[0] is not None:
        own = [s[: p[-1]] for s, p in zip(signatures, starts)]
        signed = np.concatenate([*own, np.zeros(8, np.uint64)])
    own = [b[: p[-1]] for b, p in zip(packed, offsets)]
    return PostingSegment(
        ids, np.concatenate(words), rising(starts).astype(np.uint32),
        rising(offsets).astype(np.uint32), np.concatenate([*own, np.zeros(64, np.uint8)]), signed,
    )  # fmt: skip


def segments_of(n: int, draws: int, *how: Any) -> list[PostingSegment]:
    """Segments of n photos, of which so many are drawn and the others are copies in memory of their own."""
    made: list[PostingSegment] = []
    for i, at in enumerate(range(0, n, MOST_PHOTOS)):
        size = min(MOST_PHOTOS, n - at)
        if i < draws or size < MOST_PHOTOS:
            made.append(drawn(*how[:2], size, i, *how[2:]))
            continue
        like = to_arrays(made[i % draws])
        arrays = {name: array.copy() for name, array in like.items()}
        arrays["ids"] += at - int(arrays["ids"][0])
        made.append(PostingSegment(**arrays))
    return made


def filled(model: BagOfWords, segments: list[PostingSegment]) -> BagOfWords:
    """A model with the learnt parts of another and these segments."""
    arrays = {n: a for n, a in model.arrays().items() if not n.startswith("segments.")}
    for i, segment in enumerate(segments):
        arrays |= add_prefix(f"segments.{i}", to_arrays(segment))
    arrays["next_id"] = np.array([1 << 40], np.uint64)
    return BagOfWords.from_state(model.params(), arrays)


def fastest_ms(calls: list[Callable[[], Any]], rounds: int) -> float:
    """The mean over calls of the least CPU time of each, in milliseconds."""
    least = np.full(len(calls), np.inf)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.process_time()
            call()
            least[i] = min(least[i], time.process_time() - start)
    return float(least.mean()) * 1e3


def best(model: BagOfWords, ready: Any, asked: tuple) -> Any:
    """The ten photos most similar to one query, by one thread."""
    held = ready.held
    return model._best(ready, [asked], [s.ids for s in held.parts], held.admitted(None), 10, 1)


def timed(model: BagOfWords, bags: list, rounds: int) -> tuple[float, int]:
    """Milliseconds a query, and postings of the lists of one."""
    ready = model._ready()
    asked = [model._scoring.query(bag, ready.idf) for bag in bags]
    ms = fastest_ms([lambda q=q: best(model, ready, q) for q in asked], rounds)
    visited = 0
    for bag in bags:
        for segment in model._held.parts:
            at = np.searchsorted(segment.words, bag.words).clip(max=len(segment.words) - 1)
            own = at[segment.words[at] == bag.words]
            visited += int((segment.starts[own + 1] - segment.starts[own]).sum())
    return ms, visited // len(bags)


def scipy_ms(model: BagOfWords, bags: list, rounds: int) -> float:
    """The same scores by scipy from the words-by-photos matrix, and the ten best."""
    from scipy import sparse

    ready = model._ready()
    (segment,) = model._held.parts
    words, photos, counts, _ = segment.engine.unpack()
    values = ready.idf[words] * np.sqrt(counts) * ready.inverse[0][photos]
    shape = (model.words.k, len(segment))
    matrix = sparse.csr_matrix((values.astype(np.float32), (words, photos)), shape=shape)
    calls = []
    for bag in bags:
        own = ready.idf[bag.words] * np.sqrt(bag.counts)
        own = (own / np.linalg.norm(own)).astype(np.float32)

        def ask(words: np.ndarray = bag.words, own: np.ndarray = own) -> tuple[np.ndarray, ...]:
            # The rows of the query's words, added up: quicker than the product of sparse matrices.
            scores = matrix[words].T @ own
            best = np.argpartition(-scores, 10)[:10]
            best = best[np.argsort(-scores[best])]
            return scores[best], best

        mine = best(model, ready, model._scoring.query(bag, ready.idf))
        np.testing.assert_allclose(mine.distances[0], ask()[0], rtol=1e-4)
        calls.append(ask)
    return fastest_ms(calls, rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--signed", type=int, default=0, help="photos with signatures")
    parser.add_argument("--beside", type=int, default=20_000, help="photos of scipy's matrix")
    parser.add_argument("--draws", type=int, default=8, help="segments that are not copies")
    parser.add_argument("--levels", nargs="+", default=[_core.level()])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    kf.set_threads(1)
    real = described(5)[0]
    words, assigned = learnt(real)
    photo = np.repeat(np.arange(len(real)), [len(x) for x in real])
    pairs, counts = np.unique(assigned * len(real) + photo, return_counts=True)
    held = np.bincount(pairs // len(real), minlength=words.k) + 0.5
    share = held / held.sum() * DESCRIPTORS * len(pairs) / len(assigned)
    print(
        f"real: {len(pairs) / len(real):.0f} words a photo of {len(assigned) / len(real):.0f} descriptors, "
        f"each {counts.mean():.2f} times; {words.effective(assigned):,.0f} effective words"
    )
    chosen = [x[:DESCRIPTORS] for x in real if len(x) >= DESCRIPTORS]
    chosen = chosen[:: max(1, len(chosen) // QUERIES)][:QUERIES]
    model = BagOfWords(words).fit(chosen[0])
    bags = [model.bag(x) for x in chosen]
    print(
        heading(
            ["photos", "level", "B/posting", "GB", "postings a query", "ms", "G postings/s", "GB/s"]
        )
    )

    def report(name: str, built: BagOfWords, own: list) -> None:
        size = built.stats()["bytes_per_posting"]
        for level in arguments.levels:
            _core.set_level(level)
            ms, visited = timed(built, own, arguments.rounds)
            cells = [
                level, f"{size:.2f}", f"{size * built.stats()['postings'] / 1e9:.2f}", f"{visited:,}",
                f"{ms:.2f}", f"{visited / ms / 1e6:.2f}", f"{visited * size / ms / 1e6:.2f}",
            ]  # fmt: skip
            print(row([name, *cells]), flush=True)

    if arguments.beside:
        name = f"{arguments.beside:,}"
        small = filled(model, segments_of(arguments.beside, 1, share, counts, False))
        report(name, small, bags)
        print(row([name, "scipy", "8", "", "", f"{scipy_ms(small, bags, 3):.2f}", "", ""]))
    if arguments.photos:
        start = time.perf_counter()
        built = filled(model, segments_of(arguments.photos, arguments.draws, share, counts, False))
        made = time.perf_counter()
        built._ready()
        ready = time.perf_counter()
        print(f"drawn in {made - start:.0f} s, weights and norms in {ready - made:.1f} s")
        report(f"{arguments.photos:,}", built, bags)
        del built
    if arguments.signed:
        learning = np.concatenate(real[:100])
        embedding = HammingEmbedding().fit(learning, assigned[: len(learning)], words)
        near = BagOfWords(words, embedding=embedding).fit(chosen[0])
        built = filled(near, segments_of(arguments.signed, arguments.draws, share, counts, True))
        report(f"{arguments.signed:,}, signatures", built, [near.bag(x) for x in chosen])


if __name__ == "__main__":
    main()
