"""Results and remarks as terminals and files get them."""

from __future__ import annotations

import json
import os
import sys

import pytest

from kinfold.cli.output import check_writable, say, show, table, write_json


def test_results_and_remarks_go_apart(capsys) -> None:
    show("a result")
    say("a remark")
    out, err = capsys.readouterr()
    assert (out, err) == ("a result\n", "a remark\n")


def test_terminals_get_no_control_characters(capsys) -> None:
    show("photo\x1b[31m.jpg\nnext")
    out = capsys.readouterr().out
    assert "\x1b" not in out and out.endswith("\nnext\n") and "photo" in out


def test_a_remark_that_nobody_hears_is_no_error(monkeypatch) -> None:
    class Closed:
        encoding = "utf-8"

        def write(self, text: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    say("nobody is there")


def test_json_goes_to_a_file_or_to_standard_output(tmp_path, capsys) -> None:
    write_json(str(tmp_path / "a.json"), {"recall": 0.5})
    assert json.loads((tmp_path / "a.json").read_text()) == {"recall": 0.5}
    write_json("-", [1, "ü"])
    assert json.loads(capsys.readouterr().out) == [1, "ü"]


def test_what_cannot_be_written_is_said_before_the_work(tmp_path) -> None:
    check_writable("-")
    check_writable(tmp_path / "new.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        check_writable(tmp_path / "no" / "new.json")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="not a regular file"):
            check_writable(tmp_path / "pipe")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = table([["name", "n"], ["a", "100"]]).splitlines()
    assert [line.split() for line in lines] == [["name", "n"], ["a", "100"]]
    assert lines[0].endswith("  n") and lines[1].endswith("100") and lines[1].startswith("a ")
