"""A crash at any moment leaves the old file or the new one; a failing disk leaves the old one."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold.io import atomic, kin

SAVER = """
import sys, numpy as np
from kinfold.io import kin
n = 0
while True:
    n += 1
    kin.write(sys.argv[1], "test.Thing", {"n": n}, {"a": np.full(200_000, n)})
    if n == 1: print("started", flush=True)
"""
KILLS = 60


@pytest.mark.slow
def test_kill_at_any_moment(tmp_path: Path) -> None:
    path, random_ = tmp_path / "x.kin", random.Random(0)
    seen = set()
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline() == b"started\n"
        time.sleep(random_.uniform(0, 0.03))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        _, params, arrays = kin.read(path)
        assert (arrays["a"] == params["n"]).all()
        seen.add(params["n"])
    assert len(seen) > 1, "the kills all came at one moment"


def old_and_new(tmp_path: Path) -> tuple[Path, kf.FlatIndex]:
    index = kf.FlatIndex(3)
    index.add(np.eye(3))
    index.save(tmp_path / "x.kin")
    index.add(np.ones((1000, 3)))
    return tmp_path / "x.kin", index


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, index = old_and_new(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(atomic.os, call, fail)
    with pytest.raises(
        OSError, match=r"x\.kin: cannot be written, [\d,]+ bytes .*Input/output error"
    ):
        index.save(path)
    monkeypatch.undo()
    assert len(kf.load(path)) == 3 and os.listdir(tmp_path) == ["x.kin"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path, index = old_and_new(tmp_path)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limit[1]))
    try:
        with pytest.raises(OSError, match=r"x\.kin: cannot be written, [\d,]+ bytes are needed"):
            index.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert len(kf.load(path)) == 3 and os.listdir(tmp_path) == ["x.kin"]


def test_a_reader_keeps_the_file_that_it_mapped(tmp_path: Path) -> None:
    path, index = old_and_new(tmp_path)
    mapped = kf.load(path, mmap=True)
    index.save(path)
    assert mapped.search(np.eye(3), 1).ids.ravel().tolist() == [0, 1, 2]
    assert len(kf.load(path)) == 1003


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_replaced_while_it_is_read_is_the_old_one(
    mmap: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Header and arrays are of one file, also where both are of one size."""
    path, parse = tmp_path / "x.kin", kin._parse
    kin.write(path, "t", {"n": 1}, {"a": np.full(100, 1)})

    def replaced_meanwhile(text: bytes, size: int) -> kin.Header:
        monkeypatch.undo()
        kin.write(path, "t", {"n": 2}, {"a": np.full(100, 2)})
        return parse(text, size)

    monkeypatch.setattr(kin, "_parse", replaced_meanwhile)
    _, params, arrays = kin.read(path, mmap=mmap)
    assert params["n"] == 1 and (arrays["a"] == 1).all()
    assert kin.read(path)[1]["n"] == 2
