"""The page of an evaluation, taken apart."""

from __future__ import annotations

import re

import pytest

from kinfold.report.content import Answer, Match, Result
from kinfold.report.evaluation import EngineRow, evaluation_page, write_evaluation

ROWS = [
    EngineRow("plain", 0.5, {1: 0.75, 5: 0.25}, 0.004),
    EngineRow("plain + <b>", 0.625, {1: 1.0}, 0.02),
]
PER_QUERY = {
    "easy": {"plain": 1.0, "plain + <b>": 0.875},
    "hard": {"plain": 0.25, "plain + <b>": 0.375},
    'odd "&<i>': {"plain": float("nan")},
}


@pytest.fixture
def answers(picture) -> list[Answer]:
    def answer(query: str, title: str, n: int) -> Answer:
        match = Match([[1, 2]], [[3, 4]])
        results = tuple(Result(i + 1, picture(f"{i}.jpg"), 1.0, match, (), "ok") for i in range(n))
        return Answer(title=title, query=picture(query), results=results, average_precision=0.4375)

    return [
        answer("q", "Before", 5),
        answer("q", "After", 5),
        answer("r", "Another <u>", 3),
        answer("s", "None", 0),
    ]


def cells(source: str, table: int) -> list[list[str]]:
    """The words of a table's cells, row by row."""
    body = re.findall(r"<tbody>(.*?)</tbody>", source, re.DOTALL)[table]
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>.*?</tr>", body, re.DOTALL)
    ]


def test_figures_and_queries(answers, parse) -> None:
    source = evaluation_page("Engines", ROWS, PER_QUERY, answers, {"Protocol": "oxford"})
    page = parse(source)
    assert "Engines" in page.text and "oxford" in page.text
    assert cells(source, 0) == [
        ["plain", "0.500", "", "0.750", "0.250", "4"],
        ["plain + &lt;b&gt;", "0.625", "", "1.000", "–", "20"],
    ]
    assert cells(source, 1) == [
        ["hard", "0.250", "0.375"],
        ["easy", "1.000", "0.875"],
        ["odd &quot;&amp;&lt;i&gt;", "–", "–"],
    ]
    widths = [re.search(r"width:([\d.]+)%", bar["style"]).group(1) for bar in page.all("i")]
    assert widths == ["50.0", "62.5"]
    assert "<b>0.625</b>" in source and "<b>0.500</b>" not in source


def test_examples(answers, parse) -> None:
    source = evaluation_page("Engines", ROWS, PER_QUERY, answers, {})
    page = parse(source)
    for words in ("Before", "After", "Another <u>", "AP 0.438", "Nothing was found."):
        assert words in page.text
    assert len(page.all("section", class_="example")) == 3  # answers to one query stand together
    assert len(page.all("section", class_="view")) == len(page.all("a", class_="card")) == 13
    assert len(page.all("main")) == 1
    assert len(page.all("image")) == 8


def test_nothing_evaluated(parse) -> None:
    page = parse(evaluation_page("Empty", [], {}, [], {}))
    assert "Nothing was evaluated." in page.text and not page.all("table")


def test_written_whole(answers, tmp_path) -> None:
    arguments = ("Engines", ROWS, PER_QUERY, answers, {"a": "b"})
    write_evaluation(tmp_path / "e.html", *arguments)
    assert (tmp_path / "e.html").read_text(encoding="utf-8") == evaluation_page(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", 0.5, {}, 1.0), "name: expected the name of an engine"),
        (("a", 1.5, {}, 1.0), "map: expected a number in"),
        (("a", float("nan"), {}, 1.0), "map: expected a number in"),
        (("a", 0.5, {0: 0.5}, 1.0), "precision_at: expected a whole number at least 1"),
        (("a", 0.5, {5: -0.1}, 1.0), r"precision_at\[5\]: expected a number in"),
        (("a", 0.5, [0.5], 1.0), "precision_at: expected a dict, got list"),
        (("a", 0.5, {}, -1.0), "seconds: expected a number in"),
    ],
)
def test_rows_that_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        EngineRow(*arguments)


@pytest.mark.parametrize(
    ("title", "rows", "per_query", "answers", "message"),
    [
        (None, ROWS, {}, [], "title: expected text, got NoneType"),
        ("t", [ROWS[0], ROWS[0]], {}, [], "rows: expected different names"),
        ("t", ROWS, {"q": {"other": 0.5}}, [], "per_query: expected engines of rows, got 'other'"),
        ("t", ROWS, {"q": {"plain": 2}}, [], r"per_query\['q'\]\['plain'\]: expected a number in"),
        (
            "t",
            ROWS,
            {"q": {"plain": float("inf")}},
            [],
            r"per_query\['q'\]\['plain'\]: expected a number",
        ),
        ("t", ROWS, {}, ["answer"], "answers: expected Answer, got str"),
    ],
)
def test_evaluations_that_are_refused(title, rows, per_query, answers, message) -> None:
    with pytest.raises(ValueError, match=message):
        evaluation_page(title, rows, per_query, answers, {})
