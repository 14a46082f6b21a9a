"""Visual words: nearest, several, weighed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.words.words import VisualWords


def learnt(rng: np.random.Generator, **choices) -> tuple[VisualWords, np.ndarray]:
    x = rng.standard_normal((400, 8)).astype(np.float32)
    return VisualWords(16, verbose=False, **choices).fit(x), x


@pytest.mark.parametrize("branch", [None, 2, 4])
def test_the_nearest_words(branch: int | None, rng: np.random.Generator) -> None:
    words, x = learnt(rng, branch=branch)
    truth = ((x[:, None] - words.centroids[None]) ** 2).sum(axis=2)
    found, distances = words.assign(x, 5)
    np.testing.assert_allclose(distances, np.sort(truth, axis=1)[:, :5], rtol=1e-4)
    np.testing.assert_array_equal(found[:, 0], truth.argmin(axis=1))
    assert words.assign(x[:0], 3)[0].shape == (0, 3)


def test_a_tree_of_words_is_nearly_as_good(rng: np.random.Generator) -> None:
    flat, x = learnt(rng)
    tree, _ = learnt(rng, branch=4)
    variance = ((x - x.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert flat.assign(x)[1].mean() < variance
    assert tree.assign(x)[1].mean() < variance
    assert len(tree.centroids) == 16


def test_a_tree_with_few_descriptors(rng: np.random.Generator) -> None:
    x = np.repeat(rng.standard_normal((3, 4)), 6, axis=0).astype(np.float32)
    words = VisualWords(16, branch=4, verbose=False).fit(x)
    assert len(words.centroids) == 16
    np.testing.assert_allclose(words.assign(x)[1], 0, atol=1e-6)


def test_words_learnt_through_a_forest_are_nearly_as_good(rng: np.random.Generator) -> None:
    pool = 3 * rng.standard_normal((100, 16))
    x = (pool[rng.integers(100, size=4000)] + rng.standard_normal((4000, 16))).astype(np.float32)
    spread = {
        checks: VisualWords(128, checks=checks, verbose=False).fit(x).assign(x)[1].mean()
        for checks in (None, 48)
    }
    assert spread[48] < 1.05 * spread[None]


def test_assignment_through_a_forest(rng: np.random.Generator) -> None:
    words, x = learnt(rng)
    nearest, distances = words.assign(x, 3)
    everything = words.assign(x, 3, checks=100)
    np.testing.assert_array_equal(everything[0], nearest)
    np.testing.assert_array_equal(everything[1], distances)
    some, far = words.assign(x, 1, checks=8)
    assert (some[:, 0] == nearest[:, 0]).mean() > 1 / 3
    assert (far[:, 0] >= distances[:, 0]).all()
    with pytest.raises(ValueError, match="^checks: expected a whole number at least 3"):
        words.assign(x, 3, checks=2)
    with pytest.raises(ValueError, match="^checks: expected none with branch"):
        VisualWords(16, branch=4, checks=8)


def descended(words: VisualWords, x: np.ndarray, m: int, paths: int) -> np.ndarray:
    """By loops: the children of the nearest nodes, level by level."""
    b, k, levels, at, size = words.branch, words.k, [], 0, words.branch
    while size < k:
        levels.append(words._nodes[at : at + size])
        at, size = at + size, size * b
    assert at == len(words._nodes)
    found = []
    for row in x:
        nodes = np.zeros(1, np.int64)
        for level in [*levels, words.centroids]:
            children = (nodes[:, None] * b + np.arange(b)).ravel()
            far = ((level[children].astype(np.float64) - row) ** 2).sum(axis=1)
            nodes = children[np.lexsort((children, far))][: m if len(level) == k else paths]
        found.append(nodes)
    return np.array(found)


@pytest.mark.parametrize(("k", "branch"), [(16, 16), (16, 4), (16, 2), (64, 4), (729, 27)])
@pytest.mark.parametrize("paths", [1, 2, 5])
def test_assignment_by_descending(
    k: int, branch: int, paths: int, level: str, threads: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2000, 8)).astype(np.float32)
    words = VisualWords(k, branch=branch, iterations=3, verbose=False).fit(x)
    asked = rng.standard_normal((300, 8)).astype(np.float32)
    m = min(branch, 3)
    found, distances = words.assign(asked, m, paths=paths)
    np.testing.assert_array_equal(found, descended(words, asked, m, paths))
    exact = ((asked[:, None] - words.centroids[found]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, exact, rtol=1e-5)
    # Along all paths there is no word that is not looked at.
    for a, b in zip(words.assign(asked, m, paths=k), words.assign(asked, m)):
        np.testing.assert_array_equal(a, b)


def test_words_that_are_assigned_by_descending(tmp_path: Path, rng: np.random.Generator) -> None:
    words, x = learnt(rng, branch=4, paths=2)
    found, distances = words.assign(x, 3)
    np.testing.assert_array_equal(found, words.assign(x, 3, paths=2)[0])
    assert (distances >= words.assign(x, 3, paths=16)[1]).all()
    assert (found[:, 0] == words.assign(x, paths=16)[0][:, 0]).mean() > 0.6
    # Among equally near words the first: those of a burst.
    same = VisualWords(16, branch=4, verbose=False).fit(np.repeat(x[:3], 6, axis=0))
    assert same.assign(x[:3], paths=1)[1].max() == 0
    kf.save(words, tmp_path / "words.kin")
    again = kf.load(tmp_path / "words.kin")
    np.testing.assert_array_equal(again.assign(x, 3)[0], found)
    # A file of words alone, as they were saved before.
    arrays = {"centroids": words.centroids}
    with pytest.raises(ValueError, match="^array 'nodes': expected one where words"):
        VisualWords.from_state(words.params(), arrays)
    old = VisualWords.from_state({**words.params(), "paths": None}, arrays)
    np.testing.assert_array_equal(old.assign(x, 3)[0], words.assign(x, 3, paths=16)[0])
    with pytest.raises(ValueError, match="^paths: expected none, for these words came without"):
        old.assign(x, paths=1)
    with pytest.raises(ValueError, match="^paths: expected at least 2 for 5 words"):
        words.assign(x, 5, paths=1)
    with pytest.raises(ValueError, match="^paths: expected none with checks"):
        words.assign(x, paths=1, checks=5)
    with pytest.raises(ValueError, match="^paths: expected none without branch"):
        VisualWords(16, paths=1)
    for nodes in (np.zeros((3, 8), np.float32), np.full((4, 8), np.nan, np.float32)):
        with pytest.raises(ValueError, match="nodes"):
            VisualWords.from_state(words.params(), {**arrays, "nodes": nodes})


def test_effective_words(rng: np.random.Generator) -> None:
    words, _ = learnt(rng)
    assert words.effective(np.arange(16)) == pytest.approx(16)
    assert words.effective(np.zeros((9, 1), np.int64)) == pytest.approx(1)
    words.check_spread(np.arange(16))
    many = VisualWords(1000, verbose=False)
    with pytest.warns(UserWarning, match="spread over 2 of 1000 possible words"):
        many.check_spread(np.arange(2000) % 2)
    many.check_spread(np.zeros(3, np.int64))  # three descriptors tell nothing


def test_words_are_shared_between_collections(tmp_path: Path, rng: np.random.Generator) -> None:
    words, x = learnt(rng, fingerprint="sift", checks=8)
    kf.save(words, tmp_path / "words.kin")
    for mmap in (False, True):
        again = kf.load(tmp_path / "words.kin", mmap=mmap)
        assert again.params() == words.params()
        np.testing.assert_array_equal(again.assign(x, 2)[0], words.assign(x, 2)[0])
        again.check_fingerprint("sift")


def test_soft_assignment(rng: np.random.Generator) -> None:
    words, x = learnt(rng)
    found, weights = words.soft(x, 3, sigma=0.5)
    nearest, distances = words.assign(x, 3)
    np.testing.assert_array_equal(found, nearest)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    expected = np.exp(-distances.astype(float) / (2 * 0.25))
    np.testing.assert_allclose(weights, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)
    _, far = words.soft(1e4 * x, 3, sigma=0.5)
    assert np.isfinite(far).all() and (far[:, 0] > 0).all()


def test_words_of_elsewhere(rng: np.random.Generator, tmp_path: Path) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    x = rng.standard_normal((500, 6)).astype(np.float32)
    theirs = cluster.KMeans(9, n_init=1, random_state=0).fit(x)
    centres = theirs.cluster_centers_.copy()
    words = VisualWords.from_centroids(centres, fingerprint="sift")
    centres[:] = 0  # the words are the codebook's own
    np.testing.assert_array_equal(words.predict(x), theirs.predict(x))
    assert (words.k, words.fingerprint) == (9, "sift")
    kf.save(words, tmp_path / "w.kin")
    np.testing.assert_array_equal(kf.load(tmp_path / "w.kin").assign(x)[0], words.assign(x)[0])
    with pytest.raises(ValueError, match="^branch: expected none"):
        VisualWords.from_centroids(x[:9], branch=3)
    with pytest.raises(ValueError, match="^centroids: "):
        VisualWords.from_centroids(x[0])


def test_refusals(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="^k: expected a power of branch 3"):
        VisualWords(16, branch=3)
    with pytest.raises(ValueError, match="^descriptors: expected at least 16"):
        VisualWords(16).fit(np.zeros((3, 4)))
    with pytest.raises(kf.NotTrainedError, match="call fit first"):
        VisualWords(16).assign(np.zeros((3, 4)))
    words, _ = learnt(rng, fingerprint="sift")
    words.check_fingerprint("sift")
    with pytest.raises(
        ValueError, match="^fingerprint: the words were learnt on descriptors of 'sift'"
    ):
        words.check_fingerprint("surf")
