"""Against numpy's SVD and scikit-learn, where there are more vectors than dimensions and where fewer."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError, NotTrainedError
from kinfold.transform.pca import PCA

SHAPES = [(500, 20), (20, 500), (30, 30), (31, 30), (2, 5), (2, 1)]


def data(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    spread = 3.0 * 0.9 ** np.arange(d)
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (rng.standard_normal((n, d)) * spread @ rotation + 5).astype(np.float32)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_against_the_svd(n, d, rng) -> None:
    x = data(n, d, rng)
    pca = PCA().fit(x)
    keep = min(n - 1, d)
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    assert pca.components.shape == (keep, d)
    assert np.allclose(pca.variances, singular[:keep] ** 2 / n, rtol=1e-5, atol=1e-9)
    strong = singular[:keep] > singular[0] * 1e-3
    assert np.allclose(np.abs((pca.components * rows[:keep]).sum(1))[strong], 1, atol=1e-4)
    assert np.isclose(pca.total_variance, centred.var(axis=0).sum())
    assert np.allclose(pca.components @ pca.components.T, np.eye(keep), atol=1e-5)


@pytest.mark.parametrize(("n", "d"), [(500, 20), (20, 500)])
@pytest.mark.parametrize("whiten", [False, True])
def test_against_scikit_learn(n, d, whiten, rng) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = data(n, d, rng)
    ours = PCA(10, whiten=whiten).fit_transform(x)
    theirs = decomposition.PCA(10, whiten=whiten, svd_solver="full").fit_transform(
        x.astype(np.float64)
    )
    if whiten:
        theirs *= np.sqrt(n / (n - 1))  # which divides the covariance by n - 1
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.allclose(ours, theirs * signs, atol=2e-3)


@pytest.mark.parametrize(("n", "d"), [(500, 20), (20, 500)])
def test_projected_covariance_is_diagonal_and_whitened_is_one(n, d, rng) -> None:
    x = data(n, d, rng)
    plain = PCA().fit(x)
    covariance = np.cov(plain.transform(x).T, bias=True)
    assert np.allclose(covariance, np.diag(plain.variances), atol=1e-4 * plain.variances[0])
    white = PCA(15, whiten=True).fit_transform(x)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(15), atol=1e-2)
    gentle = PCA(15, whiten=0.25).fit_transform(x)
    assert np.allclose(gentle.var(axis=0), np.sqrt(plain.variances[:15]), rtol=1e-3)


@pytest.mark.parametrize(("n", "d"), [(500, 20), (20, 500)])
@pytest.mark.parametrize("whiten", [False, True])
def test_reconstruction_error_is_the_variance_that_was_dropped(n, d, whiten, rng) -> None:
    x = data(n, d, rng)
    everything = PCA().fit(x)
    pca = PCA(8, whiten=whiten).fit(x)
    back = pca.inverse_transform(pca.transform(x))
    error = ((back - x) ** 2).sum(axis=1, dtype=np.float64).mean()
    assert np.isclose(error, everything.variances[8:].sum(), rtol=1e-3)
    assert np.isclose(pca.total_variance - pca.variances.sum(), error, rtol=1e-3)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_signs_follow_the_rule_and_repeat(n, d, rng) -> None:
    x = data(n, d, rng)
    pca = PCA().fit(x)
    largest = np.abs(pca.components).argmax(axis=1)
    assert (pca.components[np.arange(len(largest)), largest] > 0).all()
    assert (PCA().fit(x).components == pca.components).all()


def test_chunks_equal_the_whole(rng) -> None:
    x = data(400, 12, rng)
    whole = PCA(6, whiten=True, shrinkage=0.1).fit(x)
    chunked = PCA(6, whiten=True, shrinkage=0.1).fit_chunks(np.split(x, [1, 10, 390]))
    assert np.allclose(whole.components, chunked.components, atol=1e-6)
    assert np.allclose(whole.variances, chunked.variances)
    assert np.allclose(whole.transform(x), chunked.transform(x), atol=1e-5)
    few = PCA().fit_chunks([x[:3], x[3:5]])
    assert np.allclose(few.variances, PCA().fit(x[:5]).variances, rtol=1e-4)


def test_one_vector_is_like_many(rng) -> None:
    x = data(50, 6, rng)
    pca = PCA(3).fit(x)
    assert pca.transform(x[7]).shape == (3,)
    assert np.allclose(pca.transform(x[7]), pca.transform(x)[7], atol=1e-6)
    assert pca.inverse_transform(pca.transform(x[7])).shape == (6,)
    assert pca.transform(np.empty((0, 6))).shape == (0, 3)


def test_a_large_mean_costs_no_digits(rng) -> None:
    x = (rng.standard_normal((300, 4)) * [4, 3, 2, 1]).astype(np.float32)
    near, far = PCA().fit(x), PCA().fit((x + 1000).astype(np.float32))
    assert np.allclose(near.variances, far.variances, rtol=1e-4)


def test_fewer_directions_than_components(rng) -> None:
    flat = rng.standard_normal((12, 3)).astype(np.float32) @ np.eye(3, 40, dtype=np.float32)
    for x in (flat, np.repeat(flat, 20, axis=0)):
        for whiten in (False, True):
            pca = PCA(8, whiten=whiten).fit(x)
            assert np.allclose(pca.components @ pca.components.T, np.eye(8), atol=1e-5)
            assert (pca.variances[3:] < 1e-6).all()
            projected = pca.transform(x)
            assert np.isfinite(projected).all()
            assert np.allclose(pca.inverse_transform(projected), x, atol=1e-4)


@pytest.mark.parametrize("n", [5, 50])
def test_equal_vectors(n) -> None:
    x = np.full((n, 10), 3, np.float32)
    pca = PCA(4, whiten=True, shrinkage="ledoit-wolf").fit(x)
    assert np.allclose(pca.transform(x), 0, atol=1e-5)
    assert np.isfinite(pca.transform(x + 1)).all()


def test_whitening_floor() -> None:
    x = np.array([[10.0, 1e-6], [-10.0, -1e-6], [10.0, -1e-6], [-10.0, 1e-6]], np.float32)
    white = PCA(whiten=True, floor=1e-4).fit(x)
    assert np.allclose(white.scales, [0.1, 10])


@pytest.mark.parametrize(("n", "d"), [(500, 20), (40, 120)])
def test_ledoit_wolf_against_scikit_learn(n, d, rng) -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    x = data(n, d, rng)
    sample, share = covariance.ledoit_wolf(x.astype(np.float64))
    pca = PCA(whiten=True, shrinkage="ledoit-wolf").fit(x)
    expected = np.linalg.eigvalsh(sample)[::-1][: len(pca.variances)]
    assert 0 < share < 1
    assert np.allclose(pca.variances, expected, rtol=1e-4)
    fixed = PCA(whiten=True, shrinkage=share).fit(x)
    assert np.allclose(fixed.variances, expected, rtol=1e-4)
    assert (fixed.components == pca.components).all()


def test_shrinkage_to_the_end_leaves_a_mere_rotation(rng) -> None:
    x = data(100, 10, rng)
    pca = PCA(whiten=True, shrinkage=1.0).fit(x)
    assert np.allclose(pca.scales, pca.scales[0])
    assert np.isclose(pca.variances.sum(), pca.total_variance)


@pytest.mark.parametrize(
    "pca",
    [PCA(), PCA(3), PCA(3, whiten=0.25, floor=1e-3), PCA(2, shrinkage="ledoit-wolf")],
    ids=repr,
)
def test_state(pca, rng) -> None:
    x = data(40, 6, rng)
    pca.fit(x)
    again = PCA.from_state(pca.params(), pca.arrays())
    assert again.params() == pca.params()
    assert (again.transform(x) == pca.transform(x)).all()
    assert again.total_variance == pca.total_variance


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.zeros(5, np.float32)}, "components"),
        ({"components": np.zeros((3, 6))}, "components"),
        ({"components": np.zeros((4, 6), np.float32)}, "components"),
        ({"variances": np.zeros(2)}, "variances"),
        ({"variances": np.array([1.0, -1.0, 0.0])}, "variances"),
        ({"variances": np.array([np.nan, 1.0, 0.0])}, "variances"),
        ({"more": np.zeros(2)}, "more"),
        ({"dim": True}, "dim"),
        ({"dim": -3}, "dim"),
        ({"whiten": 7.0}, "whiten"),
        ({"floor": "small"}, "floor"),
        ({"shrinkage": "much"}, "shrinkage"),
        ({"colour": 1}, "colour"),
    ],
)
def test_hostile_state(change, message, rng) -> None:
    pca = PCA(3).fit(data(40, 6, rng))
    parts = (pca.params(), pca.arrays())
    for name, value in change.items():
        parts[isinstance(value, np.ndarray)][name] = value
    with pytest.raises(FileFormatError, match=message):
        PCA.from_state(*parts)


def test_bad_input() -> None:
    for arguments in (
        {"dim": 0},
        {"whiten": -1},
        {"whiten": "yes"},
        {"floor": 2},
        {"shrinkage": "some"},
    ):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            PCA(**arguments).fit(np.eye(9))
    with pytest.raises(NotTrainedError, match="fit"):
        PCA().transform(np.zeros((1, 2)))
    with pytest.raises(NotTrainedError):
        PCA().arrays()
    with pytest.raises(ValueError, match="at least 2 vectors"):
        PCA().fit(np.ones((1, 3)))
    with pytest.raises(ValueError, match="dim: expected at most 4"):
        PCA(5).fit(np.eye(5))
    with pytest.raises(ValueError, match="dim: expected at most 3"):
        PCA(4).fit(np.ones((9, 3)))
    with pytest.raises(ValueError, match="dimension 3"):
        PCA().fit(np.eye(3)).transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="dimension 2"):
        PCA().fit(np.eye(3)).inverse_transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="chunks"):
        PCA().fit_chunks([])
    with pytest.raises(ValueError, match="shrinkage"):
        PCA(shrinkage="ledoit-wolf").fit_chunks([np.eye(3)])
    with pytest.raises(ValueError, match="NaN"):
        PCA().fit([[np.nan, 1.0], [1.0, 2.0]])


def test_affine_is_what_transform_does(rng) -> None:
    x = rng.standard_normal((40, 6))
    pca = PCA(4, whiten=True, shrinkage=0.1).fit(x)
    mean, projection = pca.affine()
    assert mean.shape == (6,) and projection.shape == (6, 4)
    assert np.allclose((x - mean) @ projection, pca.transform(x), atol=1e-5)


def test_pieces_equal_the_whole(rng) -> None:
    x = data(400, 12, rng)
    whole, pca = PCA(6, whiten=True, shrinkage=0.1).fit(x), PCA(6, whiten=True, shrinkage=0.1)
    for piece in np.split(x, [1, 10, 390]):
        assert pca.partial_fit(piece) is pca
    assert np.allclose(whole.components, pca.components, atol=1e-6)
    assert np.allclose(whole.transform(x), pca.transform(x), atol=1e-5)
    pca.partial_fit(x[:5])  # it goes on after it was used
    assert np.allclose(pca.variances, PCA(6, shrinkage=0.1).fit(np.r_[x, x[:5]]).variances)
    with pytest.raises(ValueError, match="is expecting 12 features"):
        pca.partial_fit(x[:, :3])
    with pytest.raises(ValueError, match="cannot go on"):
        pca.fit(x).partial_fit(x)
    with pytest.raises(ValueError, match="expected at least 2 vectors"):
        _ = PCA(1).partial_fit(x[:1]).components
    with pytest.raises(ValueError, match="shrinkage: expected a number for partial_fit"):
        PCA(shrinkage="ledoit-wolf").partial_fit(x)


@pytest.mark.parametrize(("n", "d"), [(500, 60), (60, 500), (300, 300)])
def test_randomized_equals_exact(n, d, rng) -> None:
    x = data(n, d, rng)
    exact = PCA(5, whiten=True).fit(x)
    pca = PCA(5, whiten=True, solver="randomized", seed=3).fit(x)
    assert np.allclose(pca.variances, exact.variances, rtol=1e-4)
    assert np.isclose(pca.total_variance, exact.total_variance, rtol=1e-5)
    assert np.allclose(pca.components, exact.components, atol=2e-3)
    assert np.allclose(pca.components @ pca.components.T, np.eye(5), atol=1e-5)
    again = PCA(5, whiten=True, solver="randomized", seed=3).fit(x)
    assert (again.components == pca.components).all()
    with pytest.raises(ValueError, match="shrinkage: expected a number"):
        PCA(solver="randomized", shrinkage="ledoit-wolf").fit(x)
    with pytest.raises(ValueError, match="solver: "):
        PCA(solver="fast").fit(x)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("solver", ["exact", "randomized"])
def test_scikit_learn_accepts_it(solver) -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    checks.check_estimator(
        PCA(1, solver=solver),
        expected_failed_checks={
            "check_fit2d_predict1d": "one vector is taken for one vector",
            "check_fit_score_takes_y": "what was fitted whole is not continued by pieces",
        },
    )
