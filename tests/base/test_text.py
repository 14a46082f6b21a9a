"""Names on terminals, in tables, in JSON; files of text of any system."""

from __future__ import annotations

import json
import unicodedata

import pytest

from kinfold.base.text import columns, decoded, json_text, lines_of, shown

# Control characters, line breaks, ANSI escapes, marks of direction, half surrogates, invisible letters.
HOSTILE = [
    "a\nb", "a\r\nb", "a\tb", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202egpj.exe", "\u2066x\u2069", "\u2028",
    "\u2029", "\x85", "\x9b31m", "\x00", "\x7f", "\udce9.jpg", "\U000e0041", "\xad", "\u200b", "\ufeff", "\v\f\x1c",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_cell_of_plain_letters(name: str) -> None:
    lines = columns([["photo", "score"], [name, "1.0"], ["plain", "2.0"]])
    assert len(lines) == 3 and len("\n".join(lines).splitlines()) == 3
    assert all(line.isprintable() for line in lines)
    assert shown(name).isprintable() and shown(f"x{name}") != f"x{name}"
    assert lines[0].endswith("score") and lines[1].endswith("  1.0")
    assert len({len(line) for line in lines}) == 1


def test_letters_of_all_writings_stay() -> None:
    for name in ("café", unicodedata.normalize("NFD", "café"), "写真 1", "фото", "صورة", "a b"):
        assert shown(name) == name


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii", "cp1252"])
@pytest.mark.parametrize("printable", [True, False])
@pytest.mark.parametrize("name", [*HOSTILE, "é", "写", "\U0001f4f7", '"\\/'])
def test_json_says_the_same_everywhere(encoding: str, printable: bool, name: str) -> None:
    text = json_text({name: [name, 1.5, None]}, encoding, printable=printable)
    assert json.loads(text.encode(encoding).decode(encoding)) == {name: [name, 1.5, None]}
    if printable:
        assert all(line.isprintable() for line in text.split("\n"))
    with pytest.raises(ValueError):
        json_text({"x": float("nan")}, encoding)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", ""), ("utf-8", "\ufeff"), ("utf-16-le", "\ufeff"), ("utf-16-be", "\ufeff"), ("utf-16-le", ""),
        ("utf-16-be", ""), ("utf-32-le", "\ufeff"), ("utf-32-be", "\ufeff"), ("utf-32-le", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lists_of_any_system(encoding: str, mark: str, end: str) -> None:
    names = ["b/a.jpg", " é\u2028\x85 .jpg", "写真.jpg"]
    text = mark + end.join([*names, "", "  ", ""])
    assert lines_of(text.encode(encoding)) == names
    assert decoded(b"") == "" and lines_of(b"") == []


def test_names_that_are_not_utf8_are_those_of_files() -> None:
    assert lines_of(b"caf\xe9.jpg\n") == ["caf\udce9.jpg"]
