"""How well engines answer, as an HTML page in one file: figures, every query, some answers to look at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.base.arrays import as_count, as_number
from kinfold.io.atomic import write_text
from kinfold.report.answer import precision, results_grid
from kinfold.report.content import Answer
from kinfold.report.page import Album, bar, facts_list, name, number, sheet, text


@dataclass(frozen=True)
class EngineRow:
    """What one engine reached over all queries.

    name : what the page calls it
    map : mean average precision, in [0, 1]
    precision_at : mean precision among the first k, by k; in [0, 1]
    seconds : time that all queries took together
    """

    name: str
    map: float
    precision_at: dict[int, float]
    seconds: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name: expected the name of an engine, got {self.name!r}")
        as_number(self.map, "map", least=0, most=1)
        if not isinstance(self.precision_at, Mapping):
            raise ValueError(f"precision_at: expected a dict, got {type(self.precision_at).__name__}")
        for k, value in self.precision_at.items():
            as_count(k, "precision_at")
            as_number(value, f"precision_at[{k}]", least=0, most=1)
        as_number(self.seconds, "seconds", least=0)


def evaluation_page(
    title: str,
    rows: Sequence[EngineRow],
    per_query: Mapping[str, Mapping[str, float]],
    answers: Sequence[Answer],
    facts: Mapping[str, str],
) -> str:
    """A comparison of engines as a self-contained HTML page.

    rows : the engines, in the order in which they are shown
    per_query : average precision by query, then by engine's name; one that is missing is shown as a dash
    answers : examples, shown as on a page of their own
    facts : how the figures were made
    Raises ValueError for engines of one name, for a precision outside [0, 1] or of an engine not in ``rows``.
    """
    engines = [row.name for row in rows]
    if len(set(engines)) < len(engines):
        raise ValueError(f"rows: expected engines of different names, got {engines}")
    for query, precisions in per_query.items():
        for engine, value in precisions.items():
            if engine not in engines:
                raise ValueError(
                    f"per_query: expected engines of rows, got {engine!r} for {query!r}"
                )
            as_number(value, f"per_query[{query!r}][{engine!r}]", least=0, most=1)
    album = Album()
    examples, views = "", ""
    for place, answer in enumerate(answers):
        part, sheets = _example(album, answer, f"a{place}-")
        examples += part
        views += sheets
    head = f'<header class="title"><h1>{text(title)}</h1>{facts_list(facts)}</header>'
    main = f"<main>{_engines(rows)}{_queries(engines, per_query)}{examples}</main>"
    return sheet(title, f"{head}{main}{views}", album)


def write_evaluation(
    path: str | os.PathLike[str],
    title: str,
    rows: Sequence[EngineRow],
    per_query: Mapping[str, Mapping[str, float]],
    answers: Sequence[Answer],
    facts: Mapping[str, str],
) -> None:
    """Write the page of an evaluation; the file appears whole or not at all. Raises OSError."""
    write_text(path, evaluation_page(title, rows, per_query, answers, facts))


def _engines(rows: Sequence[EngineRow]) -> str:
    """The engines' figures, the best of each column in bold."""
    if not rows:
        return '<p class="empty">Nothing was evaluated.</p>'
    depths = sorted({k for row in rows for k in row.precision_at})
    best = max(row.map for row in rows)
    tops = {k: max(row.precision_at.get(k, 0.0) for row in rows) for k in depths}
    heads = "".join(
        f'<th scope="col"><abbr title="mean precision among the first {k}">P@{k}</abbr></th>' for k in depths
    )
    lines = "".join(
        f'<tr><th scope="row">{text(row.name)}</th>{_figure(row.map, best, bar(row.map))}'
        + "".join(_figure(row.precision_at.get(k), tops[k]) for k in depths)
        + f"<td>{number(row.seconds, 2)}</td></tr>"
        for row in rows
    )
    return (
        '<section><h2>Mean average precision</h2><div class="scroll" tabindex="0" role="region" '
        'aria-label="Figures of the engines"><table class="engines"><thead><tr><th scope="col">Engine</th>'
        f'<th scope="col"><abbr title="mean average precision">mAP</abbr></th>{heads}'
        f'<th scope="col">Seconds</th></tr></thead><tbody>{lines}</tbody></table></div></section>'
    )


def _queries(engines: Sequence[str], per_query: Mapping[str, Mapping[str, float]]) -> str:
    """Every query's average precision: the more colour, the better; the best of a row in bold."""
    if not per_query:
        return ""
    heads = "".join(f'<th scope="col">{text(engine)}</th>' for engine in engines)
    lines = ""
    for query, precisions in per_query.items():
        best = max(precisions.values(), default=0.0)
        cells = "".join(_shade(precisions.get(engine), best) for engine in engines)
        lines += f'<tr><th scope="row">{name(query)}</th>{cells}</tr>'
    return (
        '<section><h2>Average precision by query</h2><div class="scroll" tabindex="0" role="region" '
        'aria-label="Average precision by query"><table class="heat"><thead><tr><th scope="col">Query</th>'
        f"{heads}</tr></thead><tbody>{lines}</tbody></table></div></section>"
    )


def _figure(value: float | None, best: float, after: str = "") -> str:
    """One cell: a number, bold where none is better, with what follows it."""
    if value is None:
        return "<td>–</td>"
    shown = number(value)
    return f"<td>{f'<b>{shown}</b>' if value >= best else shown}{after}</td>"


def _shade(value: float | None, best: float) -> str:
    """One cell of the grid, coloured by its value."""
    if value is None:
        return "<td>–</td>"
    shown = number(value, 2)
    return f'<td style="--v:{value:.3f}">{f"<b>{shown}</b>" if value >= best else shown}</td>'


def _example(album: Album, answer: Answer, prefix: str) -> tuple[str, str]:
    """One answer as a section of the page, and its views."""
    grid, views = results_grid(album, answer, prefix)
    figure = album.figure(answer.query, f"Query: {answer.query.name}", box=answer.box)
    section = (
        f'<section class="example"><div class="ask"><figure>{figure}'
        f"<figcaption>Query {name(answer.query.name)}</figcaption></figure>"
        f"<div><h2>{text(answer.title)}</h2>{precision(answer)}{facts_list(answer.facts)}</div></div>"
        f"{grid}</section>"
    )
    return section, views
