"""Standard streams that are closed, cut off or full; results at odd places."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def shell(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which k is kinfold, and $1, $2, ... are the words."""
    start = f'set -o pipefail; k() {{ {sys.executable} -m kinfold "$@"; }}; {line}'
    return subprocess.run(
        ["/bin/bash", "-c", start, "bash", *map(str, words)], capture_output=True, text=True, timeout=120
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command", ["info", "search", pytest.param("groups", marks=pytest.mark.slow)]
)
def test_closed_streams(
    closed: str, command: str, city: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    query = f"'{photos}/thing0_0.png'" if command == "search" else ""
    done = shell(f'k {command} "$1" {query} --json "$2" {closed}', city, out)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    # What was written is that alone, not what else went to a stream of that number.
    assert json.loads(out.read_text())
    # The result itself has nowhere to go: that is for the caller to know.
    done = shell(f'k {command} "$1" {query} {closed}', city)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_an_error_without_a_stream(tmp_path: Path) -> None:
    assert shell('k info "$1" 2>&-', tmp_path / "none").returncode == 2
    assert shell('k info "$1" >&- 2>&-', tmp_path / "none").returncode == 2


@pytest.mark.parametrize("words", ["info $1", "info $1 --json", "--help", "search --help"])
def test_cut_off(words: str, city: Path) -> None:
    done = shell(f"k {words} | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}", city)
    assert (done.returncode, done.stderr) == (0, "")
    done = shell('k info "$1" 2> >(true) | true; exit ${PIPESTATUS[0]}', city.with_name("none"))
    assert done.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full(city: Path) -> None:
    done = shell('k info "$1" > /dev/full', city)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr


def test_long_names_links_and_other_places(
    kinfold, city: Path, photos: Path, tmp_path: Path
) -> None:
    query = photos / "thing0_0.png"
    for name in ("a" * 245 + ".html", "é" * 120 + ".html"):
        done = kinfold(
            "search",
            city,
            query,
            "--html",
            tmp_path / name,
            "--json",
            tmp_path / f"{name[:-5]}.json",
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 1000
    assert not [entry for entry in os.listdir(tmp_path) if entry.startswith(".")]
    done = kinfold("search", city, query, "--html", tmp_path / ("a" * 256 + ".html"))
    assert done.returncode == 2 and "too long" in done.stderr and len(done.stderr.splitlines()) == 1
    os.mkfifo(tmp_path / "pipe")
    done = kinfold("search", city, query, "--html", tmp_path / "pipe")
    assert done.returncode == 2 and "not a regular file" in done.stderr
