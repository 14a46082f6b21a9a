"""Kernel PCA against scikit-learn, and the linear kernel against PCA."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from conventions import check_saved, check_with_scikit_learn, distance_up_to_signs

import kinfold as kf
from kinfold.manifold.kernel_pca import KERNELS


def data(n: int, rng: np.random.Generator) -> np.ndarray:
    return (rng.standard_normal((n, 5)) * [3, 2, 1.3, 0.8, 0.5] + 0.3).astype(np.float32)


@pytest.mark.filterwarnings("ignore:X. the kernel is no inner product")  # the sigmoid
@pytest.mark.parametrize("kernel", [name for name in KERNELS if name != "precomputed"])
@pytest.mark.parametrize("n", [200, 1600])  # in double precision and not
def test_equals_scikit_learn(kernel, n, rng) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    x, more = data(n, rng), data(30, rng)
    options = {"kernel": kernel, "gamma": 0.05, "degree": 2, "coef0": 0.7}
    ours = kf.KernelPCA(3, **options).fit(x)
    theirs = decomposition.KernelPCA(3, **options).fit(x.astype(np.float64))
    tolerance = 1e-6 if n < 1500 else 2e-4
    expected = theirs.transform(x.astype(np.float64))
    assert distance_up_to_signs(ours.embedding_, expected) < tolerance
    np.testing.assert_allclose(ours.eigenvalues_, theirs.eigenvalues_, rtol=1e-4)
    expected = theirs.transform(more.astype(np.float64))
    assert distance_up_to_signs(ours.transform(more), expected) < tolerance


def test_linear_is_pca(rng) -> None:
    x = data(120, rng)
    ours = kf.KernelPCA().fit(x)  # all components that there are
    assert ours.embedding_.shape == (120, 5)
    assert distance_up_to_signs(ours.embedding_, kf.PCA().fit_transform(x)) < 1e-5
    assert np.allclose(ours.embedding_.mean(axis=0), 0, atol=1e-6)


def test_precomputed_is_the_same(rng) -> None:
    x, more = data(90, rng), data(7, rng)
    direct = kf.KernelPCA(3, kernel="poly", gamma=0.1, degree=2).fit(x)
    given = kf.KernelPCA(3, kernel="precomputed").fit((0.1 * x @ x.T + 1) ** 2)
    assert distance_up_to_signs(direct.embedding_, given.embedding_) < 1e-4
    placed = given.transform((0.1 * more @ x.T + 1) ** 2)
    assert distance_up_to_signs(direct.transform(more), placed) < 1e-4


def test_directions_that_are_not_there_are_zero(rng) -> None:
    line = np.arange(20.0)[:, None] * [1, 2]
    model = kf.KernelPCA(3).fit(line)
    assert (model.embedding_[:, 1:] == 0).all() and (model.transform(line)[:, 1:] == 0).all()
    assert kf.KernelPCA().fit(line).embedding_.shape == (20, 1)
    assert np.abs(model.transform(line) - model.embedding_).max() < 1e-4


def test_bad_arguments(rng) -> None:
    x = data(20, rng)
    for words, call in {
        "n_components: ": lambda: kf.KernelPCA(21).fit(x),
        "kernel: ": lambda: kf.KernelPCA(kernel="chi2").fit(x),
        "gamma: ": lambda: kf.KernelPCA(gamma=0).fit(x),
        "degree: ": lambda: kf.KernelPCA(degree=0).fit(x),
        "coef0: ": lambda: kf.KernelPCA(coef0="one").fit(x),
        "X: expected a square kernel": lambda: kf.KernelPCA(kernel="precomputed").fit(x),
        "X: expected a symmetric kernel": lambda: kf.KernelPCA(kernel="precomputed").fit(x[:5] + 1),
        "X: expected vectors that are not all the same": lambda: kf.KernelPCA().fit(np.ones((4, 2))),
        "X: expected vectors whose kernel": lambda: kf.KernelPCA(kernel="poly", degree=300).fit(x * 1e3),
        "X: expected finite": lambda: kf.KernelPCA().fit(x * np.nan),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()


def test_saved(tmp_path, rng) -> None:
    x = data(40, rng)
    check_saved(kf.KernelPCA(2, kernel="rbf").fit(x), x[:9] + 0.1, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_accepts_it() -> None:
    check_with_scikit_learn(kf.KernelPCA(2, kernel="rbf"))


@pytest.mark.parametrize("n", [60, 1600])
@pytest.mark.parametrize("negative", [0.0, -0.4])
def test_a_kernel_with_negative_eigenvalues_warns(n: int, negative: float) -> None:
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((n, 8)))[0]
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    kernel = (basis * [5, 4, 3, 2, 1, 0.5, 0.2, negative]) @ basis.T
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = kf.KernelPCA(2, kernel="precomputed").fit((kernel + kernel.T) / 2)
    np.testing.assert_allclose(model.eigenvalues_, [5, 4], rtol=1e-4)
    assert len(seen) == (negative < 0)
    assert all("the kernel is no inner product" in str(warning.message) for warning in seen)
