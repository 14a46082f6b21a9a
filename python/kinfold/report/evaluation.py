"""The report of an evaluation: engines side by side, every query, and what re-ranking changed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from kinfold.base.arrays import as_number
from kinfold.io.atomic import write_text
from kinfold.report.answer import HINT
from kinfold.report.content import MARKS, Answer
from kinfold.report.match_view import outline_in, views_of
from kinfold.report.page import Album, facts_list, name, number, sheet, text

# Answers are compared by their first results: as many as fit beside each other.
SHOWN = 8


@dataclass(frozen=True)
class Row:
    """One way of searching and how well it did.

    engine : its name
    mean_average_precision : in [0, 1]
    mean_precision : mean precision of the first k results, by k
    seconds : a query's mean time, or None
    average_precision : of each query, by its name; NaN where nothing could be found
    """

    engine: str
    mean_average_precision: float
    mean_precision: Mapping[int, float] = field(default_factory=dict)
    seconds: float | None = None
    average_precision: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        as_number(self.mean_average_precision, "mean_average_precision", least=0, most=1)


def evaluation_page(
    title: str, rows: Sequence[Row], answers: Sequence[Answer], facts: Mapping[str, str]
) -> str:
    """A report as a self-contained HTML page.

    rows : the ways of searching, in the order of the table
    answers : examples; those of one query that stand together are shown under each other, such as
        before and after re-ranking, each under its own title
    facts : how the evaluation was made
    """
    album = Album()
    body = (
        f'<header class="summary"><h1>{text(title)}</h1>{facts_list(facts)}</header><main>'
        f"{_table(rows)}{_queries(rows)}"
    )
    sections: list[str] = []
    views: list[str] = []
    for key, group in groupby(answers, key=lambda answer: (answer.picture.name, answer.box)):
        strips = []
        for answer in group:
            prefix = f"a{len(views)}-"
            strips.append(_strip(album, answer, prefix))
            views.append(views_of(album, answer, prefix, SHOWN))
            query = answer
        figure = album.figure(query.picture, f"Query: {key[0]}", box=query.box)
        sections.append(
            f'<section class="example"><figure>{figure}<figcaption>Query {name(key[0])}</figcaption>'
            f"</figure><div>{''.join(strips)}</div></section>"
        )
    if sections:
        body += f'<div class="above"><h2>Examples</h2>{HINT}</div>{"".join(sections)}'
    return sheet(title, f"{body}</main>{''.join(views)}", album)


def write_evaluation(
    path: str | os.PathLike[str],
    title: str,
    rows: Sequence[Row],
    answers: Sequence[Answer],
    facts: Mapping[str, str],
) -> None:
    """Write the page of an evaluation; the file appears whole or not at all. Raises OSError."""
    write_text(path, evaluation_page(title, rows, answers, facts))


def _bar(value: float) -> str:
    return f'<span class="meter" aria-hidden="true"><i style="width:{100 * value:.1f}%"></i></span>'


def _table(rows: Sequence[Row]) -> str:
    """Engines and their means."""
    if not rows:
        return '<p class="empty">Nothing was evaluated.</p>'
    depths = sorted({k for row in rows for k in row.mean_precision})
    timed = any(row.seconds is not None for row in rows)
    best = max(row.mean_average_precision for row in rows)
    head = "".join(f'<th scope="col">mP@{k}</th>' for k in depths)
    head += '<th scope="col">ms a query</th>' if timed else ""
    lines = []
    for row in rows:
        value = row.mean_average_precision
        shown = f"<b>{number(value)}</b>" if value == best else number(value)
        cells = "".join(f"<td>{number(row.mean_precision.get(k, math.nan))}</td>" for k in depths)
        if timed:
            cells += (
                f"<td>{number(math.nan if row.seconds is None else 1000 * row.seconds, 0)}</td>"
            )
        lines.append(
            f'<tr><th scope="row">{text(row.engine)}</th><td>{shown}</td>'
            f'<td class="wide">{_bar(value)}</td>{cells}</tr>'
        )
    return (
        "<h2>How well each way finds</h2>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Means of each way">'
        '<table><thead><tr><th scope="col">search</th>'
        f'<th scope="col">mAP</th><td class="wide"></td>{head}</tr></thead><tbody>{"".join(lines)}</tbody>'
        "</table></div>"
    )


def _queries(rows: Sequence[Row]) -> str:
    """Average precision of every query under every engine: the worst of the last engine first."""
    rows = [row for row in rows if row.average_precision]
    if not rows:
        return ""

    def difficulty(query: str) -> float:
        value = rows[-1].average_precision.get(query, math.nan)
        return value if math.isfinite(value) else math.inf

    queries = sorted({query for row in rows for query in row.average_precision})
    queries.sort(key=difficulty)
    head = "".join(f'<th scope="col">{text(row.engine)}</th>' for row in rows)
    lines = []
    for query in queries:
        cells = "".join(_cell(row.average_precision.get(query, math.nan)) for row in rows)
        lines.append(f'<tr><th scope="row">{name(query)}</th>{cells}</tr>')
    return (
        "<h2>Average precision of every query, the worst first</h2>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Average precision of every query">'
        '<table class="heat">'
        f'<thead><tr><th scope="col">query</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def _cell(value: float) -> str:
    """A number on a bar of its own length."""
    if not math.isfinite(value):
        return "<td>–</td>"
    share = 100 * min(max(value, 0.0), 1.0)
    return f'<td style="--share:{share:.1f}%">{number(value)}</td>'


def _strip(album: Album, answer: Answer, prefix: str) -> str:
    """The first results of an answer in a row; each opens its view."""
    items = []
    for i, result in enumerate(answer.results[:SHOWN]):
        sign = ""
        if result.mark is not None:
            mark, word = MARKS[result.mark]
            sign = f'<span class="badge {result.mark}" title="{word}">{mark}<span class="hidden"> {word}</span></span>'
        outline = outline_in(result)
        figure = album.figure(result.picture, result.picture.name, outline=outline)
        items.append(
            f'<li><a class="card small" id="{prefix}{i}-card" href="#{prefix}{i}">{figure}'
            f'<span class="line"><span class="rank">{result.rank}</span>{sign}</span></a></li>'
        )
    precision = ""
    if answer.average_precision is not None:
        precision = f' <span class="score">AP {number(answer.average_precision)}</span>'
    shown = (
        f'<ol class="strip">{"".join(items)}</ol>'
        if items
        else '<p class="quiet">Nothing was found.</p>'
    )
    return f"<h3>{text(answer.title)}{precision}</h3>{shown}"
