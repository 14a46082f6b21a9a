"""kinfold watch."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from .conftest import check_error


def test_it_follows_until_it_is_interrupted(photos, tmp_path) -> None:
    pytest.importorskip("watchfiles")
    folder = tmp_path / "photos"
    folder.mkdir()
    first, *others = sorted(photos.glob("thing[12]_*.png"))
    for file in others:
        shutil.copy(file, folder)
    command = [sys.executable, "-m", "kinfold", "watch", str(folder), "-o", str(tmp_path / "g.kin")]
    command += [
        "--settle",
        "0.2",
        "--engine",
        "tembedding",
        "--centroids",
        "2",
        "--max-features",
        "100",
    ]
    log = tmp_path / "log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            env=dict(os.environ, PYTHONUTF8="1"),
            # Where tests run in the background, Ctrl-C is ignored by all that they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        said_within(log, "watching", running)
        shutil.copy(first, folder / "late.png")
        said_within(log, "1 added", running)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    finally:
        running.kill()
    lines = log.read_text().splitlines()
    assert "Traceback" not in log.read_text() and "5 added" in log.read_text()
    assert f"{tmp_path / 'g.kin'}: 6 photos (1 added)" in lines[-2]


def said_within(log, text: str, running: subprocess.Popen[bytes], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while text not in log.read_text():
        assert running.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def test_what_it_refuses(kinfold, tmp_path) -> None:
    check_error(kinfold("watch", tmp_path / "nowhere"), "there is no such folder")
    (tmp_path / "watchfiles.py").write_text("raise ImportError('none')")
    done = kinfold(
        "watch",
        tmp_path,
        environment={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    check_error(done, "pip install 'kinfold[watch]'")
