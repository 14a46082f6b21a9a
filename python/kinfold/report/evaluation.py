"""How well engines answer, as an HTML page in one file: figures, every query, some answers to look at."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kinfold.base.arrays import as_count, as_number
from kinfold.io.atomic import write_text
from kinfold.report import demo
from kinfold.report.content import Answer


@dataclass(frozen=True)
class EngineRow:
    """What one engine reached over all queries.

    name : what the page calls it
    map : mean average precision, in [0, 1]
    precision_at : mean precision among the first k, by k; in [0, 1]
    seconds : a query's mean time
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
            raise ValueError(
                f"precision_at: expected a dict, got {type(self.precision_at).__name__}"
            )
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
    per_query : average precision by query, then by engine's name; a dash where it is missing or NaN
    answers : examples, by their first results; answers to one query that follow each other stand together
    facts : how the figures were made
    Raises ValueError for a title that is no text, engines of one name, an average precision outside [0, 1]
    or of an engine that is not in ``rows``, and answers of another type.
    """
    if not isinstance(title, str):
        raise ValueError(f"title: expected text, got {type(title).__name__}")
    by_engine: dict[str, dict[str, float]] = {row.name: {} for row in rows}
    if len(by_engine) < len(rows):
        raise ValueError(f"rows: expected different names, got {[row.name for row in rows]}")
    for query, precisions in per_query.items():
        for engine, value in precisions.items():
            if engine not in by_engine:
                raise ValueError(f"per_query: expected engines of rows, got {engine!r}")
            missing = isinstance(value, float) and math.isnan(value)
            if not missing:
                as_number(value, f"per_query[{query!r}][{engine!r}]", least=0, most=1)
            by_engine[engine][query] = value
    for answer in answers:
        if not isinstance(answer, Answer):
            raise ValueError(f"answers: expected Answer, got {type(answer).__name__}")
    shown = [
        demo.Row(row.name, row.map, row.precision_at, row.seconds, by_engine[row.name])
        for row in rows
    ]
    return demo.evaluation_page(title, shown, answers, facts)


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
