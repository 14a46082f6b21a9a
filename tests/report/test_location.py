"""The page of where a photo was taken: its map, its words, and that it asks for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinfold.report.content import Answer, Result
from kinfold.report.location import Place, Spot, degrees, location_page, metres, write_location


@pytest.fixture
def answer(picture) -> Answer:
    shown = picture()
    return Answer(shown, results=(Result(1, shown, None, note="26 m <away>"),), title="Where?")


def test_places_around_the_date_line_and_at_the_pole(answer: Answer, parse, tmp_path: Path) -> None:
    spots = (
        Spot("<b>.jpg", (0.0, 179.9999), "agrees"), Spot("pole.jpg", (90.0, 0.0), "elsewhere"),
        Spot("same.jpg", (0.0, -180.0), "agrees"), Spot("beside.jpg", (0.002, 180.0), "elsewhere"),
    )  # fmt: skip
    place = Place((0.0, 180.0), 55.0, "", spots, 2, (("A & B", 2),), (("C", 9),))
    write_location(tmp_path / "x.html", answer, place)
    html = (tmp_path / "x.html").read_text()
    assert html == location_page(answer, place)
    page = parse(html)
    assert "0.00000° N, 180.00000° E, within 55 m: 2 photos agree." in page.text
    assert "A & B 2" in page.text and "C 9" in page.text and "2 without a position" in page.text
    assert "pole.jpg: 10,008 km to the north" in page.text
    assert "beside.jpg: 220 m to the north" in page.text and "26 m <away>" in page.text
    [plot] = page.all("svg", class_="plot")
    assert plot["role"] == "img" and plot["aria-label"]
    # Half of the map is 222 m, between its margins: .83 of a unit each metre; 11 m lie west of the middle.
    scale = (440 / 2 - 36) / 222.4
    [inside] = [one for one in page.all("circle", class_="within")]
    assert float(inside["r"] or 0) == pytest.approx(55 * scale, abs=0.1)
    moved = [one["transform"] or "" for one in page.all("g") if one.get("transform")]
    x, y = map(float, moved[0].removeprefix("translate(").rstrip(")").split())
    assert (x, y) == (pytest.approx(320 - 11.1 * scale, abs=0.2), pytest.approx(220, abs=0.1))
    # The pole is off the map: an arrow at the upper rim, upright.
    assert moved[1].replace("-0.0", "0.0") == "translate(320.0 16.0) rotate(0.0)"
    x, y = map(float, moved[3].removeprefix("translate(").rstrip(")").split())
    assert (x, y) == (pytest.approx(320, abs=0.1), pytest.approx(36, abs=0.5))


def test_not_enough_evidence_is_a_page_too(answer: Answer, parse) -> None:
    spots = (Spot("a.jpg", (48.0, 2.0), "unsure"), Spot("b.jpg", (-48.0, 2.0), "unsure"))
    page = parse(location_page(answer, Place(None, 0.0, "2 photos disagree", spots)))
    assert "Not enough evidence: 2 photos disagree." in page.text
    assert not page.all("circle", class_="here") and "2 do not agree" in page.text
    nothing = parse(location_page(answer, Place(None, 0.0, "none is known")))
    assert not nothing.all("svg", class_="plot") and "none is known" in nothing.text


def test_distances_and_degrees_for_eyes() -> None:
    values = (0.2, 3.4, 43.7, 187, 994, 995, 1234, 9949, 9950, 1.2e7)
    assert [metres(value) for value in values] == [
        "0 m", "3 m", "44 m", "190 m", "990 m", "1.0 km", "1.2 km", "9.9 km", "10 km", "12,000 km",
    ]  # fmt: skip
    assert degrees((48.8583701, -2.29448)) == "48.85837° N, 2.29448° W"
    assert degrees((-0.5, 0.0)) == "0.50000° S, 0.00000° E"
