"""What brings sealed parts together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from kinfold.store.keyed import Keyed

P = TypeVar("P", bound=Keyed)


class Packing(Protocol[P]):
    """How the living rows of parts become one part."""

    def merged(self, parts: Sequence[P]) -> P:
        """One part of the living rows of several, at least one, in their order."""
        ...

    def fits(self, parts: Sequence[P]) -> bool:
        """Whether these may become one."""
        ...
