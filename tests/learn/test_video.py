from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
pytest.importorskip("PIL")
from moving import crossing
from small import small, stripes

from kinfold.features.extract import Extractor
from kinfold.features.weights import random_network
from kinfold.learn.mine.tracks import TrackedPairs, mine_tracks
from kinfold.learn.validation import retrieval_score
from kinfold.learn.video import _different, _without_colours, train_video

QUIET = {"side": 32, "verbose": False}


def striped(each: int, seed: int = 0) -> TrackedPairs:
    """Pairs of four videos: stripes of one direction in two pairs of colours."""
    first, videos = stripes([each] * 4, seed=seed)
    last, _ = stripes([each] * 4, seed=seed + 1)
    n = len(videos)
    starts = np.tile(np.arange(each) * 10, 4)
    return TrackedPairs(
        np.array(first), np.array(last), videos.astype(np.int64),
        np.stack([starts, starts + 30], 1), np.zeros((n, 2, 4), np.float32),
        np.full(n, 20, np.float32),
    )  # fmt: skip


def score(network) -> float:
    """How well photos of a direction find each other by the means of their maps."""
    photos, labels = stripes([8] * 4, seed=7)
    with torch.inference_mode():
        images = torch.from_numpy(np.array(photos)).permute(0, 3, 1, 2) / 255
        maps = network.eval().features((images - 0.5) / 0.25).mean((2, 3)).numpy()
    maps = maps - maps.mean(0)
    vectors = maps / np.linalg.norm(maps, axis=1, keepdims=True)
    return retrieval_score(lambda _: vectors, labels)(None)


def test_what_is_alike_in_pairs_is_learnt_and_not_what_is_loudest() -> None:
    network = small()
    before = score(network)
    history = train_video(network, striped(24), dim=16, epochs=30, batch=24, rate=3e-3, **QUIET)
    assert history.epochs[14].loss < 0.5 * history.epochs[0].loss
    assert score(network) > before + 0.15
    assert network.classifier[1].out_features == 16


def test_resumed_is_the_same(tmp_path) -> None:
    options = {"dim": 8, "batch": 6, "seed": 2, "grey": 0.5, "random_epochs": 1, **QUIET}
    whole, parts = small(), small()
    expected = train_video(whole, striped(4), epochs=3, **options)
    train_video(small(), striped(4), epochs=2, folder=tmp_path, **options)
    assert train_video(parts, striped(4), epochs=3, folder=tmp_path, **options) == expected
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters()))


def test_random_negatives_come_first(monkeypatch) -> None:
    from kinfold.learn import video

    asked = []

    class Told(video.AcrossPairs):
        def __call__(self, descriptors, others):
            asked.append(self.hardest)
            return super().__call__(descriptors, others)

    monkeypatch.setattr(video, "AcrossPairs", Told)
    train_video(small(), striped(2), dim=4, epochs=4, batch=8, **QUIET)
    assert asked == [False, False, True, True]
    asked.clear()
    train_video(small(), striped(2), dim=4, epochs=2, random_epochs=0, batch=4, **QUIET)
    assert asked == [True] * 4


def test_what_counts_as_something_else() -> None:
    videos, starts = np.array([0, 0, 0, 1]), np.array([0, 20, 60, 0])
    frames = np.stack([starts, starts + 30], 1)
    other = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]], bool)
    assert (_different(videos, frames, None) == other).all()
    other[[0, 2], [2, 0]] = True
    assert (_different(videos, frames, 50) == other).all()


def test_without_colours_is_luma(rng) -> None:
    squares = rng.integers(256, size=(2, 2, 5, 5, 3)).astype(np.uint8)
    chosen = np.array([[True, False], [False, True]])
    found = _without_colours(squares.copy(), chosen)
    assert (found[~chosen] == squares[~chosen]).all()
    cv2 = pytest.importorskip("cv2")
    for grey, colours in zip(found[chosen], squares[chosen]):
        assert (grey == grey[..., :1]).all()
        assert (
            np.abs(grey[..., 0].astype(int) - cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)).max() <= 1
        )


def test_from_videos_to_weights_that_describe_photos(tmp_path) -> None:
    videos = [crossing(seed=seed) for seed in (0, 1)]
    pairs = mine_tracks(videos, length=12, every=5, side=48, verbose=False)
    network = random_network("compact", 0)
    train_video(
        network, pairs, epochs=2, batch=4, folder=tmp_path, architecture="compact",
        side=40, verbose=False,
    )  # fmt: skip
    vectors = Extractor(tmp_path / "best.safetensors").describe_all(pairs.first, verbose=False)
    assert vectors.shape == (len(pairs), 128)
    assert np.isfinite(vectors).all()


def test_unusable_pairs_say_so_in_one_line() -> None:
    pairs = striped(3)
    none = TrackedPairs(*(getattr(pairs, name)[:0] for name in pairs.__dataclass_fields__))
    with pytest.raises(ValueError, match="pairs: expected some, got none"):
        train_video(small(), none, **QUIET)
    one = replace(pairs, videos=np.zeros_like(pairs.videos))
    with pytest.raises(ValueError, match="pairs: expected some that show different things"):
        train_video(small(), one, **QUIET)
    assert (
        train_video(small(), one, apart=20, dim=4, epochs=1, batch=12, **QUIET).epochs[0].loss > 0
    )
    with pytest.raises(ValueError, match="grey"):
        train_video(small(), pairs, grey=2, **QUIET)
    with pytest.raises(ValueError, match="batch"):
        train_video(small(), pairs, batch=1, **QUIET)
