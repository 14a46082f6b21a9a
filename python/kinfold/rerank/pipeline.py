"""Second looks by name, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kinfold.base.arrays import as_choice
from kinfold.base.ranking import Ranking
from kinfold.base.registry import resolve
from kinfold.rerank import METHODS
from kinfold.rerank.stage import Asked, Ranked, Stage


def stages_for(offers: Collection[str]) -> tuple[str, ...]:
    """The stages of the catalogue that can do with what is at hand (names of fields of ``Asked``)."""
    return tuple(name for name, target in METHODS.items() if resolve(target).needs <= set(offers))


def line_of(name: str) -> str:
    """What a stage does, in a line."""
    return str(resolve(METHODS[name]).__doc__).strip().splitlines()[0]


def checked(names: Sequence[str], offers: Collection[str]) -> tuple[str, ...]:
    """Names of stages, each once. Raises ValueError for others, and for one that needs what is not at hand."""
    for name in names:
        able = stages_for(offers)
        if name in METHODS and name not in able:
            lacking = ", ".join(sorted(resolve(METHODS[name]).needs - set(offers)))
            raise ValueError(f"rerank: {name} needs {lacking}; expected one of {', '.join(able)}")
        as_choice(name, "rerank", able)
    if len(set(names)) < len(names):
        raise ValueError(f"rerank: expected each stage once, got {','.join(names)}")
    return tuple(names)


def stage_named(name: str, options: Mapping[str, Any]) -> Stage:
    """A stage of the catalogue with options of its own."""
    stage: Stage = resolve(METHODS[name])(**options)
    return stage


def rerank_by(
    names: Sequence[str],
    asked: Asked,
    ranking: Ranking,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Ranked:
    """Second looks one after the other.

    names : of ``rerank.METHODS``, each once, in the order in which they look
    options : by name of a stage
    Raises ValueError, before any work, for a stage that needs what is not at hand.
    """
    names = checked(names, asked.offers)
    stages = [stage_named(name, (options or {}).get(name, {})) for name in names]
    ranking = Ranked.of(ranking)
    for stage in stages:
        ranking = stage(asked, ranking)
    return Ranked.of(ranking)
