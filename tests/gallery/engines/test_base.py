"""What engines have of the similarity where nothing else is asked for."""

from __future__ import annotations

import pytest

from kinfold.base.registry import resolve
from kinfold.gallery import METHODS
from kinfold.gallery.engines.base import shares_of


def shares(engine: str) -> dict[str, float]:
    return shares_of({name: resolve(METHODS[name]) for name in engine.split("+")})


@pytest.mark.parametrize("engine", ["asmk", "asmk+tembedding+colour", "+".join(METHODS)])
def test_shares_add_to_one(engine) -> None:
    assert sum(shares(engine).values()) == pytest.approx(1) and min(shares(engine).values()) > 0


def test_engines_of_the_same_have_one_voice() -> None:
    """What looks at local features weighs no more beside a network for there being more of it."""
    alone, more = shares("asmk+cnn"), shares("asmk+tembedding+vlad+cnn")
    assert more["cnn"] == pytest.approx(alone["cnn"])
    assert more["asmk"] + more["tembedding"] + more["vlad"] == pytest.approx(alone["asmk"])
    assert more["tembedding"] / more["asmk"] == pytest.approx(0.3 / 0.85)
    assert shares("regions+cnn+asmk")["asmk"] == pytest.approx(alone["asmk"])
