"""What a user chooses, declared: what it may be, and how a file holds it. See `kinfold.base.declared`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np

from kinfold.base.arrays import as_choice, as_count, as_flag, as_number, as_text
from kinfold.base.errors import FileFormatError
from kinfold.base.metrics import METRICS, as_metric
from kinfold.base.state import JSON, take_param

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class Parameter(Generic[T]):
    """What a user chooses. An object's own value lies in its ``vars``, so that reading costs nothing.

    check : called with a value and the parameter's name, gives the value as it is kept, or raises ValueError
    json : the types that a file may hold it as
    expected : what it may be, in words
    """

    saved = True
    # What files of former versions, which lack it, mean.
    absent: Any = None
    may_be_absent = False

    def __init__(
        self, check: Callable[[Any, str], T], json: type | tuple[type, ...], expected: str
    ) -> None:
        self.check, self.json, self.expected = check, json, expected

    def unsaved(self) -> Self:
        """The same, but not of files: it has no influence on answers, or follows from arrays."""
        self.saved = False
        return self

    def since(self, absent: Any) -> Self:
        """The same, of which files of former versions say nothing: they mean this value."""
        self.absent, self.may_be_absent = absent, True
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:

        @overload
        def __get__(self, held: None, owner: type) -> Parameter[T]: ...
        @overload
        def __get__(self, held: object, owner: type) -> T: ...
        def __get__(self, held: object | None, owner: type) -> Any: ...

    def __set__(self, held: Any, value: Any) -> None:
        vars(held)[self.name] = value if held._CHECKED_LATE else self.check(value, self.name)

    def from_params(self, params: Mapping[str, JSON]) -> JSON:
        """The value that a file gives, once it is sound. Raises FileFormatError."""
        if self.may_be_absent and self.name not in params:
            return self.absent
        value = take_param(params, self.name, self.json)
        try:
            self.check(value, self.name)
        except ValueError as error:
            raise FileFormatError(f"parameter {error}") from error
        return value


class Count(Parameter[int]):
    """A whole number in [least, most]."""

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        def check(x: Any, name: str) -> int:
            return as_count(x, name, least=least, most=most)

        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        super().__init__(check, int, f"whole number {bounds}")


class Number(Parameter[float]):
    """A finite number in [least, most], or in (least, most) where open."""

    def __init__(self, least: float = -np.inf, most: float = np.inf, *, open: bool = False) -> None:
        def check(x: Any, name: str) -> float:
            return as_number(x, name, least=least, most=most, open=open)

        above = {-np.inf: ""}.get(least, f" {'above' if open else 'at least'} {least:g}")
        below = {np.inf: ""}.get(most, f" {'below' if open else 'at most'} {most:g}")
        super().__init__(check, (int, float), f"number{above}{below}")


class Choice(Parameter[T]):
    """One of some names or whole numbers."""

    def __init__(self, *choices: T) -> None:
        self.choices = choices
        names = [str(choice) for choice in choices]

        def check(x: Any, name: str) -> T:
            if isinstance(choices[0], str):
                return choices[names.index(as_choice(x, name, names))]
            if as_count(x, name, least=0) not in choices:
                raise ValueError(f"{name}: expected {' or '.join(names)}, got {x!r}")
            return choices[choices.index(int(x))]

        super().__init__(check, type(choices[0]), ", ".join(map(repr, choices)))


class Metric(Parameter[str]):
    """One of the metrics, by any of its names."""

    def __init__(self, known: Iterable[str] = METRICS) -> None:
        choices = tuple(known)
        super().__init__(
            lambda x, name: as_metric(x, name, choices), str, ", ".join(map(repr, choices))
        )


class Text(Parameter[str]):
    """Any text."""

    def __init__(self) -> None:
        super().__init__(as_text, str, "text")


class Flag(Parameter[bool]):
    """True or False."""

    def __init__(self) -> None:
        super().__init__(as_flag, bool, "True, False")


class Maybe(Parameter["T | None"]):
    """A parameter that may be None."""

    def __init__(self, inner: Parameter[T]) -> None:
        def check(x: Any, name: str) -> T | None:
            return None if x is None else inner.check(x, name)

        json = inner.json if isinstance(inner.json, tuple) else (inner.json,)
        super().__init__(check, (*json, type(None)), f"{inner.expected}, None")
