"""What all commands share."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from kinfold.cli import COMMANDS, main

from .conftest import check_error


def test_help_and_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("kinfold 0.")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        assert "--json" in capsys.readouterr().out
    assert main([]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["magic"], ["index"], ["search", "x"], ["eval", "x"], ["info"], ["info", "x", "--wrong"],
        ["search", "g", "q", "--top", "0"], ["search", "g", "q", "--top", "x"],
        ["search", "g", "q", "--rerank", "magic"],
        ["search", "g", "q", "--rerank", "spatial,spatial"], ["search", "g", "q", "--box", "1,2,3"],
        ["search", "g", "q", "--box", "a,b,c,d"], ["eval", "g", "--ground-truth", "f", "--protocol", "x"],
        ["index", "p", "--engine", "x"], ["info", "x", "--threads", "many"], ["info", "x", "--threads", "-1"],
    ],
)  # fmt: skip
def test_wrong_use_is_one_line(arguments, capsys) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert captured.err.startswith("kinfold: error: ")


def test_debug_shows_where(kinfold, tmp_path) -> None:
    done = kinfold("info", tmp_path / "none", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr


def test_commands_start_without_heavy_packages() -> None:
    code = (
        "import sys; from kinfold.cli import main; main(['--help'])\n"
        "print([m for m in ('torch', 'cv2', 'PIL', 'sqlite3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_missing_packages_are_named(photos, tmp_path) -> None:
    code = (
        "import sys; sys.modules['cv2'] = None; from kinfold.cli import main\n"
        f"sys.exit(main(['index', {str(photos)!r}, '-o', {str(tmp_path / 'g.kin')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    check_error(done, "pip install 'kinfold[photos]'")


def test_interruption(photos, tmp_path) -> None:
    code = (
        "import os, signal, sys; import kinfold.gallery.write.keep as keep; from kinfold.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "keep._keep = lambda *a: os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.exit(main(['index', {str(photos)!r}, '-o', {str(tmp_path / 'g.kin')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert done.stderr == "kinfold: interrupted\n"


def test_a_closed_pipe_is_no_error(city) -> None:
    done = subprocess.run(
        f"{sys.executable} -m kinfold info {city} | head -c 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == "" and done.stdout.endswith("0\n")
