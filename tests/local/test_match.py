"""Tentative correspondences against a slow loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinfold.base.local_features import LocalFeatures
from kinfold.local.match import codes_of, match, match_many, match_words, mirrored, prepare
from kinfold.local.sift import root_sift
from kinfold.local.verify import verify


def features(descriptors: np.ndarray, positions: np.ndarray | None = None) -> LocalFeatures:
    n = len(descriptors)
    if positions is None:
        positions = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    ones = np.ones(n, np.float32)
    return LocalFeatures(positions.astype(np.float32), ones, 0 * ones, descriptors)


def by_loop(
    query: LocalFeatures, photo: LocalFeatures, ratio: float, mutual: bool, root: bool = True
) -> set[tuple[int, int]]:
    """Halved squared distances of the codes, one by one."""
    a, b = (codes_of(f.descriptors, root=root).astype(np.int64) for f in (query, photo))
    distances = (a**2).sum(1)[:, None] // 2 + (b**2).sum(1)[None, :] // 2 - a @ b.T
    found = {}
    for i in range(len(a)):
        j = int(distances[i].argmin())
        rivals = [
            distances[i, m]
            for m in range(len(b))
            if (photo.positions[m] != photo.positions[j]).any()
        ]
        # Equal codes of odd squared length are at -1.
        nearest, rival = max(distances[i, j], 0), max(min(rivals, default=0), 0)
        if ratio < 1 and rivals and not nearest < ratio**2 * rival:
            continue
        if mutual and int(distances[:, j].argmin()) != i:
            continue
        if j not in found or distances[i, j] < distances[found[j], j]:
            found[j] = i
    return {(i, j) for j, i in found.items()}


def pairs_of(found: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in found}


def noisy_pair(rng: np.random.Generator) -> tuple[LocalFeatures, LocalFeatures]:
    """Features of which 30 come back with noise among 40 others."""
    base = rng.integers(0, 256, (40, 128), dtype=np.uint8)
    noisy = np.clip(base + rng.normal(0, 25, base.shape), 0, 255).astype(np.uint8)
    other = rng.integers(0, 256, (30, 128), dtype=np.uint8)
    return features(base), features(np.concatenate([noisy[10:], other]))


@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("ratio", [0.7, 0.85, 1.0])
def test_agrees_with_a_slow_loop(
    ratio: float, mutual: bool, level: str, rng: np.random.Generator
) -> None:
    query, photo = noisy_pair(rng)
    got = match(query, photo, ratio=ratio, mutual=mutual)
    assert got.dtype == np.int64 and (np.diff(got[:, 0]) > 0).all()
    assert len(set(got[:, 1].tolist())) == len(got)
    assert pairs_of(got) == by_loop(query, photo, ratio, mutual)
    assert len(got) >= 25


@pytest.mark.parametrize(("n", "m"), [(1, 1), (31, 33), (70, 15), (129, 257)])
def test_all_sizes_and_shared_places(n: int, m: int, level: str, rng: np.random.Generator) -> None:
    """Few distinct descriptors and places: ties and second orientations everywhere."""
    kinds = rng.integers(0, 256, (12, 128), dtype=np.uint8)
    query, photo = (
        features(kinds[rng.integers(0, 12, k)], rng.integers(0, 6, (k, 2)).astype(np.float32))
        for k in (n, m)
    )
    for ratio in (0.85, 1.0):
        for mutual in (True, False):
            got = match(query, photo, ratio=ratio, mutual=mutual)
            assert pairs_of(got) == by_loop(query, photo, ratio, mutual)


@pytest.mark.parametrize("dim", [1, 61, 64, 96, 130, 256])
def test_descriptors_of_networks(dim: int, level: str, rng: np.random.Generator) -> None:
    base = rng.standard_normal((50, dim)).astype(np.float32)
    query, photo = features(base), features(base[::-1] + 0.05)
    got = match(prepare(query, root=False), prepare(photo, root=False), ratio=0.9)
    assert pairs_of(got) == by_loop(query, photo, 0.9, True, root=False)


def test_codes_are_root_sift(level: str, rng: np.random.Generator) -> None:
    x = rng.gamma(0.6, 50, (300, 128)).clip(0, 255).astype(np.uint8)
    x[7] = 0
    codes = codes_of(x)
    np.testing.assert_array_equal(codes, np.minimum(np.rint(512 * root_sift(x)), 255))
    np.testing.assert_array_equal(codes, codes_of(x.astype(np.float32)))
    # Distances of codes are those of RootSIFT to within their rounding.
    exact = root_sift(x).astype(np.float64)
    gaps = np.linalg.norm(exact[:-1] - exact[1:], axis=1)
    rounded = np.linalg.norm(np.diff(codes.astype(np.float64), axis=0), axis=1) / 512
    assert np.abs(gaps - rounded).max() < 0.02


def test_many_photos_and_any_number_of_threads(threads: int, rng: np.random.Generator) -> None:
    query, photo = noisy_pair(rng)
    other = features(rng.integers(0, 256, (5, 128), dtype=np.uint8))
    got = match_many(prepare(query), [photo, prepare(other), photo])
    assert pairs_of(got[0]) == pairs_of(got[2]) == pairs_of(match(query, photo))
    np.testing.assert_array_equal(got[1], match(query, other))
    assert match_many(query, []) == []


@pytest.mark.parametrize("multiple", [1, 3])
def test_shared_words(multiple: int, level: str, rng: np.random.Generator) -> None:
    """The same as comparing all, where pairs without a common word do not exist."""
    query, photo = noisy_pair(rng)
    words = np.stack([rng.permutation(9)[:multiple] for _ in range(len(query))])
    held = rng.integers(0, 9, len(photo))
    a, b = (codes_of(f.descriptors).astype(np.int64) for f in (query, photo))
    distances = (a**2).sum(1)[:, None] // 2 + (b**2).sum(1)[None, :] // 2 - a @ b.T
    shared = (words[:, :, None] == held[None, None, :]).any(axis=1)
    far = np.where(shared, distances, 1 << 40)
    want = {
        (i, int(far[i].argmin()))
        for i in range(len(a))
        if shared[i].any() and far[:, far[i].argmin()].argmin() == i
    }
    got = match_words(query, [photo], words, [held], most=1000)[0]
    assert pairs_of(got) == want and len(want) > 2
    assert len(match_words(query, [photo], words, [held], most=1)[0]) < len(want)
    everything = match_words(
        query, [photo], np.zeros(40, int), [np.zeros(60, int)], most=99, ratio=0.85
    )
    assert pairs_of(everything[0]) == pairs_of(match(query, photo))


def test_words_find_most_of_what_matching_finds_on_photos(shared: Path) -> None:
    """Two views of a wall: by five of 256 words a feature, most inliers of the exhaustive comparison."""
    pytest.importorskip("cv2")
    from kinfold.images.decode import decode
    from kinfold.local.sift import SIFT, root_sift
    from kinfold.local.verify import project, verify
    from kinfold.words.words import VisualWords

    folder = shared / "data" / "graf"
    query, photo = (
        SIFT(max_features=1200).extract(decode(folder / f"img{i}.png").pixels) for i in (1, 3)
    )
    words = VisualWords(256, verbose=False).fit(root_sift(query.descriptors))
    near = words.assign(root_sift(query.descriptors), 5)[0]
    held = words.assign(root_sift(photo.descriptors))[0][:, 0]
    pairs = match_words(query, [photo], near, [held], most=1200, ratio=0.85)[0]
    assert (near[pairs[:, 0]] == held[pairs[:, 1], None]).any(axis=1).all()
    everything = verify(query, photo, match(query, photo), model="homography")
    found = verify(query, photo, pairs, model="homography")
    both = pairs_of(found.pairs) & pairs_of(everything.pairs)
    assert everything.inliers >= 100 and len(both) >= 0.7 * everything.inliers
    truth = np.loadtxt(folder / "H1to3p")
    corners = query.positions[found.pairs[:, 0]]
    gaps = np.linalg.norm(project(corners, found.matrix) - project(corners, truth), axis=1)
    assert np.median(gaps) < 3


def test_a_mirror_image_has_mirrored_descriptors(shared: Path) -> None:
    pytest.importorskip("cv2")
    from kinfold.images.decode import decode
    from kinfold.local.sift import SIFT

    pixels = decode(shared / "data" / "graf" / "img1.png").pixels
    sift = SIFT(max_features=800)
    query = sift.extract(pixels)
    photo = sift.extract(np.ascontiguousarray(pixels[:, ::-1]))
    assert len(match(query, photo)) < 0.2 * len(match(mirrored(query), photo))
    pairs = match(mirrored(query), photo)
    found = verify(query, photo, pairs, mirrored=True)
    assert found.inliers > 0.8 * len(query) * 0.8
    flip = [[-1, 0, pixels.shape[1] - 1], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(found.matrix, flip, atol=1)  # OpenCV's pixels are not symmetric
    assert verify(query, photo, pairs).inliers < 0.1 * found.inliers


def test_a_second_orientation_is_no_rival(rng: np.random.Generator) -> None:
    one = rng.integers(0, 256, (1, 128), dtype=np.uint8)
    twin = np.clip(one.astype(int) + 3, 0, 255).astype(np.uint8)
    far = rng.integers(0, 256, (1, 128), dtype=np.uint8)
    photo = features(np.concatenate([one, twin, far]), np.array([[5, 5], [5, 5], [9, 9]]))
    assert match(features(one), photo, ratio=0.8).tolist() == [[0, 0]]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_one_place_or_nothing(ratio: float, rng: np.random.Generator) -> None:
    some = features(rng.integers(0, 256, (3, 128), dtype=np.uint8))
    none = features(np.empty((0, 128), np.uint8))
    for a, b in ((some, none), (none, some), (none, none)):
        assert match(a, b, ratio=ratio).shape == (0, 2)
    single = features(some.descriptors[:1])
    assert len(match(some, single, ratio=ratio)) <= 1
    blank = features(np.zeros((2, 128), np.uint8))
    assert match(blank, blank, ratio=ratio).shape[1] == 2


def test_bad_ratio() -> None:
    some = features(np.ones((2, 128), np.uint8))
    with pytest.raises(ValueError, match="^ratio: expected"):
        match(some, some, ratio=1.5)


def test_bad_words_and_dimensions() -> None:
    some = features(np.ones((2, 128), np.uint8))
    for words in ([[0, 1]], [0.5, 1], [0, 1, 2], [-1, 0]):
        with pytest.raises(ValueError, match="^query_words: expected"):
            match_words(some, [some], words, [[0, 1]])
    for lists in ([], [[0]], [[0.5, 1]], [[1 << 32, 0]]):
        with pytest.raises(ValueError, match="^photo_words: expected"):
            match_words(some, [some], [0, 1], lists)
    with pytest.raises(ValueError, match="^photos: expected"):
        match(some, features(np.ones((2, 64), np.uint8)))
    with pytest.raises(ValueError, match="^features: expected SIFT"):
        mirrored(features(np.ones((2, 64), np.uint8)))
