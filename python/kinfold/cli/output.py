"""Where commands print: results on standard output, remarks on standard error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

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
        show(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        atomic.write_json(Path(target), value)


def check_writable(path: str | Path) -> None:
    """Say before the work, not after it, that a result cannot be written."""
    target = Path(path)
    if str(path) == "-":
        return
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder, not a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: the folder {target.parent} does not exist")
    # The only sure test is to write: permissions, read-only and full disks all show.
    with atomic.replace_file(target.parent / f".{target.name}.probe") as file:
        file.write(b"\0")
    (target.parent / f".{target.name}.probe").unlink()


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
