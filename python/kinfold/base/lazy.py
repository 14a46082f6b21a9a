"""What is made when it is first asked for, without a lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):
    """As functools.cached_property, whose lock, until Python 3.12, all threads wait for, and a forked child for ever.

    Two threads may make the same value; the first one set is kept.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, held: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, held: object, owner: type) -> T: ...
    def __get__(self, held: object | None, owner: type) -> Any:
        if held is None:
            return self
        return vars(held).setdefault(self._name, self._make(held))
