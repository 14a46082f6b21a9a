"""Indexes of every kind, and their shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kinfold as kf
from kinfold.shards.divide import divide


@pytest.fixture
def sharded(tmp_path: Path) -> Iterator[Callable[..., tuple[Any, kf.ShardedIndex]]]:
    """An index as its file has it, packed, and its shards."""
    opened: list[kf.ShardedIndex] = []

    def make(index: Any, n: int = 3, **how: Any) -> tuple[Any, kf.ShardedIndex]:
        place = tmp_path / f"whole-{len(opened)}"
        index.save(place.with_suffix(".kin"))
        divide(place.with_suffix(".kin"), place, n)
        opened.append(kf.ShardedIndex.open(place, **{"workers": "here", **how}))
        return kf.load(place.with_suffix(".kin")), opened[-1]

    yield make
    for shards in opened:
        shards.close()
