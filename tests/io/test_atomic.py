"""Files are replaced whole; what is no file is left alone."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.io import atomic, kin
from kinfold.io.npy import write_npy
from kinfold.io.vecs import write_vecs


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


WRITERS = {
    "text": lambda path: atomic.write_text(path, "new"),
    "kin": lambda path: kin.write(path, "test.Thing", {}, {"a": np.arange(3)}),
    "npy": lambda path: write_npy(path, np.arange(3)),
    "vecs": lambda path: write_vecs(path, np.eye(3)),
}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Any:
    return WRITERS[request.param]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755, 0o666])
def test_a_file_keeps_its_mode(write: Any, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "x.fvecs"
    path.write_text("old")
    path.chmod(mode)
    mask = os.umask(0o027)
    try:
        write(path)
        assert path.stat().st_mode & 0o777 == mode and path.read_bytes() != b"old"
        write(tmp_path / "new.fvecs")
    finally:
        os.umask(mask)
    assert (tmp_path / "new.fvecs").stat().st_mode & 0o777 == 0o640


def test_nobody_else_reads_a_private_file_while_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "x").touch(0o600)
    with atomic.replace_file(tmp_path / "x"):
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o600}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away"
)
def test_a_file_keeps_its_owner(write: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.fvecs"
    path.touch(0o640)
    os.chown(path, 4321, 5432)
    write(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (4321, 5432, 0o640)


def test_who_may_not_keep_the_group_gives_it_no_more_than_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.touch(0o664)
    if os.geteuid() != 0:
        pytest.skip("only root makes a file of another group")
    os.chown(path, 4321, 5432)

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "not allowed")

    monkeypatch.setattr(os, "fchown", refuse)
    atomic.write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_link_stays_a_link(write: Any, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    real = tmp_path / "far" / "real.fvecs"
    (tmp_path / "near.fvecs").symlink_to("far/second.fvecs")
    (tmp_path / "far" / "second.fvecs").symlink_to(real)
    for _ in range(2):  # of a link to nothing yet, and of one to a file
        write(tmp_path / "near.fvecs")
        assert os.readlink(tmp_path / "near.fvecs") == "far/second.fvecs"
        assert not real.is_symlink() and real.stat().st_size > 0
        real.chmod(0o600)
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["far", "near.fvecs"]
    assert sorted(os.listdir(tmp_path / "far")) == ["real.fvecs", "second.fvecs"]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lost").symlink_to(tmp_path / "none" / "x")
    (tmp_path / "folder").symlink_to(tmp_path)
    for name, said in (
        ("loop", "Too many levels"),
        ("lost", "does not exist"),
        ("folder", "is a folder"),
    ):
        with pytest.raises(OSError, match=said):
            atomic.write_text(tmp_path / name, "x")
        assert (tmp_path / name).is_symlink()


def test_a_link_may_be_replaced_where_the_folder_is_a_strangers(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("old")
    (tmp_path / "x").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").chmod(0o600)
    atomic.write_text(tmp_path / "x", "new", follow=False)
    assert not (tmp_path / "x").is_symlink() and (tmp_path / "x").read_text() == "new"
    assert (tmp_path / "precious").read_text() == "old"


def abandoned(folder: Path, name: str, writers: int) -> None:
    """Leave what that many writers leave who are killed at once."""
    code = (
        "import os, sys\nfrom kinfold.io.atomic import replace_file\n"
        "with replace_file(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); print('begun', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(folder / name)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(writers)
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == b"begun\n"
    for child in children:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("name", ["x.kin", "n" * 250, "ü" * 120])
def test_what_killed_writers_leave_is_removed_by_the_next(name: str, tmp_path: Path) -> None:
    abandoned(tmp_path, name, 3)
    assert len(os.listdir(tmp_path)) == 3
    atomic.write_text(tmp_path / name, "whole")
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "whole"


def test_what_a_living_writer_writes_is_left_alone(tmp_path: Path) -> None:
    with atomic.replace_file(tmp_path / "x") as first:
        first.write(b"first")
        with atomic.replace_file(tmp_path / "x") as second:
            second.write(b"second")
            atomic.write_text(tmp_path / "x", "third")
            assert len(os.listdir(tmp_path)) == 3
        assert (tmp_path / "x").read_text() == "second"
    assert (tmp_path / "x").read_text() == "first" and os.listdir(tmp_path) == ["x"]


def test_what_others_have_put_there_is_left_alone(tmp_path: Path) -> None:
    """A link, a folder and a pipe in the place of a temporary file are no writer's."""
    (tmp_path / "precious").write_text("old")
    (tmp_path / ".x.0.tmp").symlink_to(tmp_path / "precious")
    (tmp_path / ".x.1.tmp").mkdir()
    os.mkfifo(tmp_path / ".x.2.tmp")
    before = set(os.listdir(tmp_path))
    atomic.write_text(tmp_path / "x", "new")
    assert set(os.listdir(tmp_path)) == before | {"x"}
    assert (tmp_path / "precious").read_text() == "old" and (tmp_path / "x").read_text() == "new"


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    """None fails, and what stays is whole and of one of them."""

    def some(writer: int) -> None:
        for _ in range(30):
            atomic.write_text(tmp_path / "x", f"{writer}" * 1000)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(some, writer) for writer in range(8)]:
            done.result()
    text = (tmp_path / "x").read_text()
    assert len(text) == 1000 and len(set(text)) == 1 and os.listdir(tmp_path) == ["x"]


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
