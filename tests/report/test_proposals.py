from __future__ import annotations

from kinfold.report.proposals import Proposed, proposals_page


def test_regions_boxes_and_overlaps(parse, picture) -> None:
    photos = [
        Proposed(picture("a.jpg"), [(1, 2, 30, 40), (5, 6, 70, 80)], (1, 2, 33, 44), 0.8125),
        Proposed(picture("b <2>.jpg"), [(0, 0, 640, 480)]),
    ]
    source = proposals_page("Regions", photos, {"Photos": "2"})
    page = parse(source)
    assert "overlap 0.81" in page.text and page.text.count("overlap") == 1
    assert "b <2>.jpg" in page.text
    assert len(page.all("polygon", class_="outline")) == 3
    boxes = page.all("polygon", class_="box")
    assert [box["points"] for box in boxes] == ["1.0,2.0 33.0,2.0 33.0,44.0 1.0,44.0"]


def test_nothing(parse) -> None:
    assert "There is no photo." in parse(proposals_page("None", [], {})).text
