from __future__ import annotations

from pathlib import Path

import pytest

from kinfold.base.errors import FileFormatError
from kinfold.io.foreign.ground_truth_text import read


def write(folder: Path, **files: str) -> None:
    texts = {"query": "pre_a 1 2 3.5 4e1", "good": "a\n", "ok": "b\na\n", "junk": "", **files}
    for kind, text in texts.items():
        (folder / f"place_1_{kind}.txt").write_text(text)


def test_read(tmp_path) -> None:
    write(tmp_path, junk="c\nd\n")
    truth = read(tmp_path, ["a", "b", "c"], prefix="pre_", absent={"d"})
    assert truth["qimlist"] == ["a"] and truth["qname"] == ["place_1"]
    assert truth["gnd"] == [{"bbx": [1, 2, 3.5, 40], "ok": [0, 1], "junk": [2], "good": [0]}]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"query": ""}, "expected a name and x0 y0 x1 y1"),
        ({"query": "a 1 2 3"}, "expected a name and x0 y0 x1 y1"),
        ({"query": "a 1 2 3 wide"}, "expected a name and x0 y0 x1 y1"),
        ({"ok": "e"}, "names 'e', which is no image"),
        ({"ok": "é"}, "plain text"),
    ],
)
def test_bad_files(files, message, tmp_path) -> None:
    write(tmp_path, **files)
    with pytest.raises(FileFormatError, match=message):
        read(tmp_path, ["a", "b"])


def test_missing_files(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no files named \*_query.txt"):
        read(tmp_path, ["a"])
    write(tmp_path)
    (tmp_path / "place_1_junk.txt").unlink()
    with pytest.raises(FileFormatError, match="is missing beside"):
        read(tmp_path, ["a", "b"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_lists_of_other_systems(encoding, tmp_path) -> None:
    write(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
    truth = read(tmp_path, ["a", "b"], prefix="pre_")
    assert truth["qimlist"] == ["a"] and truth["gnd"][0]["ok"] == [0, 1]
