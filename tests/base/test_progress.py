"""Bars appear on terminals alone."""

from __future__ import annotations

import sys

import pytest

from kinfold.base.progress import progress


@pytest.mark.parametrize(("terminal", "verbose", "shows"), [(0, 1, 0), (1, 0, 0), (1, 1, 1)])
def test_progress(monkeypatch, capsys, terminal, verbose, shows) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: bool(terminal))
    assert list(progress(range(5), "describing", verbose=bool(verbose))) == [0, 1, 2, 3, 4]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("describing" in shown.err) == bool(shows)
