"""Bags of words through posting lists against dense histograms and loops."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.words.bag_of_words import BagOfWords
from kinfold.words.hamming_embedding import HammingEmbedding
from kinfold.words.scoring import SCORINGS, TERMS
from kinfold.words.words import VisualWords

K, D, PHOTOS = 24, 12, 40


def photos_of(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Photos that share a few noisy descriptors, some of them often."""
    pool = np.random.default_rng(5).standard_normal((60, D))
    made = []
    for _ in range(count):
        chosen = pool[rng.geometric(0.08, size=int(rng.integers(1, 60))) % 60]
        made.append((chosen + 0.2 * rng.standard_normal(chosen.shape)).astype(np.float32))
    return made


@pytest.fixture(scope="module")
def words() -> VisualWords:
    rng = np.random.default_rng(1)
    return VisualWords(K, verbose=False).fit(np.concatenate(photos_of(rng, 40)))


def built(words: VisualWords, rng: np.random.Generator, **choices):
    photos = photos_of(rng, PHOTOS)
    model = BagOfWords(words, **choices).fit(np.concatenate(photos_of(rng, 40)))
    model.add(photos)
    return model, photos


def histograms(model: BagOfWords, photos: list[np.ndarray], multiple: int = 1) -> np.ndarray:
    """Dense counts (photos, k)."""
    dense = np.zeros((len(photos), K))
    for row, photo in enumerate(photos):
        if model.sigma is None or multiple == 1:
            np.add.at(dense[row], model.words.assign(photo, multiple)[0].ravel(), 1)
        else:
            found, weights = model.words.soft(photo, multiple, sigma=model.sigma)
            np.add.at(dense[row], found.ravel(), weights.ravel())
    return dense


def dense_scores(model: BagOfWords, photos: list[np.ndarray], queries: list[np.ndarray]):
    """The definition over dense vectors."""
    stored, asked = histograms(model, photos), histograms(model, queries, model.multiple)
    held = (stored > 0).sum(axis=0)
    idf = np.log(len(photos) / np.maximum(held, 1)) if model.idf else np.ones(K)
    idf[held > model.stop * len(photos)] = 0
    terms = {"count": lambda n: n, "root": np.sqrt, "one": np.sign}[model.term]
    p, q = idf * terms(stored), idf * terms(asked)

    def over(x: np.ndarray, size: np.ndarray) -> np.ndarray:
        return x / np.where(size > 0, size, 1)[:, None]

    if model.scoring == "cosine":
        return over(q, np.linalg.norm(q, axis=1)) @ over(p, np.linalg.norm(p, axis=1)).T
    if model.scoring == "l1":
        p, q = over(p, p.sum(axis=1)), over(q, q.sum(axis=1))
        both = (p.sum(axis=1) > 0) & (q.sum(axis=1) > 0)[:, None]
        return np.where(both, 1 - np.abs(q[:, None] - p).sum(axis=2) / 2, 0)
    return over(np.minimum(q[:, None], p).sum(axis=2), q.sum(axis=1))


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize(
    "choices", [{}, {"idf": False}, {"stop": 0.5}, {"multiple": 3}, {"multiple": 3, "sigma": 1.0}]
)
def test_scores_are_those_of_dense_vectors(
    words: VisualWords, scoring: str, term: str, choices: dict, rng: np.random.Generator
) -> None:
    model, photos = built(words, rng, scoring=scoring, term=term, **choices)
    queries = photos_of(rng, 8)
    scores = model.scores(queries)
    np.testing.assert_allclose(scores, dense_scores(model, photos, queries), rtol=0, atol=1e-6)
    if model.multiple == 1:
        known = np.diag(dense_scores(model, photos, photos)) > 0
        own = np.diag(model.scores(photos))
        np.testing.assert_allclose(own, known.astype(float), rtol=0, atol=1e-6)
        assert known.sum() > 30


def kernel(model: BagOfWords, x: np.ndarray, y: np.ndarray, idf: np.ndarray, m: int) -> float:
    """All pairs of the descriptors of x (in m words each) and y (those of x too if it is x)."""

    def entries(z: np.ndarray, multiple: int):
        found = model.words.assign(z, multiple)[0]
        signed = model.embedding.signatures(z, found)
        held = np.bincount(found.ravel(), minlength=K)
        terms = {"count": held, "root": np.sqrt(held), "one": np.sign(held)}[model.term]
        share = np.divide(terms, held, out=np.zeros(K), where=held > 0)
        return found.ravel(), signed.ravel(), (idf * share)[found.ravel()]

    (w, s, share), (v, t, other) = entries(x, m), entries(y, m if y is x else 1)
    differing = (s[:, None] ^ t).view(np.uint8).reshape(len(s), len(t), 8)
    h = np.unpackbits(differing, axis=2).sum(axis=2)
    matching = (w[:, None] == v) * model.embedding.likeness().astype(np.float64)[h]
    return float(share @ matching @ other)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize(
    ("weight", "threshold", "multiple"),
    [("gaussian", 24, 1), ("linear", 20, 2), ("none", 30, 3), ("none", 64, 1)],
)
def test_signatures_are_compared_pair_by_pair(
    words: VisualWords, term: str, weight: str, threshold: int, multiple: int, rng
) -> None:
    embedding = HammingEmbedding(threshold, weight)
    model, photos = built(words, rng, embedding=embedding, term=term, multiple=multiple)
    held = (histograms(model, photos) > 0).sum(axis=0)
    idf = np.log(PHOTOS / np.maximum(held, 1))
    queries = photos_of(rng, 3)
    own = [kernel(model, p, p.copy(), idf, 1) for p in photos]
    expected = [
        [
            kernel(model, q, p, idf, multiple) / np.sqrt(n * kernel(model, q, q, idf, multiple))
            for p, n in zip(photos, own)
        ]
        for q in queries
    ]
    np.testing.assert_allclose(model.scores(queries), expected, rtol=0, atol=1e-6)
    if multiple == 1:
        np.testing.assert_allclose(np.diag(model.scores(photos)), 1, rtol=0, atol=1e-6)
        if threshold == 64:
            # Everything matches: the cosine of the histograms.
            plain = BagOfWords(words, term=term).fit(np.concatenate(photos))
            plain.add(photos)
            np.testing.assert_allclose(
                model.scores(queries), plain.scores(queries), rtol=0, atol=1e-6
            )


VARIANTS = [
    {}, {"scoring": "l1"}, {"scoring": "intersection"}, {"embedding": HammingEmbedding()},
    {"multiple": 2, "embedding": HammingEmbedding(weight="linear")},
]  # fmt: skip


@pytest.mark.parametrize("choices", VARIANTS)
def test_a_search_is_the_best_of_the_scores(
    words: VisualWords, choices: dict, level: str, threads: int, rng: np.random.Generator
) -> None:
    model, photos = built(words, rng, **choices)
    model.add(photos[:5], ids=[900, 800, 700, 600, 500])  # ties
    model.remove([3, 800])
    queries = photos_of(rng, 20)
    scores, ids = model.scores(queries), model.ids
    single = np.concatenate([model.scores([q], threads=1) for q in queries])
    np.testing.assert_array_equal(scores, single)
    for k in (1, 7, 60):
        found = model.search(queries, k)
        for row in range(len(queries)):
            order = np.lexsort((ids, -scores[row]))[:k]
            np.testing.assert_array_equal(found.ids[row, : len(order)], ids[order])
            np.testing.assert_array_equal(found.distances[row, : len(order)], scores[row, order])
            assert (found.ids[row, len(order) :] == -1).all()
    one = model.search(queries[0], 5)
    np.testing.assert_array_equal(one.ids, model.search(queries, 5).ids[0])
    allowed = [1, 2, 500, 4444]
    found = model.search(queries, 5, filter=allowed)
    assert np.isin(found.ids, [1, 2, 500, -1]).all() and (found.ids[:, 3:] == -1).all()
    mask = np.isin(ids, allowed)
    np.testing.assert_array_equal(model.search(queries, 5, filter=mask).ids, found.ids)


def test_the_same_bits_at_every_level(words: VisualWords, rng: np.random.Generator) -> None:
    from kinfold import _core

    before = _core.level()
    try:
        for choices in VARIANTS:
            model, photos = built(words, rng, **choices)
            bags = [model.bag(p, model.multiple) for p in photos]
            answers = []
            for level in _core.levels():
                _core.set_level(level)
                ready = model._ready()
                asked = [model._scoring.query(bag, ready.idf) for bag in bags]
                answers.append(
                    _core.words.all_scores(
                        model._parts(ready), asked, model.term,
                        {"cosine": "product", "l1": "least_normed", "intersection": "least"}[model.scoring],
                        *model._scoring.likeness(),
                    )
                )  # fmt: skip
            for answer in answers[1:]:
                np.testing.assert_array_equal(answer, answers[0])
    finally:
        _core.set_level(before)


@pytest.mark.parametrize("choices", VARIANTS)
def test_growth_and_removal_leave_no_trace(
    words: VisualWords, choices: dict, rng: np.random.Generator
) -> None:
    model, photos = built(words, rng, **choices)
    grown = BagOfWords(words, **choices).fit(np.concatenate(photos_of(rng, 40)))
    for row, photo in enumerate(photos):
        grown.add([photo], ids=[row])
        if row % 3 == 0:
            more = grown.add(photos[:4], ids=[100, 101, 102, 103])
            assert grown.remove([*more, 7777]) == 4
    queries = photos_of(rng, 5)
    np.testing.assert_array_equal(grown.scores(queries), model.scores(queries))
    assert grown.ids.tolist() == model.ids.tolist()
    mine, theirs = model.compact().arrays(), grown.compact().arrays()
    for name in mine:
        if name.startswith("segments."):
            np.testing.assert_array_equal(theirs[name], mine[name], err_msg=name)
    with pytest.raises(ValueError, match="^ids: 3 is in the index already; use update"):
        grown.add(photos[:1], ids=[3])
    with pytest.raises(ValueError, match="^ids: expected each id once"):
        grown.add(photos[:2], ids=[50, 50])
    turned = rng.permutation(model.ids)
    scores = model.scores(queries)
    np.testing.assert_array_equal(model.ordered(turned).scores(queries), scores[:, turned])
    assert model.ids.tolist() == turned.tolist()
    fresh = BagOfWords(words, **choices).fit(np.concatenate(photos))
    fresh.add([photos[i] for i in turned], ids=turned)
    np.testing.assert_array_equal(fresh.scores(queries), scores[:, turned])


def test_frozen_weights_change_nothing_else(words: VisualWords, rng: np.random.Generator) -> None:
    model, photos = built(words, rng)
    queries = photos_of(rng, 5)
    # Photos without one of the words, then one that has it alone.
    rare = int(np.argmin((histograms(model, photos) > 0).sum(axis=0)))
    having = [i for i, p in enumerate(photos) if (words.assign(p)[0] == rare).any()]
    model.remove(having)
    model.freeze()
    before = model.scores(queries)
    new = np.repeat(words.centroids[rare : rare + 1], 3, axis=0)
    model.add([new], ids=[999])
    after = model.scores(queries)
    np.testing.assert_array_equal(after[:, :-1], before)
    assert model.search(new, 1).ids[0] == 999
    assert model.stats()["idf_version"] == 1
    again = BagOfWords.from_state(model.params(), model.arrays())
    np.testing.assert_array_equal(again.scores(queries), after)
    model.freeze()
    assert model.stats()["idf_version"] == 2
    assert not np.array_equal(model.scores(queries)[:, :-1], before)


@pytest.mark.parametrize("choices", VARIANTS[:4])
def test_neighbours_are_those_of_a_search(
    words: VisualWords, choices: dict, rng: np.random.Generator
) -> None:
    model, photos = built(words, rng, **choices)
    model.add([photos[0]] * 4)
    model.remove([5])
    kept = [p for i, p in enumerate(photos) if i != 5] + [photos[0]] * 4
    scores = model.scores(kept)
    np.fill_diagonal(scores, -np.inf)
    similarities, found = model.neighbours(6)
    np.testing.assert_allclose(similarities, -np.sort(-scores, axis=1)[:, :6], rtol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), similarities, rtol=1e-6)
    assert (model.neighbours(100).ids[:, 42:] == -1).all()
    assert (np.sort(model.neighbours(100).ids[:, :42]) != np.arange(43)[:, None]).all()


@pytest.mark.parametrize("choices", VARIANTS[:4])
def test_empty_photos_and_bursts(
    words: VisualWords, choices: dict, rng: np.random.Generator
) -> None:
    model, photos = built(words, rng, **choices)
    empty = np.empty((0, D), np.float32)
    burst = np.repeat(photos[0][:1], 5000, axis=0)
    model.add([empty, burst], ids=[100, 101])
    similarities, ids = model.search([empty, burst], 50)
    assert np.isfinite(similarities[:, :42]).all() and (ids[:, 42:] == -1).all()
    assert (similarities[0, :42] == 0).all()
    assert similarities[1, ids[1] == 101][0] == pytest.approx(1, abs=1e-6)
    assert model.scores([burst, photos[1]])[:, 40].tolist() == [0, 0]
    nothing = BagOfWords(words, **choices).fit(np.concatenate(photos))
    assert nothing.search(photos[0], 3).ids.tolist() == [-1, -1, -1]
    assert nothing.scores(photos[:2]).shape == (2, 0)
    assert nothing.neighbours(3).ids.shape == (0, 3)


def test_readers_beside_a_writer(words: VisualWords, rng: np.random.Generator) -> None:
    model, photos = built(words, rng)
    stop, failures = threading.Event(), []

    def read() -> None:
        try:
            while not stop.is_set():
                _, ids = model.search(photos[1], 200)
                assert (ids >= 0).sum() % PHOTOS == 0
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round in range(5):
        ids = np.arange(1000 * round + 1000, 1000 * round + 1000 + PHOTOS)
        model.add(photos, ids=ids)
        model.remove(ids)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]


@pytest.mark.parametrize("choices", VARIANTS)
def test_files(words: VisualWords, tmp_path: Path, choices: dict, rng: np.random.Generator) -> None:
    model, photos = built(words, rng, **choices)
    model.remove([1, 2])
    kf.save(model, tmp_path / "bags.kin")
    for mmap in (False, True):
        again = kf.load(tmp_path / "bags.kin", mmap=mmap)
        np.testing.assert_array_equal(again.scores(photos), model.scores(photos))
        again.add(photos[1:3])
        again.remove([0])
        assert len(again) == PHOTOS - 1


def test_refusals(words: VisualWords, rng: np.random.Generator) -> None:
    with pytest.raises(kf.NotTrainedError):
        BagOfWords(16).add([np.zeros((2, 4))])
    with pytest.raises(ValueError, match="^scoring: expected one of"):
        BagOfWords(16, scoring="l3")
    with pytest.raises(ValueError, match="^embedding: expected scoring 'cosine'"):
        BagOfWords(16, scoring="l1", embedding=HammingEmbedding())
    model, photos = built(words, rng)
    with pytest.raises(ValueError, match="^descriptors: expected vectors of dimension 12"):
        model.search(np.zeros((2, 4)), 3)
    with pytest.raises(ValueError, match="^ids: expected the ids of all photos"):
        model.ordered([*range(39), 77])
    with pytest.raises(ValueError, match="^filter: expected a mask of 40"):
        model.search(photos[0], 3, filter=np.ones(3, bool))


def test_words_of_another_extractor_are_noticed(words: VisualWords) -> None:
    far = 100 + np.random.default_rng(0).standard_normal((5000, D)).astype(np.float32)
    with pytest.warns(UserWarning, match="spread over 1 of 24 possible words"):
        BagOfWords(words).fit(far)
