"""The answer to one query as an HTML page in one file, which asks nothing of the network."""

from __future__ import annotations

import os
from collections.abc import Sequence

from kinfold.io.atomic import write_text
from kinfold.report.content import Answer, Link, Match, Picture, Result, matching, sureness
from kinfold.report.match_view import badge, outline_in, score, views_of
from kinfold.report.network_view import attention_view
from kinfold.report.page import Album, facts_list, link_to, name, number, sheet, text

__all__ = ["Answer", "Link", "Match", "Picture", "Result", "answer_page", "write_answer"]

# Results that open a view; a page of more would be slow to open.
MOST_VIEWS = 60
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
    remarks = "".join(f'<p class="remark">{text(remark)}</p>' for remark in answer.remarks)
    how = f"<details><summary>How it was found</summary>{facts_list(answer.facts)}</details>"
    head = (
        '<header class="ask"><figure>'
        f"{album.figure(answer.picture, f'Query: {answer.picture.name}', box=answer.box)}"
        f"<figcaption>Query {name(answer.picture.name)}</figcaption></figure>"
        f"<div><h1>{text(answer.title)}</h1>{_said(answer)}{_precision(answer)}{remarks}"
        f"{how if answer.facts else ''}</div>"
        f"{attention_view(album, answer)}</header>"
    )
    return sheet(answer.title, f"{head}{results_section(album, answer, 'm')}", album)


def said(shown: int) -> str:
    """What an answer comes to, by the number of results that show what was asked for."""
    if not shown:
        return "No photo of the same thing was found"
    return f"{shown} photo{' shows' if shown == 1 else 's show'} the same thing"


def write_answer(path: str | os.PathLike[str], answer: Answer) -> None:
    """Write the page of an answer; the file appears whole or not at all. Raises OSError."""
    write_text(path, answer_page(answer))


def results_section(album: Album, answer: Answer, prefix: str) -> str:
    """The ranked results and their views; ``prefix`` keeps the ids of several answers on a page apart.

    Where they were judged, those that show what was asked for come first, and the others are folded.
    """
    results = answer.results
    if not results:
        return '<main><p class="empty">Nothing was found.</p></main>'
    cards = [card(album, one, f"{prefix}{i}", i < MOST_VIEWS) for i, one in enumerate(results)]
    shown = [made for made, result in zip(cards, results) if result.shows is not False]
    rest = [made for made, result in zip(cards, results) if result.shows is False]
    count = f"{len(results)} photo{'' if len(results) == 1 else 's'}"
    if any(result.shows is not None for result in results):
        count = "Of the same thing" if shown else "The nearest photos"
    grids = _grid(shown)
    if rest and shown:
        alike = f"{len(rest)} more that only look{'s' if len(rest) == 1 else ''} alike"
        grids += f'<details class="rest"><summary>{alike}</summary>{_grid(rest)}</details>'
    elif rest:
        grids = _grid(rest)
    return (
        f'<main><div class="above"><h2>{count}</h2>{HINT}</div>{grids}</main>'
        f"{views_of(album, answer, prefix, MOST_VIEWS)}"
    )


def _grid(cards: Sequence[str]) -> str:
    return f'<ol class="cards">{"".join(cards)}</ol>' if cards else ""


def card(album: Album, result: Result, place: str, view: bool = True) -> str:
    """One result in the grid: a link to its view, or without one to its file."""
    outline = outline_in(result)
    figure = album.figure(result.picture, result.picture.name, outline=outline)
    words = [matching(result.match)]
    if len(result.chain) > 1 and result.shows is not False:
        words.append(f"by way of {len(result.chain) - 1} other{'s' * (len(result.chain) > 2)}")
    notes = [
        "the query itself" * result.itself,
        result.note,
        "the file is no longer there" * result.missing,
    ]
    lines = [sureness(result), " · ".join(filter(None, words)), *notes]
    quiet = "".join(f'<span class="line quiet">{text(line)}</span>' for line in lines if line)
    target = f"#{place}" if view else link_to(result.file)
    href = f' href="{text(target)}"' if target else ""
    return (
        f'<li><a class="card {result.mark or ""}" id="{place}-card"{href}>{figure}'
        f'<span class="line"><span class="rank">{result.rank}</span>{badge(result)}'
        f"{score(result)}</span>"
        f'<span class="line">{name(result.picture.name)}</span>{quiet}</a></li>'
    )


def _said(answer: Answer) -> str:
    if all(result.shows is None for result in answer.results):
        return ""
    shown = sum(bool(result.shows) and not result.itself for result in answer.results)
    more = "." if shown else "; these are the nearest."
    return f'<p class="said {"ok" if shown else "none"}">{said(shown)}{more}</p>'


def _precision(answer: Answer) -> str:
    if answer.average_precision is None:
        return ""
    value = answer.average_precision
    return (
        f'<p class="precision"><b>{number(value)}</b> average precision '
        f'<span class="meter" aria-hidden="true"><i style="width:{100 * value:.1f}%"></i></span></p>'
    )
