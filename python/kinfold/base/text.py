"""Text from elsewhere: file names as what shows them can bear them, and files of text, whoever wrote them."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from typing import Any

from kinfold.base.state import plain

# Longer marks first: that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")


def shown(text: str) -> str:
    """One line for a terminal: line breaks, control characters and marks of direction become escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size_text(count: float) -> str:
    """So many bytes, as people write it: 812 bytes, 4.2 kB, 81 MB.

    Examples
    --------
    >>> from kinfold.base.text import size_text
    >>> size_text(812), size_text(4_200), size_text(81_300_000)
    ('812 bytes', '4.2 kB', '81 MB')
    """
    if count < 1000:
        return f"{count:.0f} bytes"
    units = ["kB", "MB", "GB", "TB"]
    count, unit = count / 1000, units.pop(0)
    while units and count >= 999.5:
        count, unit = count / 1000, units.pop(0)
    return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.1f} {unit}"


def columns(lines: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)) -> list[str]:
    """Rows of cells as lines of columns that have one width each. A cell is one, whatever characters it holds.

    left : the columns that begin at their left side; figures end at their right
    """
    cells = [[shown(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in cells
    ]


def json_text(value: Any, encoding: str = "utf-8", *, printable: bool = False) -> str:
    """JSON with letters as they are where ``encoding`` has them, else as JSON's escapes.

    Bytes of file names that are not UTF-8 stand as half surrogates, which is how Python names such files.
    printable : for a terminal: escapes too for what would steer it
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=plain)
    if printable:
        text = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    text = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=2, allow_nan=False, default=plain)
    return text


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, or what a byte order mark or the zeros of UTF-16 and UTF-32 tell; without the mark.

    Bytes that are not UTF-8 become half surrogates, as in the names of files: a list of names that a system wrote may
    hold such. Raises UnicodeDecodeError for half a character of UTF-16.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "surrogateescape")
    encoding = json.detect_encoding(data[:4])
    return data.decode(encoding if encoding.startswith("utf-") else "utf-8", "surrogateescape")


def lines_of(data: bytes) -> list[str]:
    """The lines of a file of text that hold anything; only line feeds and carriage returns end a line."""
    return [line for line in re.split("\r\n|\n|\r", decoded(data)) if line.strip()]
