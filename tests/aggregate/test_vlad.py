"""VLAD against a slow loop, and its identities."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.aggregate.vlad import VLAD


def by_loop(
    x: np.ndarray, codebook: np.ndarray, *, intra: bool, residual: bool, power: float
) -> np.ndarray:
    sums = np.zeros(codebook.shape)
    for v in x.astype(np.float64):
        cell = ((v - codebook) ** 2).sum(axis=1).argmin()
        r = v - codebook[cell]
        if residual and np.linalg.norm(r) > 0:
            r /= np.linalg.norm(r)
        sums[cell] += r
    if intra:
        for row in sums:
            if np.linalg.norm(row) > 0:
                row /= np.linalg.norm(row)
    flat = np.sign(sums.ravel()) * np.abs(sums.ravel()) ** power
    return flat / np.linalg.norm(flat)


@pytest.mark.parametrize("intra", [True, False])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_agrees_with_a_slow_loop(
    intra: bool, residual: bool, power: float, rng: np.random.Generator
) -> None:
    model = VLAD(7, intra=intra, residual=residual, power=power).fit(rng.random((400, 12)))
    photos = [rng.random((n, 12)).astype(np.float32) for n in (1, 5, 60)]
    got = model.transform(photos)
    assert got.shape == (3, 84) and got.dtype == np.float32
    for row, x in zip(got, photos):
        expected = by_loop(x, model.codebook, intra=intra, residual=residual, power=power)
        np.testing.assert_allclose(row, expected, atol=2e-6)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)


def test_sums_add_up_before_they_are_normalised(rng: np.random.Generator) -> None:
    model = VLAD(4, intra=False).fit(rng.random((200, 6)))
    x, y = rng.random((9, 6)).astype(np.float32), rng.random((14, 6)).astype(np.float32)

    def plain(v: np.ndarray) -> np.ndarray:
        cells = ((v[:, None] - model.codebook) ** 2).sum(axis=2).argmin(axis=1)
        return np.stack([(v[cells == c] - model.codebook[c]).sum(axis=0) for c in range(4)]).ravel()

    both = plain(x) + plain(y)
    np.testing.assert_allclose(
        model.transform([np.concatenate([x, y])])[0], both / np.linalg.norm(both), atol=1e-5
    )


def test_several_vocabularies_stand_side_by_side(rng: np.random.Generator) -> None:
    x = rng.random((400, 12))
    model = VLAD(7, vocabularies=3, seed=4).fit(x)
    photos = [rng.random((n, 12)).astype(np.float32) for n in (1, 30, 0)]
    got = model.transform(photos)
    assert got.shape == (3, 3 * 84) == (3, model.dim)
    alone = [VLAD(7, seed=4 + i).fit(x) for i in range(3)]
    expected = np.concatenate([one.transform(photos) for one in alone], axis=1) / np.sqrt(3)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(got[:2], axis=1), 1, rtol=1e-5)
    # Their inner product is the mean of the vocabularies' kernels (Jegou and Chum 2012, section 4).
    kernels = [one.transform(photos) @ one.transform(photos).T for one in alone]
    np.testing.assert_allclose(got @ got.T, np.mean(kernels, axis=0), atol=1e-5)
    again = VLAD.from_state(model.params(), model.arrays())
    np.testing.assert_array_equal(again.transform(photos), got)


def test_vocabularies_are_whitened_together(rng: np.random.Generator) -> None:
    x = rng.random((2000, 8)).astype(np.float32)
    photos = np.split(x, 200)
    vectors = VLAD(4, vocabularies=4).fit(x).transform(photos)
    reduced = kf.PCA(16, whiten=0.5).fit(vectors).transform(vectors)
    np.testing.assert_allclose(np.cov(reduced.T, bias=True), np.eye(16), atol=0.05)


def test_a_codebook_of_elsewhere(rng: np.random.Generator) -> None:
    x = rng.standard_normal((300, 5)).astype(np.float32)
    photos = np.split(x, 10)
    learnt = VLAD(4, vocabularies=2, power=0.5).fit(x)
    again = VLAD.from_centroids(learnt.codebook.tolist(), vocabularies=2, power=0.5)
    assert again.k == 4 and again.vocabularies == 2
    np.testing.assert_array_equal(again.transform(photos), learnt.transform(photos))
    # Of one centroid at the origin: the sum of the descriptors.
    one = VLAD.from_centroids(np.zeros((1, 5))).transform(photos)
    sums = np.array([photo.sum(axis=0) for photo in photos])
    np.testing.assert_allclose(one, sums / np.linalg.norm(sums, axis=1)[:, None], atol=1e-6)
    with pytest.raises(ValueError, match="^centroids: expected as many in each of 2, got 3"):
        VLAD.from_centroids(x[:3], vocabularies=2)


def test_nothing_and_descriptors_at_the_centroids_are_zero(rng: np.random.Generator) -> None:
    model = VLAD(3).fit(rng.random((50, 5)))
    got = model.transform([np.empty((0, 5), np.float32), model.codebook, model.codebook[:1]])
    np.testing.assert_array_equal(got, 0)
    assert model.transform([]).shape == (0, 15)


def test_not_trained_bad_input_and_state(rng: np.random.Generator) -> None:
    with pytest.raises(kf.NotTrainedError):
        VLAD(3).transform([np.zeros((2, 2))])
    with pytest.raises(ValueError, match="^x: expected at least k = 9 vectors"):
        VLAD(9).fit(rng.random((4, 2)))
    model = VLAD(3, power=0.5).fit(rng.random((50, 5)))
    with pytest.raises(ValueError, match=r"^photos\[1\]: expected vectors of dimension 5"):
        model.transform([np.zeros((2, 5)), np.zeros((2, 4))])
    again = VLAD.from_state(model.params(), model.arrays())
    x = [rng.random((8, 5))]
    np.testing.assert_array_equal(again.transform(x), model.transform(x))
