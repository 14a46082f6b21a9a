"""Where commands print: results on standard output, remarks on standard error."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from kinfold.base.state import plain
from kinfold.io import atomic


def say(text: str) -> None:
    """A remark or an error."""
    print(_printable(text, sys.stderr), file=sys.stderr, flush=True)


def show(text: str) -> None:
    """A result."""
    print(_printable(text, sys.stdout))


def write_json(target: str, value: Any) -> None:
    """Results as JSON, to a file, or to standard output for "-"."""
    if target == "-":
        show(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=plain))
    else:
        atomic.write_json(Path(target), value)


def check_writable(path: str | Path) -> None:
    """Say before the work, not after it, that a result cannot be written."""
    target = Path(path)
    if str(path) == "-":
        return
    # The only sure test is to write: permissions, read-only and full disks all show.
    with suppress(_Tried), atomic.replace_file(target) as file:
        file.write(b"\0")
        file.flush()
        raise _Tried


class _Tried(Exception):
    """That a file could be written; the old one stays."""


def table(lines: list[list[str]]) -> str:
    """Columns of equal width, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def _printable(text: str, stream: Any) -> str:
    """File names hold what terminals should not get: control characters are shown as escapes."""
    safe = "".join(
        c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return safe.encode(encoding, "backslashreplace").decode(encoding)
