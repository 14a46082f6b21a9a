"""ASMK through an inverted file against the kernel computed photo by photo."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.words import asmk, inverted_file
from kinfold.words.asmk import ASMK
from kinfold.words.words import VisualWords


def photos_of(rng: np.random.Generator, count: int, d: int) -> list[np.ndarray]:
    """Photos that share a few noisy descriptors."""
    pool = np.random.default_rng(5).standard_normal((60, d))
    made = []
    for _ in range(count):
        n = int(rng.integers(1, 40))
        own = pool[rng.integers(60, size=n)] + 0.3 * rng.standard_normal((n, d))
        made.append(own.astype(np.float32))
    return made


def built(rng: np.random.Generator, d: int = 12, **choices) -> tuple[ASMK, list[np.ndarray]]:
    photos = photos_of(rng, 30, d)
    model = ASMK(VisualWords(20, verbose=False), **choices).fit(
        np.concatenate(photos_of(rng, 30, d))
    )
    model.add(photos)
    return model, photos


def aggregated(model: ASMK, x: np.ndarray, multiple: int) -> dict[int, np.ndarray]:
    """What a photo holds of each word, by loops."""
    x = x.astype(np.float64)
    if model.centred:
        x = x - model._mean
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    centroids = model.words.centroids.astype(np.float64)
    sums: dict[int, np.ndarray] = {}
    for row in x:
        distances = ((row - centroids) ** 2).sum(axis=1)
        for word in np.argsort(distances, kind="stable")[:multiple]:
            sums[int(word)] = sums.get(int(word), 0) + row - centroids[word]
    if model.binarize == "none":
        return {w: s / np.linalg.norm(s) for w, s in sums.items()}
    if model.rotate:
        sums = {w: model._rotation.astype(np.float64) @ s for w, s in sums.items()}
    limit = model._medians if model.binarize == "median" else np.zeros_like(centroids)
    return {w: np.where(s > limit[w], 1.0, -1.0) / np.sqrt(len(s)) for w, s in sums.items()}


def kernel(model: ASMK, x: np.ndarray, y: np.ndarray, idf: np.ndarray) -> float:
    """Similarity of a query x and a photo y."""

    def selective(u: float) -> float:
        return float(np.sign(u) * abs(u) ** model.alpha) if u > model.tau else 0.0

    a, b = aggregated(model, x, model.multiple), aggregated(model, y, 1)
    total = sum(idf[w] * selective(float(a[w] @ b[w])) for w in a.keys() & b.keys())
    own = [sum(idf[w] * selective(1.0 + 1e-12) for w in held) for held in (a, b)]
    return total / np.sqrt(own[0] * own[1]) if min(own) > 0 else 0.0


@pytest.mark.parametrize("binarize", ["zero", "median", "none"])
@pytest.mark.parametrize(("alpha", "tau"), [(3.0, 0.0), (1.0, -1.0), (2.0, 0.25)])
@pytest.mark.parametrize("idf", [True, False])
@pytest.mark.parametrize("rotate", [True, False])
def test_the_inverted_file_is_the_kernel(
    binarize: str, alpha: float, tau: float, idf: bool, rotate: bool, rng: np.random.Generator
) -> None:
    model, photos = built(
        rng, alpha=alpha, tau=tau, idf=idf, binarize=binarize, multiple=3, rotate=rotate
    )
    held = np.zeros(20)
    for photo in photos:
        held[list(aggregated(model, photo, 1))] += 1
    weights = np.log(30 / np.maximum(held, 1)) if idf else np.ones(20)
    queries = photos_of(rng, 6, 12)
    scores = model.scores(queries)
    expected = [[kernel(model, q, p, weights) for p in photos] for q in queries]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("binarize", ["zero", "median", "none"])
def test_a_photo_is_like_itself(binarize: str, rng: np.random.Generator) -> None:
    model, photos = built(rng, multiple=1, binarize=binarize)
    scores = model.scores(photos)
    np.testing.assert_allclose(np.diag(scores), 1, rtol=1e-5)
    np.testing.assert_allclose(scores, scores.T, rtol=1e-4, atol=1e-6)
    similarities, ids = model.search(photos, 3)
    assert ids[:, 0].tolist() == list(range(30))
    np.testing.assert_allclose(similarities[:, 0], 1, rtol=1e-5)


def test_linear_and_unbinarized_is_an_inner_product(rng: np.random.Generator) -> None:
    model, photos = built(rng, alpha=1, tau=-1, binarize="none", idf=False, multiple=1)
    vectors = np.zeros((30, 20 * 12))
    for row, photo in enumerate(photos):
        for word, part in aggregated(model, photo, 1).items():
            vectors[row, 12 * word : 12 * word + 12] = part
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(model.scores(photos), vectors @ vectors.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("binarize", ["zero", "none"])
def test_neighbours_are_those_of_a_search(binarize: str, rng: np.random.Generator) -> None:
    model, photos = built(rng, multiple=1, binarize=binarize)
    similarities, found = model.neighbours(5)
    scores = model.scores(photos)
    np.fill_diagonal(scores, -np.inf)
    np.testing.assert_allclose(similarities, -np.sort(-scores, axis=1)[:, :5], rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), similarities, rtol=1e-5)
    assert model.neighbours(100).ids.shape == (30, 100)
    assert (model.neighbours(100).ids[:, 29:] == -1).all()


def test_adding_and_removing(rng: np.random.Generator) -> None:
    model, photos = built(rng)
    other = ASMK.from_state(model.params(), model.arrays())
    before = other.scores(photos[:3])
    new = model.add(photos[:4])
    assert new.tolist() == [30, 31, 32, 33]
    assert model.remove([*new, 99]) == 4
    np.testing.assert_array_equal(model.scores(photos[:3]), before)
    model.remove(range(0, 30, 2))
    assert model.ids.tolist() == list(range(1, 30, 2))
    with pytest.raises(ValueError, match="^ids: 3 is in the index already; use update"):
        model.add(photos[:1], ids=[3])
    with pytest.raises(ValueError, match="^ids: expected each id once"):
        model.add(photos[:2], ids=[50, 50])


@pytest.mark.parametrize("binarize", ["zero", "none"])
@pytest.mark.parametrize("recent", [False, True])
@pytest.mark.parametrize("gone", [[3, 7, 29], list(range(0, 30, 2)), list(range(30))])
def test_what_was_removed_leaves_no_trace(
    binarize: str, recent: bool, gone: list[int], rng: np.random.Generator
) -> None:
    """Photos that are passed over in the lists, or dropped from them, are as if they had never been there."""
    whole, photos = built(rng, binarize=binarize)
    kept = np.setdiff1d(np.arange(30), gone)
    model, again = (ASMK.from_state(whole.params(), whole.arrays()) for _ in range(2))
    again.remove(again.ids)
    if recent:
        model.remove(model.ids)
        model.add(photos, ids=whole.ids)
    assert (len(model._held.parts[0].recent) > 0) == recent
    again.add([photos[i] for i in kept], ids=kept)
    assert model.remove([*gone[1:], 1000]) == len(gone) - 1
    assert (model._held.parts[0].alive is not None) == (len(gone) < 8)
    assert model.remove(gone) == 1
    more = photos_of(rng, 4, 12)
    for _ in range(2):
        assert model.ids.tolist() == again.ids.tolist() and len(model) == len(again)
        np.testing.assert_array_equal(model.scores(photos), again.scores(photos))
        for a, b in zip(model.search(photos[:9], 40), again.search(photos[:9], 40)):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(model.neighbours(4), again.neighbours(4)):
            np.testing.assert_array_equal(a, b)
        # And with photos that come after.
        again.add(more, ids=model.add(more))
    for name in ("ids", "starts", "photo", "parts"):
        np.testing.assert_array_equal(model.arrays()[name], again.arrays()[name])


@pytest.mark.parametrize("binarize", ["zero", "none"])
def test_lists_do_not_tell_how_they_grew(
    binarize: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, photos = built(rng, binarize=binarize)
    # Photos one by one: behind the lists until there are as many as some, then merged.
    monkeypatch.setattr(inverted_file, "_FEW", 100)
    other = ASMK.from_state(whole.params(), whole.arrays())
    other.remove(other.ids)
    assert len(other) == 0 and other.scores(photos[:2]).shape == (2, 0)
    both = 0
    for at, photo in enumerate(photos, 1):
        other.add([photo])
        lists = other._held.parts[0]
        both += len(lists.recent) > 0 and len(lists.lists.photo) > 0
        assert len(lists) == at
    assert both > 5
    other = other.ordered(other.ids[::-1]).ordered(np.arange(30, 60))
    np.testing.assert_array_equal(other.ids, np.arange(30, 60))
    np.testing.assert_array_equal(other.scores(photos), whole.scores(photos))
    np.testing.assert_array_equal(other.neighbours(4).ids, whole.neighbours(4).ids)
    for name in ("starts", "photo", "parts"):
        np.testing.assert_array_equal(other.arrays()[name], whole.arrays()[name])
    assert other.ordered(other.ids[::-1]).ids.tolist() == list(range(59, 29, -1))
    np.testing.assert_array_equal(other.scores(photos), whole.scores(photos)[:, ::-1])


def test_files_of_the_first_layout(rng: np.random.Generator) -> None:
    model, photos = built(rng)
    held = model._held.parts[0].by_photo()
    arrays = model.arrays()
    del arrays["photo"]
    arrays |= {"starts": held.starts, "held": held.words, "parts": held.parts}
    again = ASMK.from_state(model.params(), arrays)
    np.testing.assert_array_equal(again.scores(photos), model.scores(photos))


def test_photos_together_or_alone(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, photos = built(rng)
    together = model.aggregate(photos, 3)
    monkeypatch.setattr(asmk, "_TOGETHER", 50)
    alone = model.aggregate(photos, 3)
    for a, b in zip(together, alone):
        np.testing.assert_array_equal(a, b)
    assert len(model.aggregate([])) == 0


def test_empty_photos_and_bursts(rng: np.random.Generator) -> None:
    model, photos = built(rng)
    empty = np.empty((0, 12), np.float32)
    burst = np.repeat(photos[0][:1], 3000, axis=0)
    model.add([empty, burst], ids=[100, 101])
    similarities, ids = model.search([empty, burst], 40)
    assert np.isfinite(similarities[:, :32]).all() and (ids[:, 32:] == -1).all()
    assert (similarities[0, :32] == 0).all()
    assert ids[1, 0] == 101
    one = model.search(photos[3], 5)
    np.testing.assert_array_equal(one.ids, model.search([photos[3]], 5).ids[0])


def test_a_search_is_the_best_of_the_scores(rng: np.random.Generator) -> None:
    """Queries alone, together, and so many that they are answered in groups; d = 128 has a kernel of its own."""
    for d, tau in ((128, 0.0), (128, -0.5), (12, 0.0)):
        model, photos = built(rng, d, tau=tau, multiple=2)
        model.remove([4, 9])
        queries = [photos[i % 30] for i in range(70)]
        scores = model.scores(queries)
        similarities, ids = model.search(queries, 5)
        order = np.lexsort((np.broadcast_to(model.ids, scores.shape), -scores), axis=1)[:, :5]
        np.testing.assert_array_equal(similarities, np.take_along_axis(scores, order, axis=1))
        np.testing.assert_array_equal(ids, model.ids[order])
        for at in (0, 37):
            np.testing.assert_array_equal(model.scores([queries[at]])[0], scores[at])


def test_answers_do_not_depend_on_threads_or_levels(
    level: str, threads: int, rng: np.random.Generator
) -> None:
    model, photos = built(rng)
    np.testing.assert_array_equal(
        model.scores(photos), np.concatenate([model.scores([p], threads=1) for p in photos])
    )


def test_readers_beside_a_writer(rng: np.random.Generator) -> None:
    model, photos = built(rng)
    stop, failures = threading.Event(), []

    def read() -> None:
        try:
            while not stop.is_set():
                _, ids = model.search(photos[1], 100)
                seen = ids[ids >= 0]
                assert len(seen) % 30 == 0
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round in range(5):
        ids = np.arange(1000 * round + 1000, 1000 * round + 1030)
        model.add(photos, ids=ids)
        model.remove(ids)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]


def package_kernel(x: np.ndarray, y: np.ndarray, centroids: np.ndarray) -> float:
    """The similarity of the public package, as its formula reads: binary, five words a descriptor of the query x."""

    def held(photo: np.ndarray, multiple: int) -> dict[int, np.ndarray]:
        distances = ((photo[:, None].astype(np.float64) - centroids[None]) ** 2).sum(axis=2)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :multiple]
        return {
            word: (photo[(nearest == word).any(axis=1)] - centroids[word]).sum(axis=0) > 0
            for word in np.unique(nearest).tolist()
        }

    a, b = held(x, 5), held(y, 1)
    words = 32 * -(-x.shape[1] // 32)  # what it divides the number of differing bits by
    similarities = [1 - 2 * (a[w] != b[w]).sum() / words for w in a.keys() & b.keys()]
    return sum(s**3 for s in similarities if s >= 0) / np.sqrt(len(a) * len(b))


def with_the_options_of_the_package(
    rng: np.random.Generator,
) -> tuple[ASMK, list[np.ndarray], list[np.ndarray]]:
    photos = photos_of(rng, 40, 64)
    words = VisualWords(20, verbose=False).fit(np.concatenate(photos))
    model = ASMK(words, rotate=False, idf=False, centred=False, multiple=5)
    model.fit(words.centroids).add(photos)
    return model, photos, photos_of(rng, 5, 64)


def test_the_formula_of_the_public_package(rng: np.random.Generator) -> None:
    model, photos, queries = with_the_options_of_the_package(rng)
    expected = [[package_kernel(q, p, model.words.centroids) for p in photos] for q in queries]
    np.testing.assert_allclose(model.scores(queries), expected, rtol=1e-4, atol=1e-7)


def test_the_public_package_answers_the_same(rng: np.random.Generator) -> None:
    package = pytest.importorskip("asmk.asmk_method")
    codebook = pytest.importorskip("asmk.codebook")
    from asmk.index import initialize_index

    model, photos, queries = with_the_options_of_the_package(rng)
    book = codebook.Codebook(initialize_index(None), size=20)
    book.index(model.words.centroids)
    one, five = {"multiple_assignment": 1}, {"multiple_assignment": 5}
    params = {
        "build_ivf": {
            "kernel": {"binary": True}, "ivf": {"use_idf": False}, "quantize": one, "aggregate": {},
        },
        "query_ivf": {
            "quantize": five, "aggregate": {}, "search": {"topk": None},
            "similarity": {"similarity_threshold": 0.0, "alpha": 3.0},
        },
    }  # fmt: skip

    def numbered(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(p) for p in parts])

    method = package.ASMKMethod(params, {}, codebook=book).build_ivf(*numbered(photos))
    _, _, ranks, values = method.query_ivf(*numbered(queries))
    expected = np.zeros_like(values)
    np.put_along_axis(expected, ranks, values, axis=1)
    np.testing.assert_allclose(model.scores(queries), expected, rtol=1e-4, atol=1e-7)


def test_files(tmp_path: Path, rng: np.random.Generator) -> None:
    for binarize in ("zero", "median", "none"):
        model, photos = built(rng, binarize=binarize)
        kf.save(model, tmp_path / "asmk.kin")
        for mmap in (False, True):
            again = kf.load(tmp_path / "asmk.kin", mmap=mmap)
            np.testing.assert_array_equal(again.scores(photos), model.scores(photos))


def test_refusals(rng: np.random.Generator) -> None:
    with pytest.raises(kf.NotTrainedError):
        ASMK(16).add([np.zeros((2, 4))])
    with pytest.raises(ValueError, match="^binarize: expected one of"):
        ASMK(16, binarize="two")
    model, _ = built(rng)
    with pytest.raises(ValueError, match=r"^queries\[0\]: expected vectors of dimension 12"):
        model.search(np.zeros((2, 4)), 3)
    with pytest.raises(ValueError, match=r"^photos\[1\]: expected vectors of dimension 12"):
        model.add([np.zeros((2, 12)), np.zeros((2, 4))])
    arrays = model.arrays()
    word = int(np.diff(arrays["starts"]).argmax())
    photo = arrays["photo"].copy()
    own = slice(*arrays["starts"][word : word + 2])
    photo[own] = photo[own][::-1]
    with pytest.raises(ValueError, match="^array 'photo': expected to ascend"):
        ASMK.from_state(model.params(), {**arrays, "photo": photo})
    with pytest.raises(ValueError, match="^photo: expected to ascend in each word"):
        _core.words.ByWord(len(model), arrays["starts"], photo, arrays["parts"])
