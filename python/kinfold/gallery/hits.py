"""An answer as people use it: a list of hits that says what it comes to, and that can be saved as a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kinfold.gallery.hit import Hit, unchecked
from kinfold.report.answer import said, write_answer
from kinfold.report.content import Answer


class Hits(list[Hit]):
    """The hits of one query, best first.

    found : those that show the same thing, without the photo that was asked with
    is_empty : whether the query had nothing to compare

    Examples
    --------
    >>> from kinfold.gallery.hits import Hits
    >>> hits = Hits([], "query.jpg", lambda hits: None)
    >>> print(hits)
    No photo of the same thing was found.
    """

    def __init__(
        self,
        hits: Iterable[Hit],
        query: str,
        answer: Callable[[Hits], Answer],
        *,
        empty: bool = False,
    ) -> None:
        """query : what it is called; answer : makes what a page shows of the hits"""
        super().__init__(hits)
        self.query, self.is_empty, self._answer = query, empty, answer

    @property
    def found(self) -> list[Hit]:
        """Those that show the same thing."""
        return [hit for hit in self if hit.found]

    @property
    def alike(self) -> list[Hit]:
        """Those that only look alike."""
        return [hit for hit in self if not hit.verdict.shows_it]

    @property
    def unchecked(self) -> bool:
        """Whether no second look asked geometry which of these show the same thing, and nothing else is sure of any."""
        return unchecked(self)

    @property
    def files(self) -> list[Path]:
        """The files of the photos that show the same thing."""
        return [hit.file for hit in self.found]

    def __str__(self) -> str:
        if self.is_empty:
            return f"{self.query} has nothing to compare: no feature was found in it."
        if self.unchecked:
            return "The nearest by looks alone; which show the same thing was not checked."
        return f"{said(len(self.found))}."

    def __repr__(self) -> str:
        return f"<Hits: {len(self.found)} of the same thing, {len(self.alike)} that look alike>"

    def answer(self) -> Answer:
        """What a page shows, pictures included."""
        return self._answer(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the answer as a page to look at, in one file. Raises OSError."""
        write_answer(path, self.answer())

    def _repr_html_(self) -> str:
        return self.answer()._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"found": len(self.found), "hits": [hit.to_dict() for hit in self]}
