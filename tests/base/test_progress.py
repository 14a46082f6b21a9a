"""Bars on terminals and in notebooks, lines elsewhere, nothing where nobody asked."""

from __future__ import annotations

import io
import sys
import time

import pytest

from kinfold.base import progress as room
from kinfold.base.progress import alive, progress


@pytest.mark.parametrize(("terminal", "verbose", "shows"), [(0, 1, 0), (1, 0, 0), (1, 1, 1)])
def test_progress(monkeypatch, capsys, terminal, verbose, shows) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: bool(terminal))
    assert list(progress(range(5), "describing", verbose=bool(verbose))) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("describing" in shown.err) == bool(shows)


def _lines(monkeypatch) -> io.StringIO:
    """A stream that is no terminal, told of at once."""
    monkeypatch.setattr(room, "EVERY", 0.05)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    return sys.stderr


def test_elsewhere_lines_say_how_far_it_is(monkeypatch) -> None:
    stream = _lines(monkeypatch)
    for _ in progress(range(4), "describe"):
        time.sleep(0.06)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("describe: ") and "\r" not in line for line in lines)
    assert any("50% (2 of 4)" in line and "left" in line for line in lines)


def test_what_has_no_length_tells_how_many(monkeypatch) -> None:
    stream = _lines(monkeypatch)
    with progress((), "tune", total=None) as bar:
        for _ in range(3):
            time.sleep(0.06)
            bar.update(1)
    assert "tune: " in stream.getvalue()


@pytest.mark.parametrize("verbose", [True, False])
def test_a_block_shows_that_it_goes_on(monkeypatch, verbose) -> None:
    stream = _lines(monkeypatch)
    with pytest.raises(KeyError), alive("learning", verbose=verbose):
        time.sleep(0.2)
        raise KeyError
    lines = stream.getvalue().splitlines()
    assert bool(lines) == verbose
    assert all(line.startswith("learning: ") and line.endswith("so far") for line in lines)


def test_what_is_soon_done_says_nothing(monkeypatch, capsys) -> None:
    with alive("learning"):
        assert list(progress(range(3), "describe")) == [0, 1, 2]
    monkeypatch.setattr(sys, "stderr", None)
    with alive("learning"):
        assert list(progress(range(3), "describe")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_notebooks_have_bars(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    list(progress(range(3), "describe"))
    assert "describe" in sys.stderr.getvalue()
