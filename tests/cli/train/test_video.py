from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")
sys.path.insert(0, str(Path(__file__).parents[2] / "local"))
from moving import crossing

from kinfold.cli import main

QUICK = ("--epochs", "2", "--batch", "4", "--length", "10", "--every", "3")


def write(path: Path, frames: list[np.ndarray]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 120))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Two videos in which something moves, in a folder. Not to be changed."""
    folder = tmp_path_factory.mktemp("films")
    for seed in (0, 1):
        write(folder / f"film{seed}.avi", crossing(seed=seed))
    return folder


def test_weights_that_a_gallery_takes(films, classes, tmp_path, capsys) -> None:
    out, told = tmp_path / "net.safetensors", tmp_path / "told.json"
    assert main(["train", "video", str(films), "-o", str(out), *QUICK, "--json", str(told)]) == 0
    captured = capsys.readouterr()
    assert "pairs of patches from 2 of 2 videos" in captured.err
    assert "kinfold index PHOTOS --weights" in captured.out
    report = json.loads(told.read_text())
    assert report["recipe"] == "video" and len(report["epochs"]) == 2
    assert report["measured"]["pairs"] >= 4
    gallery = tmp_path / "g.kin"
    assert main(["index", str(classes), "-o", str(gallery), "--weights", str(out), "--quiet"]) == 0
    assert main(["train", "video", str(films), "-o", str(out), *QUICK, "--weights", str(out)]) == 2
    assert "holds an earlier training" in capsys.readouterr().err


def test_unusable_videos_say_so_in_one_line(films, tmp_path, capsys) -> None:
    (tmp_path / "notes.mp4").write_text("no film")
    write(tmp_path / "still.avi", crossing(still=True))
    (tmp_path / "vacant").mkdir()
    out = ["-o", str(tmp_path / "net.safetensors"), *QUICK]
    for places, reason in (
        (["still.avi"], "pairs: expected some, got none: nothing in the videos moves"),
        (["notes.mp4"], "skipped"),
        (["vacant"], "videos: there is none in"),
        ([str(films / "film0.avi")], "pairs: expected some that show different things"),
        (["nowhere.mp4"], "No such file"),
    ):
        assert main(["train", "video", *(str(tmp_path / place) for place in places), *out]) != 0
        captured = capsys.readouterr()
        assert reason in captured.err
        lines = captured.err.strip().splitlines()
        assert len(lines) <= 3 and "Traceback" not in captured.err
        assert not (tmp_path / "net.safetensors").exists()


def test_one_video_with_apart_and_without_colours_from_weights(films, weights, tmp_path) -> None:
    places = [str(films / "film0.avi"), "-o", str(tmp_path / "net.safetensors")]
    begun = ["--weights", str(weights), "--apart", "3", "--grey", "1", "--quiet"]
    assert main(["train", "video", *places, *QUICK, *begun]) == 0
    assert (tmp_path / "net.safetensors").is_file()
