"""Where commands print: results on standard output, remarks on standard error."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from kinfold.base.text import columns, json_text, shown
from kinfold.io import atomic


def say(text: str) -> None:
    """A remark or an error. Nobody may be there to read it; that is no error."""
    try:
        print(_printable(text, sys.stderr), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        forget(sys.stderr)


def show(text: str) -> None:
    """A result."""
    print(_printable(text, sys.stdout))


def write_json(target: str, value: Any) -> None:
    """Results as JSON, to a file, or to standard output for "-"."""
    if target == "-":
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(json_text(value, encoding, printable=True))
    else:
        atomic.write_json(Path(target), value)


def check_writable(path: str | Path) -> None:
    """Say before the work, not after it, that a result cannot be written."""
    target = Path(path)
    if str(path) == "-":
        return
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder, not a file")
    if target.exists() and not target.is_file():
        raise OSError(f"{target}: is not a regular file")
    folder = Path(os.path.realpath(target)).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{target}: the folder {folder} does not exist")
    # The only sure test is to write: permissions, read-only and full disks all show.
    probe = folder / f".kinfold-{os.getpid()}.probe"
    with atomic.replace_file(probe) as file:
        file.write(b"\0")
    probe.unlink()


def table(lines: list[list[str]], *, left: tuple[int, ...] = (0,)) -> str:
    """Columns of equal width, those of ``left`` to the left, the others to the right."""
    return "\n".join(columns(lines, left=left))


def forget(stream: Any) -> None:
    """Send what is yet to be written nowhere: else Python complains once more at its end."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (AttributeError, OSError, ValueError):
        pass


def _printable(text: str, stream: Any) -> str:
    """File names hold what terminals should not get. Lines are the caller's: names in them went through ``shown``."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = "\n".join(map(shown, text.split("\n")))
    return safe.encode(encoding, "backslashreplace").decode(encoding)
