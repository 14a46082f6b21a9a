"""A gallery to run commands on, made once by the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")

Run = Callable[..., subprocess.CompletedProcess[str]]


def photo(seed: int, turn: float = 0.0) -> np.ndarray:
    """Blobs that SIFT finds; ``turn`` in degrees."""
    random = np.random.default_rng(seed)
    image = np.full((240, 240, 3), 120, np.uint8)
    for _ in range(120):
        x, y = (int(v) for v in random.integers(0, 240, 2))
        colour = tuple(int(v) for v in random.integers(0, 256, 3))
        cv2.circle(image, (x, y), int(random.integers(3, 18)), colour, -1)
    matrix = cv2.getRotationMatrix2D((120, 120), turn, 1.0)
    return cv2.warpAffine(image, matrix, (240, 240))


@pytest.fixture(scope="session")
def kinfold() -> Run:
    """Runs ``python -m kinfold`` in a process of its own."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kinfold", *map(str, arguments)]
        environment = {**os.environ, "PYTHONUTF8": "1", **options.pop("environment", {})}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, **options
        )

    return run


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three things, three photos of each, and one file that is none. Not to be changed."""
    folder = tmp_path_factory.mktemp("cli") / "photos"
    folder.mkdir()
    for thing in range(3):
        for view in range(3):
            cv2.imwrite(str(folder / f"thing{thing}_{view}.png"), photo(thing, 12 * view))
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def city(photos: Path, kinfold: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of them. Not to be changed."""
    path = tmp_path_factory.mktemp("cli") / "city.kin"
    done = kinfold("index", photos, "-o", path, "--codewords", 8)
    assert done.returncode == 0, done.stderr
    assert "9 photos (9 added, 1 unreadable)" in done.stdout
    assert "skipped bad.jpg: " in done.stderr
    return path


def check_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, and one line on standard error that says what is wrong."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("kinfold: error: "), done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in lines[0], lines[0]
