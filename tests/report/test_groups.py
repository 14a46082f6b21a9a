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
    facts = ("64 × 48", "3 kB", "2024-05-01")
    group = [
        Member(first, facts=facts), Member(second, first, match, True, facts), Member(third, second, match),
    ]  # fmt: skip
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
    # Names, sizes and dates; a switch to duplicates, which leaves their group and them.
    assert source.count("2024-05-01") == 2 and "3 kB" in source and "duplicates only" in source
    assert source.count('<li class="duplicate">') == 1 and source.count('<li class="single">') == 2
    assert (
        source.count('class="example duplicate"') == 1
        and source.count('class="example single"') == 1
    )
    assert "duplicates only" not in groups_page("None", [[Member(first), Member(third, first)]], {})
    # Every photo is stored once.
    assert source.count("data:image/jpeg") == 3


def test_no_groups() -> None:
    assert "No two photos show the same thing." in groups_page("None", [], {})
