"""What a notebook shows of an answer."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kinfold.report.answer import answer_page
from kinfold.report.content import Answer, Match, Picture, Result
from kinfold.rerank.stage import RankedList


def picture(name: str) -> Picture:
    return Picture(name, b"\xff\xd8 " + name.encode(), 40, 30)


def words(html: str) -> list[list[str]]:
    """The words of each line."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.sub(r"<[^>]*>", " ", row).split() for row in rows]


def test_the_query_and_a_row_for_each_result() -> None:
    points = np.zeros((3, 2))
    results = (
        Result(1, picture("a.jpg"), 9.5, Match(points, points), mark="ok"),
        Result(2, picture("b&.jpg"), 0.25, mark="wrong"),
    )
    html = Answer(picture("q.jpg"), results=results, title="Like <q>")._repr_html_()
    assert words(html) == [
        ["q.jpg", "query"],
        ["1", "a.jpg", "9.500", "✓", "match", "·", "3", "matching", "points"],
        ["2", "b&amp;.jpg", "0.250", "✕", "wrong"],
    ]
    assert html.count('src="data:image/jpeg;base64,') == 3 and "Like &lt;q&gt;" in html
    assert "<script" not in html and "http" not in html


def test_what_is_only_ranked_is_a_list_of_ids_and_makes_no_page() -> None:
    ranked = RankedList.first(np.array([0.5, 0.25], np.float32), np.array([7, 3]))
    answer = Answer(ranked=ranked)
    assert answer.ids.tolist() == [7, 3] and answer.scores.tolist() == [0.5, 0.25]
    assert len(answer.sources) == 0 and answer.verified == {}
    assert words(answer._repr_html_()) == [
        ["1", "photo", "7", "0.500"],
        ["2", "photo", "3", "0.250"],
    ]
    with pytest.raises(ValueError, match="^answer: expected one with pictures"):
        answer_page(answer)
