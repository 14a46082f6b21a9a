"""An answer: which photos, in what order, and what a page or a notebook shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kinfold.base.arrays import Ids, Vectors, as_array, as_choice, as_count, as_number
from kinfold.local.verify import Verification
from kinfold.report.notebook import Row, table_of
from kinfold.report.pictures import Box, Link, Match, Picture, as_kind, as_text
from kinfold.report.seen import Attention, Components
from kinfold.rerank.stage import RankedList

__all__ = ["MARKS", "Answer", "Box", "Link", "Mark", "Match", "Picture", "Result"]

Mark = Literal["ok", "junk", "wrong"]
# Rows of a notebook where there are no pictures.
_LISTED = 20
# What a ground truth says of a result: a sign and a word.
MARKS = {"ok": ("✓", "match"), "junk": ("~", "junk"), "wrong": ("✕", "wrong")}


@dataclass(frozen=True)
class Result:
    """One photo of an answer.

    rank : from 1
    score : what it is ranked by; None where nothing is ranked
    chain : the steps from the query to this photo, which is the last of them; empty if not known
    mark : what the ground truth says, if there is one
    components : what of it a network finds alike, where one was used
    note : what else is to be said of it
    shows : whether it shows what was asked for; None where nobody judged that
    itself : whether it is the query
    verdict : the same in words
    confidence : the probability of that, from 0 to 1; None where it is not known
    file : the path of the photo's file; empty where it has none
    missing : that file is no longer there, or is another
    command : what searches with this photo, to be typed; empty where nothing does
    """

    rank: int
    picture: Picture
    score: float | None
    match: Match | None = None
    chain: tuple[Link, ...] = ()
    mark: Mark | None = None
    components: Components | None = None
    note: str = ""
    shows: bool | None = None
    itself: bool = False
    verdict: str = ""
    confidence: float | None = None
    file: str = ""
    missing: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        as_count(self.rank, "rank")
        as_kind(self.picture, "picture", Picture)
        if self.score is not None:
            as_number(self.score, "score")
        if self.match is not None:
            as_kind(self.match, "match", Match)
        object.__setattr__(self, "chain", tuple(self.chain))
        for link in self.chain:
            as_kind(link, "chain", Link)
        if self.mark is not None:
            as_choice(self.mark, "mark", tuple(MARKS))
        if self.components is not None:
            as_kind(self.components, "components", Components)
        if self.confidence is not None:
            as_number(self.confidence, "confidence", least=0, most=1)
        for name in ("note", "verdict", "file", "command"):
            as_text(getattr(self, name), name)


def _nothing() -> RankedList:
    return RankedList.first(np.empty(0, np.float32), np.empty(0, np.int64))


@dataclass(frozen=True)
class Answer:
    """What was found for a query: the order of all, and of the first as much as is to be seen.

    query : None where nothing is to be seen, only ranked
    box : x0, y0, x1, y1, the region of the query that was asked for; None for the whole photo
    facts : how the answer was made, in the order in which it is shown
    average_precision : in [0, 1], where the ground truth is known
    remarks : what is to be said before the results, a line each
    attention : where a network looks in the query, where one was used
    ranked : all that was ranked, and what was found out on the way
    """

    query: Picture | None = None
    box: Box | None = None
    results: tuple[Result, ...] = ()
    title: str = "Photos of the same thing"
    facts: dict[str, str] = field(default_factory=dict)
    average_precision: float | None = None
    remarks: tuple[str, ...] = ()
    attention: Attention | None = None
    ranked: RankedList = field(default_factory=_nothing, compare=False, repr=False)

    @property
    def ids(self) -> Ids:
        """All that was ranked, best first, int64 (k,)."""
        return self.ranked.ids

    @property
    def scores(self) -> Vectors:
        """What they are ranked by, falling, float32 (k,)."""
        return self.ranked.scores

    @property
    def verified(self) -> Mapping[int, Verification]:
        """By id, the geometry of the photos whose geometry was looked at."""
        return self.ranked.verified

    @property
    def sources(self) -> Ids:
        """Ids from which a diffusion started, int64 (s,)."""
        return self.ranked.sources

    @property
    def picture(self) -> Picture:
        """The query's. Raises ValueError for an answer that is only ranked."""
        if self.query is None:
            raise ValueError(
                "answer: expected one with pictures, as of Gallery.answer, got a ranking"
            )
        return self.query

    def _repr_html_(self) -> str:
        """For notebooks: the query and a row for each result; the first ids and scores where there are no pictures."""
        rows = [_row(result) for result in self.results]
        if self.query is None:
            pairs = zip(self.ids[:_LISTED].tolist(), self.scores[:_LISTED].tolist())
            rows = [
                Row(f"{rank}", None, f"photo {id}", score)
                for rank, (id, score) in enumerate(pairs, 1)
            ]
        return table_of(self.title, self.query, rows)

    def __post_init__(self) -> None:
        as_text(self.title, "title")
        if self.attention is not None:
            as_kind(self.attention, "attention", Attention)
        if self.query is not None:
            as_kind(self.query, "query", Picture)
        object.__setattr__(self, "results", tuple(self.results))
        object.__setattr__(self, "remarks", tuple(self.remarks))
        for remark in self.remarks:
            as_text(remark, "remarks")
        for result in self.results:
            as_kind(result, "results", Result)
        if self.box is not None:
            corners = as_array(self.box, "box").astype(np.float64)
            if corners.shape != (4,) or not np.isfinite(corners).all():
                raise ValueError(f"box: expected x0, y0, x1, y1, got {self.box!r}")
            if corners[0] >= corners[2] or corners[1] >= corners[3]:
                raise ValueError(f"box: expected x0 < x1 and y0 < y1, got {self.box!r}")
        if self.average_precision is not None:
            as_number(self.average_precision, "average_precision", least=0, most=1)


def sureness(result: Result) -> str:
    """The verdict on a result and how sure it is, in words; empty where nobody judged."""
    if result.confidence is None:
        return result.verdict
    return f"{result.verdict}, {percent(result.confidence)} {'sure' if result.shows else 'likely'}"


def percent(share: float) -> str:
    """A probability for eyes, which is never nothing and never all."""
    return f"{min(99, round(100 * share))} %" if share >= 0.01 else "< 1 %"


def matching(match: Match | None) -> str:
    """How many correspondences hold, in words."""
    return "" if match is None else f"{len(match)} matching point{'' if len(match) == 1 else 's'}"


def _row(result: Result) -> Row:
    sign = "" if result.mark is None else " ".join(MARKS[result.mark])
    words = [sign, "the query itself" * result.itself, sureness(result), matching(result.match)]
    if len(result.chain) > 1:
        words.append(f"{len(result.chain)} steps")
    note = " · ".join(filter(None, words))
    return Row(f"{result.rank}", result.picture, result.picture.name, result.score, note)
