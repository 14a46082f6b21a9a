"""The report of an evaluation."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from kinfold.report.content import Answer, Picture, Result
from kinfold.report.evaluation import SHOWN, Row, evaluation_page


class Words(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs) -> None:
        self.ids += [value for key, value in attrs if key == "id"]
        self.links += [value for key, value in attrs if key == "href" and tag == "a"]

    def handle_data(self, data) -> None:
        self.words.append(data)


def picture(name: str, shade: int) -> Picture:
    return Picture(name, b"\xff\xd8" + bytes([shade]) * 9, 64, 48)


def answer(title: str, query: str, n: int) -> Answer:
    results = tuple(
        Result(i + 1, picture(f"{title}{i}", i), 1 / (i + 1), mark="ok") for i in range(n)
    )
    return Answer(picture(query, 99), None, results, title, {}, 0.5)


ROWS = [
    Row("plain <b>", 0.25, {1: 0.5, 5: 0.4}, 0.012, {"easy": 0.9, "hard": 0.8}),
    Row("spatial", 0.75, {1: 1.0}, None, {"easy": 0.95, "hard": 0.125, "none": math.nan}),
]


def test_table_and_queries() -> None:
    source = evaluation_page("Streets & squares", ROWS, [], {"Protocol": "Oxford"})
    page = Words(source)
    for expected in ("Streets & squares", "plain <b>", "0.250", "mP@5", "12", "Oxford", "0.125"):
        assert expected in page.words
    assert "<b>0.750</b>" in source, "the best is set off"
    assert "<b>0.250</b>" not in source
    # The queries that the last row answers worst come first; those without a figure last.
    order = [word for word in page.words if word in ("easy", "hard", "none")]
    assert order == ["hard", "easy", "none"]
    assert "nan" not in page.words


def test_answers_of_one_query_stand_together() -> None:
    answers = [answer("before", "q1", 12), answer("after", "q1", 2), answer("alone", "q2", 0)]
    source = evaluation_page("t", ROWS, answers, {})
    page = Words(source)
    assert source.count('<section class="example">') == 2
    assert "before7" in page.words
    assert "before8" not in page.words
    assert "Nothing was found." in page.words
    assert source.count('class="view"') == SHOWN + 2
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_nothing_to_report() -> None:
    assert "Nothing was evaluated." in Words(evaluation_page("t", [], [], {})).words
    source = evaluation_page("t", [Row("one", 0.0)], [], {})
    assert "heat" not in re.sub(r"<style>.*</style>", "", source, flags=re.S)


def test_nothing_is_fetched() -> None:
    source = evaluation_page("t", ROWS, [answer("a", "q", 3)], {})
    assert not re.search(r"https?:|//[\w.]+\.\w|@import|\burl\(|\bsrc=", source)


def test_wrong_figures_are_refused() -> None:
    with pytest.raises(ValueError, match="mean_average_precision: expected a number in"):
        Row("engine", math.nan)
