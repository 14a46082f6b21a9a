"""What every thing that holds rows shares: writers under a lock, readers with the rows that they find."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from kinfold.base.arrays import Ids, as_ids, read_only
from kinfold.base.declared import Declared
from kinfold.base.errors import NotTrainedError
from kinfold.base.locks import Lock
from kinfold.base.state import Arrays, steady
from kinfold.store.keyed import Keys

if TYPE_CHECKING:
    from typing_extensions import Self

H = TypeVar("H", bound=Keys[Any])


class Table(Declared, ABC, Generic[H]):
    """Rows with ids under a lock for writers; readers take the rows that they find, and wait for nobody.

    Whoever derives from it says how rows come (``add``) and how they become the present ones (``_hold``).
    """

    kind: ClassVar[str]

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: H | None = None
        self._training: object = None  # another after each

    @abstractmethod
    def _hold(self, parts: tuple[Any, ...], next_id: int) -> None:
        """Make these rows the present ones, all at once; under the lock."""

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, n={len(self)})"

    @steady
    def arrays(self) -> Arrays:
        """What was learnt, and the rows: one consistent state."""
        return super().arrays()

    @steady
    def row_arrays(self) -> Arrays:
        """The rows alone, as ``arrays`` has them, without what was learnt."""
        return self._undeclared()

    def with_rows(self, arrays: Arrays) -> Self:
        """Rows of ``row_arrays`` over what was learnt here, in a table of their own."""
        made: Self = self.from_state(self.params(), {**self._learnt(), **arrays})
        return made

    def __len__(self) -> int:
        return 0 if self._held is None else len(self._held)

    def __contains__(self, id: object) -> bool:
        """Whether a row has this id."""
        return self._held is not None and id in self._held

    @property
    def is_trained(self) -> bool:
        """Whether rows can be added."""
        return self._held is not None

    @property
    def ids(self) -> Ids:
        """The stored ids, int64 (n,), in order of addition; a mask given as ``filter`` follows them. Read-only."""
        return read_only(self._require_fitted().ids)

    def remove(self, ids: ArrayLike) -> int:
        """Remove rows by id and return how many were there; unknown ids are ignored."""
        wanted = np.unique(as_ids(ids, "ids"))
        with self._lock:
            held = self._require_fitted()
            parts, removed = held.without(wanted)
            if removed:
                self._hold(parts, held.next_id)
            return removed

    def save(self, path: str | Path) -> None:
        """Write to a `.kin` file; `kinfold.load` reads it."""
        from kinfold.io import kin

        kin.save(self, path)

    def _require_fitted(self) -> H:
        """The present rows; NotTrainedError where nothing has been learnt yet."""
        if self._held is None:
            raise NotTrainedError(f"{type(self).__name__}: call fit first")
        return self._held

    def _trained_still(self, training: object, name: str) -> H:
        """The present rows; ValueError where something was learnt anew after others had been made for it."""
        if self._training is not training:
            raise ValueError(
                f"{name}: the index was trained anew while these were encoded; add them again"
            )
        return self._require_fitted()
