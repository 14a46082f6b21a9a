"""Files are replaced whole; what is no file is left alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.io import atomic


def test_text_and_json(tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "a.json", {"ü": [np.int64(1), np.float32(2.5)]})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "ü": [\n    1,\n    2.5\n  ]\n}\n'
    with pytest.raises(ValueError):
        atomic.write_json(tmp_path / "a.json", float("nan"))
    assert "2.5" in (tmp_path / "a.json").read_text("utf-8")
    mask = os.umask(0o077)
    try:
        atomic.write_text(tmp_path / "b", "x")
    finally:
        os.umask(mask)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_pipes_and_devices_are_left_alone(tmp_path: Path) -> None:
    """Renaming a file over them would put the file in their place."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe: is not a regular file"):
        atomic.write_text(tmp_path / "pipe", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and os.listdir(tmp_path) == ["pipe"]


def test_a_name_may_be_as_long_as_the_folder_allows(tmp_path: Path) -> None:
    name = "n" * 255
    atomic.write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_takes_no_file(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: Any) -> None:
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OSError) as caught:
        atomic.write_bytes(tmp_path / "x", bytes(1234))
    reason = f"{tmp_path / 'x'}: cannot be written, 1,234 bytes are needed: {os.strerror(number)}"
    assert str(caught.value) == f"[Errno {number}] {reason}"
    assert type(caught.value) is type(OSError(number, ""))


def test_errors_of_the_block_stay_what_they_are(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "x", "old")
    with pytest.raises(FileNotFoundError) as missing, atomic.replace_file(tmp_path / "x") as file:
        file.write((tmp_path / "none").read_bytes())
    assert missing.value.filename == str(tmp_path / "none")
    with pytest.raises(ZeroDivisionError), atomic.replace_file(tmp_path / "x") as file:
        file.write(b"half")
        raise ZeroDivisionError
    full = pytest.raises(OSError, match="x: cannot be written: No space left")
    with full, atomic.replace_file(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (tmp_path / "x").read_text() == "old" and os.listdir(tmp_path) == ["x"]
