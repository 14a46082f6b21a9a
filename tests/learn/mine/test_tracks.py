from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")
from moving import crossing, texture

from kinfold.base.errors import ImageError
from kinfold.learn.mine.tracks import mine_tracks

SMALL = {"every": 5, "side": 48, "length": 12, "verbose": False}


def test_pairs_show_what_moves_at_both_ends() -> None:
    velocity = np.array([1.5, 0.5])
    found = mine_tracks([crossing(tuple(velocity))], **SMALL)
    assert len(found) == 2
    assert found.frames.tolist() == [[0, 12], [5, 17]]
    assert found.videos.tolist() == [0, 0]
    assert found.first.shape == found.last.shape == (2, 48, 48, 3)
    assert (found.sharpness >= 8).all()
    for row, (start, _) in enumerate(found.frames):
        before, after = found.boxes[row]
        # The square is in the window, the window is half of the frame and moves as the square does.
        centre = (before[:2] + before[2:]) / 2
        assert np.abs(centre - (50 + start * velocity)).max() < 16
        assert (before[2:] - before[:2]).tolist() == [61, 61]
        assert np.abs(after - before - np.tile(12 * velocity, 2)).max() < 3
        alike = np.abs(found.first[row].astype(int) - found.last[row]).mean()
        others = np.abs(found.first[row].astype(int) - np.flip(found.last[row], 0)).mean()
        assert alike < 0.6 * others


def test_the_camera_alone_gives_none() -> None:
    wide = texture(np.random.default_rng(0), 160, 260, 1.5)
    pan = [wide[i : i + 120, 2 * i : 2 * i + 160] for i in range(18)]
    assert len(mine_tracks([pan], **SMALL)) == 0


def test_still_and_empty_videos_give_none() -> None:
    found = mine_tracks([crossing(still=True), [], crossing()[:10]], **SMALL)
    assert len(found) == 0
    assert found.first.shape == (0, 48, 48, 3)
    assert found.boxes.shape == (0, 2, 4)
    assert found.frames.shape == (0, 2)


def test_a_cut_on_the_way_gives_none() -> None:
    film = crossing()
    cut = [*film[:8], *crossing(seed=9)[8:]]
    assert len(mine_tracks([cut, film], **SMALL)) == 2
    assert (mine_tracks([cut, film], **SMALL).videos == 1).all()


def test_frames_that_change_their_size_begin_anew() -> None:
    film = [*crossing(count=8), *(frame[:, :150] for frame in crossing(count=21))]
    found = mine_tracks([film], **SMALL)
    assert len(found) > 0
    assert (found.frames[:, 0] >= 8).all()


def test_gates() -> None:
    """A third of the points moves."""
    film = [crossing()]
    assert len(mine_tracks(film, least=0.6, **SMALL)) == 0
    assert len(mine_tracks(film, most=0.1, least=0.0, **SMALL)) == 0
    assert len(mine_tracks(film, threshold=3.0, **SMALL)) == 0
    assert len(mine_tracks(film, least_sharpness=1e6, **SMALL)) == 0
    assert len(mine_tracks(film, **{**SMALL, "length": 6})) == 3


def test_a_thing_that_leaves_the_frame_gives_none() -> None:
    assert len(mine_tracks([crossing((9.0, 0.5))], **SMALL)) == 0


def test_files(tmp_path) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 120))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for frame in crossing():
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    (tmp_path / "empty.avi").touch()
    with pytest.raises(ImageError, match=r"empty\.avi: empty file"):
        mine_tracks([tmp_path / "empty.avi", path], **SMALL)
    said: list[tuple[str, str]] = []
    found = mine_tracks(
        [tmp_path / "empty.avi", path], on_error=lambda *told: said.append(told), **SMALL
    )
    assert found.videos.tolist() == [1, 1]
    assert said == [(str(tmp_path / "empty.avi"), "empty file")]


def test_arguments(tmp_path) -> None:
    with pytest.raises(ValueError, match="videos: expected several"):
        mine_tracks(tmp_path / "film.avi")
    with pytest.raises(ValueError, match="least"):
        mine_tracks([], least=0.8, most=0.2)
    with pytest.raises(ValueError, match="window"):
        mine_tracks([], window=2.0)


@pytest.mark.slow
def test_real_videos_give_pairs(shared) -> None:
    folder = shared / "data" / "video"
    found = mine_tracks([folder / "cup.mp4", folder / "carphone_pristine.mp4"], every=10)
    assert len(found) >= 8
    assert set(found.videos) == {0, 1}
    # The cup is black and its wall is white: what was followed is darker than what is behind it.
    darkness = found.last[found.videos == 0][:, 30:80, 30:80].mean((1, 2, 3))
    assert (darkness < found.last[found.videos == 0].max((1, 2, 3)) - 60).mean() > 0.8
