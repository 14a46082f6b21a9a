"""The page of curves, taken apart, and its axes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinfold.base.errors import MissingExtraError
from kinfold.report.curves import (
    COLOURS,
    Comparison,
    Curve,
    Spot,
    curves_page,
    rate_ticks,
    recall_ticks,
    stretched,
    write_curves,
)
from kinfold.report.plot import write_plot

from .conftest import Page


def curve(name: str, *, reached: bool = True, fits: bool = True) -> Curve:
    spots = (Spot(0.3, 9000, "nprobe=1"), Spot(0.95, 1000, "nprobe=<8>"), Spot(1.0, 90))
    return Curve(name, spots, spots[1], reached, fits, 64.5, 1.25)


@pytest.fixture
def comparison() -> Comparison:
    curves = (curve("<Flat>"), curve("b", reached=False), curve("c", fits=False))
    return Comparison(
        "Indexes for <x>",
        curves,
        "10@10",
        0.9,
        0,
        "Take & go.",
        "import a\nb <c>",
        {"Metric": "l2"},
    )


def test_everything_is_on_the_page(comparison: Comparison, tmp_path) -> None:
    page = Page(curves_page(comparison))
    for word in (
        "Indexes for <x>", "Take & go.", "recommended", "recall not reached", "too large", "Metric",
        "nprobe=<8>", "1,000", "import a\nb <c>", "recall 10@10", "<Flat>: recall 1.0000, 90 queries/s",
    ):  # fmt: skip
        assert word in page.text, word
    assert len(page.all("circle")) == 3 * 3 + 1 and len(page.all("circle", class_="ring")) == 1
    places = [float(c["cx"]) for c in page.all("circle")]
    assert all(70 <= x <= 940 for x in places) and places[:3] == sorted(places[:3])
    heights = [float(c["cy"]) for c in page.all("circle")][:3]
    assert heights == sorted(heights) and heights[0] >= 20 and heights[-1] <= 400
    write_curves(tmp_path / "x.html", comparison)
    assert (tmp_path / "x.html").read_text() == page.source


def test_one_spot_many_curves_and_nothing(comparison: Comparison) -> None:
    one = replace(comparison.curves[0], spots=(Spot(1.0, 5.0),))
    assert Page(curves_page(replace(comparison, curves=(one,), best=None, wanted=1.0)))
    many = tuple(curve(f"n{i}") for i in range(COLOURS + 2))
    page = Page(curves_page(replace(comparison, curves=many, example="")))
    assert len(page.all("i", class_="k")) == 4 and not page.all("pre")
    assert (
        "Nothing was measured" in Page(curves_page(replace(comparison, curves=(), best=None))).text
    )


def test_axes() -> None:
    assert stretched(0) == 0 and stretched(1) == pytest.approx(1)
    assert stretched(0.99) - stretched(0.9) > stretched(0.59) - stretched(0.5)
    assert recall_ticks(0.6)[0] == 0.5 and recall_ticks(0.99)[0] == 0.9 and recall_ticks(0)[0] == 0
    for least, most in ((1, 1), (0.02, 3), (37, 52), (150, 99_000), (5, 4e9), (1000, 1000), (5, 5)):
        ticks = rate_ticks(least, most)
        assert ticks[0] <= least * 1.001 and ticks[-1] >= most * 0.999 and len(ticks) > 1
        assert ticks == sorted(set(ticks)) and len(ticks) < 14


@pytest.mark.parametrize(("recall", "qps"), [(1.1, 1), (-0.1, 1), (0.5, 0), (0.5, float("inf"))])
def test_spots_are_checked(recall: float, qps: float) -> None:
    with pytest.raises(ValueError, match="recall|qps"):
        Spot(recall, qps)


def test_picture(comparison: Comparison, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    write_plot(tmp_path / "x.png", comparison)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_picture_without_matplotlib(comparison: Comparison, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"kinfold\[plot\]"):
        write_plot(tmp_path / "x.png", comparison)
