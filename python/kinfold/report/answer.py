"""The answer to one query as an HTML page in one file, which asks nothing of the network."""

from __future__ import annotations

import os

from kinfold.io.atomic import write_text
from kinfold.report.content import Answer, Link, Match, Picture, Result
from kinfold.report.match_view import badge, inliers, outline_in, score, views_of
from kinfold.report.network_view import attention_view
from kinfold.report.page import Album, facts_list, name, number, sheet, text

__all__ = ["Answer", "Link", "Match", "Picture", "Result", "answer_page", "write_answer"]

HINT = (
    '<p class="hint"><kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> <kbd>↓</kbd> move, <kbd>Enter</kbd> opens, '
    "<kbd>Esc</kbd> closes</p>"
)


def answer_page(answer: Answer) -> str:
    """An answer as a self-contained HTML page.

    The query with its box, how the answer was made, the ranked results, and for each result a view of
    its correspondences with the query and of its chain. Content needs no script; keys do.
    """
    album = Album()
    head = (
        '<header class="ask"><figure>'
        f"{album.figure(answer.picture, f'Query: {answer.picture.name}', box=answer.box)}"
        f"<figcaption>Query {name(answer.picture.name)}</figcaption></figure>"
        f"<div><h1>{text(answer.title)}</h1>{_precision(answer)}{facts_list(answer.facts)}</div>"
        f"{attention_view(album, answer)}</header>"
    )
    return sheet(answer.title, f"{head}{results_section(album, answer, 'm')}", album)


def write_answer(path: str | os.PathLike[str], answer: Answer) -> None:
    """Write the page of an answer; the file appears whole or not at all. Raises OSError."""
    write_text(path, answer_page(answer))


def results_section(album: Album, answer: Answer, prefix: str) -> str:
    """The ranked results and their views; ``prefix`` keeps the ids of several answers on a page apart."""
    results = answer.results
    if not results:
        return '<main><p class="empty">Nothing was found.</p></main>'
    places = [f"{prefix}{i}" for i in range(len(results))]
    cards = "".join(card(album, result, place) for result, place in zip(results, places))
    views = views_of(album, answer, prefix, len(results))
    count = f"{len(results)} photo{'' if len(results) == 1 else 's'}"
    return (
        f'<main><div class="above"><h2>{count}</h2>{HINT}</div>'
        f'<ol class="cards">{cards}</ol></main>{views}'
    )


def card(album: Album, result: Result, place: str) -> str:
    """One result in the grid: a link to its view."""
    outline = outline_in(result)
    figure = album.figure(result.picture, result.picture.name, outline=outline)
    way = ""
    if len(result.chain) > 1:
        way = f'<span class="steps">{len(result.chain)} steps</span>'
    note = f'<span class="line quiet">{text(result.note)}</span>' if result.note else ""
    return (
        f'<li><a class="card {result.mark or ""}" id="{place}-card" href="#{place}">{figure}'
        f'<span class="line"><span class="rank">{result.rank}</span>{badge(result)}'
        f"{score(result)}</span>"
        f'<span class="line">{name(result.picture.name)}</span>'
        f'<span class="line quiet">{inliers(result.match)}{way}</span>'
        f"{note}</a></li>"
    )


def _precision(answer: Answer) -> str:
    if answer.average_precision is None:
        return ""
    value = answer.average_precision
    return (
        f'<p class="precision"><b>{number(value)}</b> average precision '
        f'<span class="meter" aria-hidden="true"><i style="width:{100 * value:.1f}%"></i></span></p>'
    )
