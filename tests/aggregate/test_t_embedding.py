"""Triangulation embedding: whitening, democratic weights, and what aggregation must and must not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.aggregate.t_embedding import TEmbedding, democratic_weights


def fitted(rng: np.random.Generator, **choices) -> tuple[TEmbedding, np.ndarray]:
    x = rng.standard_normal((6000, 6)).astype(np.float32) ** 3
    return TEmbedding(5, **choices).fit(x), x


def test_democratic_weights_of_the_page() -> None:
    gram = np.array([[1, 0.9, 0], [0.9, 1, 0.1], [0, 0.1, 1]])
    weights = democratic_weights(gram)
    np.testing.assert_allclose(weights, [0.736608, 0.689922, 0.966098], atol=1e-6)
    np.testing.assert_allclose(
        weights * (gram @ weights), [0.999974, 1.000028, 0.999998], atol=1e-6
    )
    assert democratic_weights(np.zeros((2, 2))).tolist() == [0, 0]


@pytest.mark.parametrize("repeated", [4, 16])
def test_a_burst_has_its_share(repeated: int) -> None:
    rows = np.concatenate([np.repeat([[1.0, 0]], repeated, axis=0), [[0, 1.0]]])
    total = democratic_weights(rows @ rows.T, iterations=50) @ rows
    # n / (n + 1) of the squared length, where a plain sum gives n^2 / (n^2 + 1).
    assert total[0] ** 2 / (total @ total) == pytest.approx(repeated / (repeated + 1), abs=0.01)


def test_embedded_descriptors_are_white(rng: np.random.Generator) -> None:
    model, x = fitted(rng, normalise=False)
    embedded = model.embed(x).astype(np.float64)
    assert embedded.shape == (6000, 4 * 6)
    np.testing.assert_allclose(embedded.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(embedded.T, bias=True), np.eye(24), atol=2e-3)


def test_dimensions_of_the_lecture(rng: np.random.Generator) -> None:
    x = rng.random((400, 128)).astype(np.float32)
    assert TEmbedding(16).fit(x).transform([x[:9]]).shape == (1, 1920)


def test_sum_aggregation_is_linear(rng: np.random.Generator) -> None:
    model, x = fitted(rng, aggregation="sum", power=1.0)
    parts = model._aggregated([x[:30], x[30:75], x[:75]])
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(parts[0], model.embed(x[:30]).sum(axis=0), rtol=1e-3, atol=1e-3)


def test_sums_at_and_beside_centroids(rng: np.random.Generator) -> None:
    model, x = fitted(rng, aggregation="sum", power=1.0)
    beside = model.codebook + np.float32(1e-4) * rng.standard_normal((5, 6)).astype(np.float32)
    for photo in (model.codebook, beside, 100 + x[:9]):
        got = model._aggregated([photo])[0]
        expected = model.embed(photo).astype(np.float64).sum(axis=0)
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_the_kernel_is_the_inner_product(rng: np.random.Generator) -> None:
    model, x = fitted(rng, aggregation="sum", power=1.0, normalise=True)
    a, b = model.transform([x[:20], x[20:50]])
    u, v = model.embed(x[:20]).astype(float), model.embed(x[20:50]).astype(float)
    kernel = (u @ v.T).sum() / np.sqrt((u @ u.T).sum() * (v @ v.T).sum())
    assert float(a @ b) == pytest.approx(kernel, rel=1e-4)


def test_order_does_not_matter_and_lengths_are_one(rng: np.random.Generator) -> None:
    model, x = fitted(rng)
    vectors = model.transform([x[:40], x[:40][::-1], x[:0], model.codebook[:1]])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors[[0, 1, 3]], axis=1), 1, rtol=1e-5)
    assert not vectors[2].any() and np.isfinite(vectors).all()


def test_rotation_and_fewer_dimensions(rng: np.random.Generator, tmp_path: Path) -> None:
    x = rng.standard_normal((3000, 6)).astype(np.float32)
    photos = np.split(x[:1200], 60)
    whole = TEmbedding(5, power=1.0, rotate=True).fit(x, photos)
    plain = TEmbedding(5, power=1.0).fit(x)
    a, b = whole.transform(photos[:9]), plain.transform(photos[:9])
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=1e-4)
    short = TEmbedding(5, dim=7).fit(x, photos)
    assert short.transform(photos).shape == (60, 7)
    kf.save(short, tmp_path / "t.kin")
    again = kf.load(tmp_path / "t.kin")
    np.testing.assert_array_equal(again.transform(photos), short.transform(photos))
    with pytest.raises(ValueError, match="^photos: expected photos"):
        TEmbedding(5, dim=7).fit(x)
    with pytest.raises(ValueError, match="^photos: expected photos"):
        TEmbedding(5, rotate=True).fit(x)
    with pytest.raises(ValueError, match="^rotate: expected True or None"):
        TEmbedding(5, dim=7, rotate=False)


def test_axes_are_turned_to_where_photos_are_enough(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3000, 6)).astype(np.float32)  # 24 dimensions
    plain, many, few = (
        TEmbedding(5).fit(x, *photos) for photos in ((), (np.split(x, 30),), (np.split(x, 20),))
    )
    assert len(many._rotation) == 24 and few._rotation is None
    np.testing.assert_array_equal(few.transform([x[:50]]), plain.transform([x[:50]]))
    assert TEmbedding(5, rotate=False).fit(x, np.split(x, 30))._rotation is None
    # The power law is taken in other axes then.
    assert np.abs(many.transform([x[:50]]) - plain.transform([x[:50]])).max() > 0.01


def test_no_dimension_is_lost_beside_one_that_is_left_out(rng: np.random.Generator) -> None:
    # Two of the 24 kept variances are below 1e-7 of the first, which is left out, and above 1e-7 of the first kept.
    x = (rng.standard_normal((6000, 6)) * (1e3, 30, 10, 3, 1, 0.1)).astype(np.float32)
    embedded = TEmbedding(5, normalise=False).fit(x).embed(x)
    np.testing.assert_allclose(embedded.std(axis=0), 1, atol=1e-3)


def test_few_descriptors_stay_finite(rng: np.random.Generator) -> None:
    x = rng.standard_normal((9, 6)).astype(np.float32)
    vectors = TEmbedding(5).fit(x).transform([x, x[:1]])
    assert np.isfinite(vectors).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match="^aggregation: expected one of"):
        TEmbedding(aggregation="mean")
    with pytest.raises(kf.NotTrainedError):
        TEmbedding().transform([np.zeros((2, 3))])
