"""What a notebook shows: a table with thumbnails, whose style is its own and whose content needs no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import NamedTuple

from kinfold.report.page import name, number, text
from kinfold.report.pictures import Picture

_SIDE = 110
_CAPTION = "text-align:left;font-weight:600"
_CELL = "padding:.2em .8em .2em 0;text-align:left;vertical-align:middle"


class Row(NamedTuple):
    """A line: its place, a photo if there is one, what it is called, its score, a remark."""

    place: str
    picture: Picture | None
    label: str
    score: float | None = None
    note: str = ""


def table_of(title: str, query: Picture | None, rows: Sequence[Row]) -> str:
    """The query, where there is a picture of it, and a line for each row."""
    lines = [] if query is None else [Row("", query, query.name, None, "query")]
    cells = "".join(_line(row) for row in [*lines, *rows])
    caption = f'<caption style="{_CAPTION}">{text(title)}</caption>'
    return f"<table>{caption}<tbody>{cells}</tbody></table>"


def _line(row: Row) -> str:
    score = "" if row.score is None else number(row.score)
    cells = (text(row.place), _thumbnail(row.picture), name(row.label), score, text(row.note))
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _thumbnail(picture: Picture | None) -> str:
    if picture is None:
        return ""
    data = base64.b64encode(picture.jpeg).decode("ascii")
    style = f"max-width:{_SIDE}px;max-height:{_SIDE}px"
    return f'<img style="{style}" alt="{text(picture.name)}" src="data:image/jpeg;base64,{data}">'
