from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from kinfold.base.errors import ImageError, MissingExtraError
from kinfold.images import video
from kinfold.images.video import frames

SIZE = (48, 64)


def levels(count: int) -> list[int]:
    return [20 + 9 * i for i in range(count)]


@pytest.fixture
def film(tmp_path):
    """Twenty frames, each of one red level; green and blue say which channel is which."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, SIZE[::-1])
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for level in levels(20):
        frame = np.zeros((*SIZE, 3), np.uint8)
        frame[:] = (30, 90, level)  # blue, green, red
        writer.write(frame)
    writer.release()
    return path


def test_all_frames_in_order_and_in_rgb(film) -> None:
    found = list(frames(film))
    assert [index for index, _ in found] == list(range(20))
    for (_, pixels), level in zip(found, levels(20)):
        assert pixels.shape == (*SIZE, 3)
        assert pixels.dtype == np.uint8
        assert np.abs(pixels.mean((0, 1)) - (level, 90, 30)).max() < 4


def test_every_few_frames_keep_their_index(film) -> None:
    whole = dict(frames(film))
    found = list(frames(film, every=7))
    assert [index for index, _ in found] == [0, 7, 14]
    assert all((pixels == whole[index]).all() for index, pixels in found)


def test_reduced(film) -> None:
    assert next(frames(film, max_side=32))[1].shape == (24, 32, 3)
    assert next(frames(str(film), max_side=500))[1].shape == (*SIZE, 3)


def test_a_file_that_lacks_its_end_gives_what_it_has(film, tmp_path) -> None:
    data = film.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) * 8 // 10])
    found = [pixels for _, pixels in frames(tmp_path / "cut.avi")]
    whole = [pixels for _, pixels in frames(film)]
    assert 2 < len(found) < 20
    assert all((a == b).all() for a, b in zip(found[:-1], whole))


def bad_files(folder) -> dict[str, str]:
    (folder / "empty.mp4").touch()
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(4000))
    (folder / "list.mp4").write_text("#EXTM3U\nhttp://example.org/film.mp4\n")
    head = b"\0\0\0\x18ftypisom\0\0\0\0isommp42"
    (folder / "head.mp4").write_bytes(head + bytes(500))
    (folder / "folder.mp4").mkdir()
    return {
        "empty.mp4": "empty file",
        "noise.mp4": "not a readable video: no frame of it can be decoded",
        "list.mp4": "not a video: a text",
        "head.mp4": "not a readable video",
        "folder.mp4": "not a regular file",
        "missing.mp4": "No such file",
        "a\0b.mp4": "cannot be read",
    }


def test_what_is_no_video_says_so_in_one_line(tmp_path) -> None:
    for name, reason in bad_files(tmp_path).items():
        with pytest.raises(ImageError, match=reason) as error:
            list(frames(tmp_path / name))
        assert "\n" not in str(error.value)


def test_nothing_is_written_to_stderr(tmp_path, film) -> None:
    bad_files(tmp_path)
    data = film.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    code = (
        "import sys, pathlib; from kinfold.images.video import frames\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: list(frames(path))\n"
        "    except ValueError: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120,
        env={k: v for k, v in os.environ.items() if k != "OPENCV_FFMPEG_LOGLEVEL"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_opencv_logs_as_before(film) -> None:
    before = cv2.utils.logging.getLogLevel()
    next(frames(film))
    assert cv2.utils.logging.getLogLevel() == before


def test_pyav_gives_the_same_frames(film) -> None:
    pytest.importorskip("av")
    found = dict(video._by_pyav(film, 3))
    expected = dict(frames(film, every=3))
    assert found.keys() == expected.keys()
    assert all(np.abs(found[i].astype(int) - expected[i]).max() <= 6 for i in found)


def test_pyav_turns_frames_upright_as_opencv_does(tmp_path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "turned.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, SIZE[::-1])
    frame = np.zeros((*SIZE, 3), np.uint8)
    frame[:16, :16] = 255
    for _ in range(3):
        writer.write(frame)
    writer.release()
    data = path.read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    plain = one + bytes(12) + one + bytes(12)
    # The matrix of the track's header: a quarter turn.
    turned = bytes(4) + one + bytes(4) + (-(1 << 16)).to_bytes(4, "big", signed=True) + bytes(16)
    at = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + 32 :])
    expected = next(frames(path))[1]
    assert expected.shape == (*SIZE[::-1], 3)
    found = next(video._by_pyav(path, 1))[1]
    assert np.abs(found.astype(int) - expected).mean() < 2


def test_where_opencv_cannot_and_pyav_is_missing(film, monkeypatch) -> None:
    monkeypatch.setattr(video, "_by_opencv", lambda path, step: iter(()))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImageError, match="no frame"):
        list(frames(film))
    with pytest.raises(MissingExtraError):
        video.require("av")


def test_arguments(film) -> None:
    with pytest.raises(ValueError, match="every"):
        frames(film, every=0)
    with pytest.raises(ValueError, match="max_side"):
        frames(film, max_side=0)


@pytest.mark.parametrize(
    ("name", "count", "size"),
    [("cup.mp4", 217, (480, 640)), ("bikes.mp4", 250, (272, 640)), ("carphone_pristine.mp4", 120, (144, 176))],
)  # fmt: skip
def test_real_videos(shared, name, count, size) -> None:
    found = [
        (index, pixels.shape)
        for index, pixels in frames(shared / "data" / "video" / name, every=40)
    ]
    assert found == [(i, (*size, 3)) for i in range(0, count, 40)]
