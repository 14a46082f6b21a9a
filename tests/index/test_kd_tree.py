"""The k-d tree against scipy's, and against a table of all distances."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold import _core
from kinfold.index.kd_scan import DIMENSIONS, LARGEST, scan_is_faster

spatial = pytest.importorskip("scipy.spatial")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, strategies as st

NORMS = (1, 2, np.inf)
DTYPES = (np.float32, np.float64)


def cloud(rng: np.random.Generator, kind: str, n: int, d: int) -> np.ndarray:
    """Points that are hard for one reason each."""
    if kind == "grid":  # ties everywhere
        return rng.integers(0, 4, (n, d)).astype(float)
    if kind == "same":
        return np.full((n, d), 0.3)
    if kind == "flat":  # dimensions without variance
        x = rng.standard_normal((n, d))
        x[:, ::2] = 7
        return x
    if kind == "far":  # an outlier that takes most of the box
        x = rng.standard_normal((n, d))
        x[:1] = 1e6
        return x
    if kind == "clusters":
        return rng.integers(0, 3, (n, 1)) * 100 + rng.standard_normal((n, d)) * 0.01
    return rng.random((n, d))


def table(tree: kf.KDTree, queries: np.ndarray, p: float) -> np.ndarray:
    """All distances as the tree defines them: terms added in the order of the dimensions, in its dtype."""
    dtype = tree.data.dtype
    total = np.zeros((len(queries), tree.n), dtype)
    for j in range(tree.m):
        step = np.abs(queries.astype(dtype)[:, j, None] - tree.data[None, :, j])
        if p == np.inf:
            total = np.maximum(total, step)
        else:
            total += step if p == 1 else step * step
    return np.sqrt(total) if p == 2 else total


def brute(tree: kf.KDTree, queries: np.ndarray, k: int, p: float) -> tuple[np.ndarray, np.ndarray]:
    distances = table(tree, queries, p)
    if p == 2:
        # Ties are those of the squares: different squares may have the same root.
        squares = table_of_squares(tree, queries)
        order = np.argsort(squares, axis=1, kind="stable")[:, :k]
    else:
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(distances, order, 1)
    missing = ((0, 0), (0, k - order.shape[1]))
    return (
        np.pad(found, missing, constant_values=np.inf),
        np.pad(order, missing, constant_values=tree.n),
    )


def table_of_squares(tree: kf.KDTree, queries: np.ndarray) -> np.ndarray:
    total = np.zeros((len(queries), tree.n), tree.data.dtype)
    for j in range(tree.m):
        step = queries.astype(total.dtype)[:, j, None] - tree.data[None, :, j]
        total += step * step
    return total


KINDS = ("random", "grid", "same", "flat", "far", "clusters")


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_of_brute_force(kind, dtype, p, rng) -> None:
    for d in (1, 2, 3, 5, 9):
        for n in (1, 2, 15, 16, 17, 255, 256, 257, 700):
            tree = kf.KDTree(cloud(rng, kind, n, d).astype(dtype), scan=False)
            queries = np.concatenate([cloud(rng, kind, 30, d), cloud(rng, "random", 5, d)])
            for k in (1, 4, 16, 17, 40):
                distances, rows = tree.query(queries, k=k, p=p)
                expected = brute(tree, queries, k, p)
                np.testing.assert_array_equal(rows.reshape(len(queries), k), expected[1])
                np.testing.assert_array_equal(distances.reshape(len(queries), k), expected[0])


@pytest.mark.parametrize("kind", ["distinct", "few values", "one point"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_part_is_halved_at_its_median(kind, dtype, rng) -> None:
    x = rng.standard_normal((4096, 3)).astype(dtype)
    if kind != "distinct":
        x = np.floor(2 * x) if kind == "few values" else np.ones_like(x)
    order = kf.KDTree(x, leafsize=16).arrays()["order"]
    assert sorted(order) == list(range(4096))
    # All 256 leaves hold 16 points, eight splits below the root, whatever the points.
    parts = [order]
    while len(parts[0]) > 16:
        halves = [half for part in parts for half in np.split(part, 2)]
        for first, second in zip(halves[::2], halves[1::2]):
            assert (x[first].max(axis=0) <= x[second].min(axis=0)).any()
        parts = halves


@pytest.mark.parametrize("leafsize", [1, 16, 20, 64, 1000])
def test_the_size_of_the_leaves_changes_nothing(leafsize, rng) -> None:
    x, q = cloud(rng, "grid", 3000, 3), cloud(rng, "grid", 200, 3) + 0.25
    tree = kf.KDTree(x, leafsize)
    assert tree.leafsize == leafsize
    np.testing.assert_array_equal(tree.query(q, 7), brute(tree, q, 7, 2))
    np.testing.assert_array_equal(np.sort(tree.indices), np.arange(3000))


@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from(KINDS),
    n=st.integers(0, 600),
    d=st.integers(1, 16),
    k=st.integers(1, 30),
    p=st.sampled_from(NORMS),
    dtype=st.sampled_from(DTYPES),
    scan=st.booleans(),
)
def test_any_shape(seed, kind, n, d, k, p, dtype, scan) -> None:
    rng = np.random.default_rng(seed)
    tree = kf.KDTree(cloud(rng, kind, n, d).astype(dtype), scan=scan)
    queries = cloud(rng, kind, 7, d)
    expected = brute(tree, queries, k, p)
    distances, rows = (part.reshape(7, k) for part in tree.query(queries, k, p=p))
    if scan and dtype == np.float32 and p == 2:  # ranked by another float32 distance
        np.testing.assert_allclose(distances, expected[0], rtol=1e-5)
    else:
        np.testing.assert_array_equal(rows, expected[1])
        np.testing.assert_array_equal(distances, expected[0])


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("kind", ["random", "far", "clusters", "flat"])
def test_scipy_says_the_same(kind, p, rng) -> None:
    # scipy breaks ties otherwise, and flat points of one dimension are all the same.
    line = [(3000, 1)] if kind != "flat" else []
    for n, d in (*line, (5000, 2), (3000, 3), (2000, 8), (500, 16)):
        x, q = cloud(rng, kind, n, d), cloud(rng, kind, 100, d)
        ours, theirs = kf.KDTree(x), spatial.cKDTree(x)
        for k in (1, 10, 64):
            got, expected = ours.query(q, k, p=p), theirs.query(q, k, p=p)
            np.testing.assert_allclose(got[0], expected[0], rtol=1e-14)
            np.testing.assert_array_equal(got[1], expected[1])
        radius = float(np.median(theirs.query(q, 20, p=p)[0]))
        assert list(ours.query_ball_point(q, radius, p=p)) == [
            sorted(rows) for rows in theirs.query_ball_point(q, radius, p=p)
        ]
        np.testing.assert_array_equal(
            ours.query_ball_point(q, radius, p=p, return_length=True),
            theirs.query_ball_point(q, radius, p=p, return_length=True),
        )
        assert ours.query_pairs(radius / 4, p=p) == theirs.query_pairs(radius / 4, p=p)
        other, their_other = kf.KDTree(q), spatial.cKDTree(q)
        radii = np.array([0.0, radius / 2, radius, 3 * radius])
        np.testing.assert_array_equal(
            ours.count_neighbors(other, radii, p=p), theirs.count_neighbors(their_other, radii, p=p)
        )
        np.testing.assert_array_equal(
            ours.count_neighbors(other, radii, p=p, cumulative=False),
            theirs.count_neighbors(their_other, radii, p=p, cumulative=False),
        )
        assert other.query_ball_tree(ours, radius, p=p) == [
            sorted(rows) for rows in their_other.query_ball_tree(theirs, radius, p=p)
        ]


@pytest.mark.parametrize("k", [1, 2, [1], [2, 5], 30])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 3), (2, 5, 3), (0, 3)])
def test_shapes_and_types_are_scipys(shape, k, rng) -> None:
    x, q = rng.random((20, 3)), rng.random(shape)
    ours, theirs = kf.KDTree(x).query(q, k), spatial.cKDTree(x).query(q, k)
    for got, expected in zip(ours, theirs):
        assert np.shape(got) == np.shape(expected)
        assert np.asarray(got).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(got, expected)
    got = kf.KDTree(x).query_ball_point(q, 0.4)
    expected = spatial.cKDTree(x).query_ball_point(q, 0.4, return_sorted=True)
    assert type(got) is type(expected) and np.shape(got) == np.shape(expected)
    assert got == expected if shape == (3,) else (got == expected).all()


def test_attributes_are_scipys(rng) -> None:
    x = rng.random((50, 3))
    ours, theirs = kf.KDTree(x, leafsize=10), spatial.cKDTree(x, leafsize=10)
    for name in ("n", "m", "leafsize"):
        assert getattr(ours, name) == getattr(theirs, name)
    for name in ("data", "mins", "maxes"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert len(ours) == 50 and "n=50" in repr(ours) and ours.stats()["leaves"] == 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_upper_bound_is_exclusive(dtype) -> None:
    tree = kf.KDTree(np.arange(5, dtype=dtype)[:, None])
    distances, rows = tree.query([0.0], 5, distance_upper_bound=2)
    np.testing.assert_array_equal(rows, [0, 1, 5, 5, 5])
    np.testing.assert_array_equal(distances, [0, 1, np.inf, np.inf, np.inf])
    assert tree.query([0.0], distance_upper_bound=0) == (np.inf, 5)
    assert tree.query([0.1], distance_upper_bound=0.1000001)[1] == 0
    assert tree.query_ball_point([0.0], 2) == [0, 1, 2]


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("eps", [0.1, 1, 10])
def test_approximate_answers_are_near_enough(eps, p, rng) -> None:
    x, q = rng.random((4000, 4)), rng.random((100, 4))
    tree = kf.KDTree(x)
    exact, _, all_leaves = tree.query(q, 5, p=p, return_stats=True)
    near, rows, leaves = tree.query(q, 5, eps=eps, p=p, return_stats=True)
    assert (near <= exact * (1 + eps) * (1 + 1e-12)).all()
    np.testing.assert_array_equal(near, np.take_along_axis(table(tree, q, p), rows, 1))
    assert leaves.sum() < all_leaves.sum()
    radius = 0.3
    for row, found in zip(table(tree, q, p), tree.query_ball_point(q, radius, p=p, eps=eps)):
        got = set(found)
        assert set(np.flatnonzero(row <= radius / (1 + eps))) <= got
        assert got <= set(np.flatnonzero(row <= radius * (1 + eps) * (1 + 1e-12)))


def test_a_huge_tolerance_still_finds_a_point(rng) -> None:
    tree = kf.KDTree(rng.random((500, 2), np.float32))
    assert np.isfinite(tree.query(rng.random((10, 2)), eps=1e300)[0]).all()


def test_radii_may_differ_and_reach_everything(rng) -> None:
    x, q = rng.random((300, 2)), rng.random((4, 5, 2))
    tree = kf.KDTree(x)
    radii = np.array([0, 0.1, 0.2, 1, np.inf])
    found = tree.query_ball_point(q, radii)
    assert found.shape == (4, 5)
    for i, j in np.ndindex(4, 5):
        inside = table(tree, q[i, j][None], 2)[0] <= radii[j]
        assert found[i, j] == np.flatnonzero(inside).tolist()
    unsorted = tree.query_ball_point(q[0, 0], 0.5, return_sorted=False)
    assert sorted(unsorted) == tree.query_ball_point(q[0, 0], 0.5)
    assert tree.query_ball_point(q[0, 0], 5, return_length=True) == 300


def test_pairs_of_copies(rng) -> None:
    x = np.repeat(rng.random((40, 2)), 3, axis=0)
    got = kf.KDTree(x).query_pairs(0, output_type="ndarray")
    expected = [(i + a, i + b) for i in range(0, 120, 3) for a, b in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_array_equal(got, expected)
    assert kf.KDTree(np.zeros((0, 2))).query_pairs(1, output_type="ndarray").shape == (0, 2)


def test_nothing_to_find() -> None:
    tree = kf.KDTree(np.empty((0, 3)))
    distances, rows = tree.query(np.zeros((2, 3)), 2)
    assert (distances == np.inf).all() and (rows == 0).all()
    assert tree.query_ball_point([0, 0, 0], 1) == []
    assert tree.count_neighbors(tree, 1) == 0 and tree.query_pairs(1) == set()
    assert (tree.mins == np.inf).all() and len(tree.indices) == 0


def everything(tree: kf.KDTree, q: np.ndarray, workers: int = -1) -> list[np.ndarray]:
    """Answers of every kind."""
    parts = [part for p in NORMS for k in (1, 10, 40) for part in tree.query(q, k, p=p)]
    parts += tree.query(q, 3, eps=0.5, workers=workers, return_stats=True)
    parts.append(np.concatenate(tree.query_ball_point(q, 0.2, workers=workers)))
    parts += [tree.query_pairs(0.05, output_type="ndarray"), tree.indices]
    return parts


@pytest.mark.parametrize("dtype", DTYPES)
def test_neither_threads_nor_batch_nor_level_change_an_answer(dtype, rng) -> None:
    x = np.concatenate([rng.random((60_000, 3)), rng.integers(0, 4, (6000, 3)) / 4]).astype(dtype)
    q = rng.random((700, 3)).astype(dtype)
    before = _core.level()
    answers = []
    try:
        for level in _core.levels():
            for threads in (1, 3):
                _core.set_level(level)
                _core.set_threads(threads)
                answers.append(everything(kf.KDTree(x), q))
    finally:
        _core.set_level(before)
        _core.set_threads(0)
    for answer in answers[1:]:
        for got, expected in zip(answer, answers[0]):
            np.testing.assert_array_equal(got, expected)
    tree = kf.KDTree(x)
    singles = [tree.query(one, 10) for one in q[:50]]
    np.testing.assert_array_equal([rows for _, rows in singles], tree.query(q, 10)[1][:50])


def test_the_scan_of_doubles_is_proven_or_left_to_the_tree(rng) -> None:
    d = DIMENSIONS
    assert scan_is_faster(1000, d) and not scan_is_faster(1000, d - 1)
    # Differences far below float32: the scan alone could not tell them apart.
    x = 1 + rng.random((2000, d)) * 1e-9
    x[:1000] += rng.random((1000, d))
    q = np.concatenate([x[:20] + 1e-10, x[1000:1020], rng.random((20, d)) * 5])
    tree = kf.KDTree(x)
    assert tree.stats()["scan"]
    for k in (1, 9, 3000):
        distances, rows = (part.reshape(60, k) for part in tree.query(q, k))
        expected = brute(tree, q, k, 2)
        np.testing.assert_array_equal(rows, expected[1])
        np.testing.assert_array_equal(distances, expected[0])
    bounded = tree.query(q, 9, distance_upper_bound=0.5)
    exact = kf.KDTree(x, scan=False).query(q, 9, distance_upper_bound=0.5)
    np.testing.assert_array_equal(bounded, exact)


def test_numbers_too_large_for_the_scan(rng) -> None:
    x = rng.random((100, DIMENSIONS)) * 1e300
    assert not kf.KDTree(x).stats()["scan"]
    small = kf.KDTree(rng.random((100, DIMENSIONS)))
    distance, _ = small.query(np.full(DIMENSIONS, 2 * LARGEST))
    np.testing.assert_allclose(distance, 2 * LARGEST * np.sqrt(DIMENSIONS))
    # Squares that overflow are as far as nothing, as in scipy.
    tree = kf.KDTree(np.array([[1e200], [0.0]]))
    assert tree.query([0.0], 2)[1].tolist() == [1, 2]


def test_leaves_visited_grow_with_the_dimension(rng) -> None:
    visited = []
    for d in (2, 4, 8):
        tree = kf.KDTree(rng.random((20_000, d)), scan=False)
        leaves = tree.query(rng.random((100, d)), return_stats=True)[2]
        assert leaves.shape == (100,)
        visited.append(leaves.mean())
    assert 1 <= visited[0] < visited[1] < visited[2]
    scan = kf.KDTree(rng.random((100, 3)), scan=True)
    assert scan.query([0, 0, 0], return_stats=True)[2] == 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_saved_and_loaded(dtype, tmp_path, rng) -> None:
    x, q = rng.random((3000, 3)).astype(dtype), rng.random((50, 3))
    for scan in (None, True, False):
        tree = kf.KDTree(x, leafsize=40, scan=scan)
        tree.save(tmp_path / "tree.kin")
        for mmap in (False, True):
            again = kf.load(tmp_path / "tree.kin", mmap=mmap)
            assert again.params() == tree.params()
            np.testing.assert_array_equal(again.indices, tree.indices)
            np.testing.assert_array_equal(again.query(q, 5), tree.query(q, 5))


@pytest.mark.parametrize(
    "order", [[0, 1, 1], [0, 1, 3], [0, 1, 2**32 - 1]], ids=["twice", "beyond", "far"]
)
def test_an_order_that_lies_is_refused(order) -> None:
    arrays = {"data": np.zeros((3, 2)), "order": np.array(order, np.uint32)}
    with pytest.raises(kf.FileFormatError, match="order"):
        kf.KDTree.from_state({"leafsize": 16, "scan": None}, arrays)


GOOD = np.zeros((5, 2))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("data", lambda t: kf.KDTree(np.zeros(3))),
        ("data", lambda t: kf.KDTree(np.zeros((3, 0)))),
        ("data", lambda t: kf.KDTree([[np.nan, 1]])),
        ("data", lambda t: kf.KDTree([["a", "b"]])),
        ("leafsize", lambda t: kf.KDTree(GOOD, 0)),
        ("scan", lambda t: kf.KDTree(GOOD, scan="yes")),
        ("boxsize", lambda t: kf.KDTree(GOOD, boxsize=1.0)),
        ("x", lambda t: t.query([1.0])),
        ("x", lambda t: t.query(1.0)),
        ("x", lambda t: t.query([np.inf, 0])),
        ("k", lambda t: t.query([0, 0], 0)),
        ("k", lambda t: t.query([0, 0], [])),
        ("k", lambda t: t.query([0, 0], [0, 1])),
        ("p", lambda t: t.query([0, 0], p=3)),
        ("p", lambda t: t.query([0, 0], p="far")),
        ("eps", lambda t: t.query([0, 0], eps=-1)),
        ("eps", lambda t: t.query([0, 0], eps=np.inf)),
        ("distance_upper_bound", lambda t: t.query([0, 0], distance_upper_bound=-1)),
        ("distance_upper_bound", lambda t: t.query([0, 0], distance_upper_bound=np.nan)),
        ("workers", lambda t: t.query([0, 0], workers=0)),
        ("r", lambda t: t.query_ball_point([0, 0], -1)),
        ("r", lambda t: t.query_ball_point([[0, 0]], [1, 2])),
        ("r", lambda t: t.query_pairs(np.nan)),
        ("output_type", lambda t: t.query_pairs(1, output_type="list")),
        ("other", lambda t: t.count_neighbors(GOOD, 1)),
        ("other", lambda t: t.count_neighbors(kf.KDTree(np.zeros((1, 3))), 1)),
        ("weights", lambda t: t.count_neighbors(t, 1, weights=[1])),
        ("r", lambda t: t.count_neighbors(t, [2, 1], cumulative=False)),
    ],
)
def test_errors_name_the_argument(name, call) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call(kf.KDTree(GOOD))


def test_the_binding_checks_what_it_is_given() -> None:
    tree = _core.tree.KdTree32(np.zeros((20, 2), np.float32), 16)
    query = np.zeros((1, 2), np.float32)
    for call in (
        lambda: _core.tree.KdTree32(np.zeros((3, 2)), 16),
        lambda: _core.tree.KdTree32(np.zeros((3, 2), np.float32), 17),
        lambda: _core.tree.KdTree32(np.zeros((3, 2), np.float32), 16, np.zeros(2, np.uint32)),
        lambda: tree.nearest(np.zeros((1, 3), np.float32), 1, 2, 0, np.inf, 1),
        lambda: tree.nearest(query, 0, 2, 0, np.inf, 1),
        lambda: tree.nearest(query, 1, 2, np.nan, np.inf, 1),
        lambda: tree.nearest(query, 1, 2, 0, np.nan, 1),
        lambda: tree.nearest(query, 1, 4, 0, np.inf, 1),
        lambda: tree.balls(query, np.zeros(2), 2, 0, 1, True),
        lambda: tree.balls(query, np.full(1, np.nan), 2, 0, 1, True),
        lambda: tree.pairs(np.nan, 2, 0, 1),
    ):
        with pytest.raises(ValueError, match=": "):
            call()
