"""Words of a description, read off the catalogues: which part a word spells, and what that is made with."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from kinfold.base.registry import kinds, resolve


class Spelt(NamedTuple):
    """A word of a description, and what it is said of.

    cells : the coarse partition that comes before, which may be untrained, or None
    training : seed and verbose
    numbers : those in the word, by their names in the catalogue's spelling
    """

    word: str
    dim: int
    metric: str
    cells: Any
    training: Mapping[str, Any]
    numbers: Mapping[str, int] = {}

    def made(self, cls: Any) -> Any:
        """An object of a class, from whatever its constructor takes of what is said."""
        said = {
            "dim": self.dim, "metric": self.metric, "centred": self.metric == "l2",
            "spherical": self.metric == "cosine", **self.training, **self.numbers,
        }  # fmt: skip
        taken = inspect.signature(cls).parameters
        return cls(**{name: value for name, value in said.items() if name in taken})


def pattern(spelling: str) -> re.Pattern[str]:
    """What words a spelling stands for: {name} is a number, and what stands in brackets may be left out."""
    optional = spelling.replace("[", "(?:").replace("]", ")?")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>\\d+)", optional))


@functools.cache
def _spellings(slot: str) -> list[tuple[re.Pattern[str], str]]:
    return [
        (pattern(spelling), target)
        for target in kinds(slot).values()
        for spelling in getattr(target, "spelling", "").split("|")
        if spelling
    ]


def part(slot: str, spelt: Spelt) -> tuple[Any, Mapping[str, int]] | None:
    """The part in a slot that a word means, with the numbers in the word; None where it means none.

    A class may say by ``from_word`` what a word means; else its constructor takes what it knows by name.
    """
    for known, target in _spellings(slot):
        if match := known.fullmatch(spelt.word):
            numbers = {name: int(n) for name, n in match.groupdict().items() if n is not None}
            cls, said = resolve(target), spelt._replace(numbers=numbers)
            return cls.from_word(said) if hasattr(cls, "from_word") else said.made(cls), numbers
    return None
