"""The page of groups."""

from __future__ import annotations

import numpy as np

from kinfold.report.content import Match, Picture
from kinfold.report.groups import Member, groups_page

from .test_evaluation import Words


def picture(name: str) -> Picture:
    return Picture(name, b"\xff\xd8" + name.encode(), 64, 48)


def test_rows_views_and_links() -> None:
    first, second, third = picture("a <1>.jpg"), picture("b.jpg"), picture("c.jpg")
    match = Match(np.ones((5, 2)), np.ones((5, 2)), None, 20)
    group = [Member(first), Member(second, first, match, True), Member(third, second, match)]
    source = groups_page(
        "Things & views", [group, [Member(first), Member(third, first)]], {"Photos": "4"}
    )
    page = Words(source)
    for expected in (
        "Things & views",
        "2 groups",
        "3 photos",
        "2 photos",
        "a <1>.jpg",
        "20 matching points",
    ):
        assert expected in page.words, expected
    assert source.count("duplicate</span>") == 1
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    # Every photo is stored once.
    assert source.count("data:image/jpeg") == 3


def test_no_groups() -> None:
    assert "No two photos show the same thing." in groups_page("None", [], {})
