"""Figures as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinfold.report.figure import write_png


class Failing:
    def savefig(self, file: object, format: str) -> None:
        raise RuntimeError("no ink")


def test_writes_a_png_under_any_name(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    write_png(tmp_path / "curve.pdf", Figure(figsize=(2, 1), dpi=50))
    written = (tmp_path / "curve.pdf").read_bytes()
    assert written.startswith(b"\x89PNG")
    assert [int.from_bytes(written[at : at + 4], "big") for at in (16, 20)] == [100, 50]


def test_what_cannot_be_drawn_leaves_the_old_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(RuntimeError):
        write_png(tmp_path / "a.png", Failing())
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"
