"""What is learnt or stored, declared: types and shapes, which files are held to. See `kinfold.base.declared`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError, not_trained
from kinfold.base.registry import kinds, resolve
from kinfold.base.state import JSON, Arrays, add_prefix, check_only, strip_prefix, take, take_param

T = TypeVar("T")
S = TypeVar("S", bound=np.generic)
# A number; the name of a parameter or property; of a side that arrays share; or such a name "+1". None for any.
Side: TypeAlias = "int | str | None"


class Scope:
    """The lengths of sides that are known so far, by name."""

    def __init__(self, known: Mapping[str, Any], made: Any = None) -> None:
        self.known, self.made = dict(known), made

    def sides(self, shape: tuple[Side, ...] | str) -> tuple[Side, ...]:
        """The sides of a shape, or of the one that a property says."""
        return getattr(self.made, shape) if isinstance(shape, str) else shape

    def length(self, side: Side) -> int | None:
        """How long a side must be; None where nothing is known."""
        if not isinstance(side, str):
            return side
        name, _, more = side.partition("+")
        value = self.known.get(name, getattr(self.made, name, None))
        return None if value is None else int(value) + int(more or 0)

    def fits(self, sides: Iterable[Side], shape: Iterable[int]) -> bool:
        """Whether a shape is what is known."""
        return all(self.length(side) in (None, length) for side, length in zip(sides, shape))

    def learn(self, sides: Iterable[Side], shape: Iterable[int]) -> None:
        """Take over the lengths of sides that had none."""
        for side, length in zip(sides, shape):
            if isinstance(side, str) and self.length(side) is None:
                name, _, more = side.partition("+")
                self.known[name] = length - int(more or 0)


class Held(Generic[T]):
    """What an object holds, for files, under a name without underscores around it. Before it is there, asking for it
    raises NotTrainedError.

    when : name of the property that says whether there is one: where it says no, it is None
    """

    when: str | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.saved = name, name.strip("_")

    if TYPE_CHECKING:

        @overload
        def __get__(self, held: None, owner: type) -> Held[T]: ...
        @overload
        def __get__(self, held: object, owner: type) -> T: ...

    # Without __set__: what lies in the object's ``vars`` comes before this.
    def __get__(self, held: object | None, owner: type) -> Any:
        return self if held is None else self.absent(owner)

    def absent(self, owner: type) -> T:
        """What there is before anything was learnt."""
        raise not_trained(f"{owner.__name__}: is not fitted; call fit first")

    def parameters(self) -> set[str]:
        """The names under which it stands among the parameters of a file."""
        return set()

    def holds(self, name: str) -> bool:
        """Whether a file's array of that name is its."""
        return name == self.saved

    def wanted(self, arrays: Mapping[str, NDArray[Any]], scope: Scope) -> bool:
        """Whether there is to be one. FileFormatError where a file has one that there is not."""
        if self.when is None or getattr(scope.made, self.when):
            return True
        check_only({name: 0 for name in arrays if self.holds(name)}, set(), "arrays")
        return False

    def to_params(self, value: T) -> dict[str, JSON]:
        """What of it stands among the parameters."""
        return {}

    def to_arrays(self, value: T, scope: Scope) -> Arrays:
        """Its arrays, by the names that files have."""
        raise NotImplementedError

    def from_state(
        self, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]], scope: Scope
    ) -> T | None:
        """It from what a file gives of the whole, checked against what is known. Raises FileFormatError."""
        raise NotImplementedError


class Stored(Held[T], Generic[T, S]):
    """What a file holds as an array.

    shape : sides; those that are named are at least 1, unless the array may be ``empty``. Or the name of a property
        that is the shape
    finite : whether files must hold finite numbers
    when : see Held
    """

    optional = False

    def __init__(
        self,
        dtype: type[S],
        shape: tuple[Side, ...] | str,
        *,
        finite: bool = False,
        empty: bool = False,
        when: str | None = None,
    ) -> None:
        self.dtype, self.shape, self.finite, self.empty = np.dtype(dtype), shape, finite, empty
        self.when = when

    def write(self, value: Any) -> NDArray[Any]:
        """The array that stands for the value in a file."""
        return np.asarray(value, self.dtype)

    def read(self, array: NDArray[Any]) -> Any:
        """The value again."""
        return array

    def to_arrays(self, value: Any, scope: Scope) -> Arrays:
        array = self.write(value)
        if not scope.fits(scope.sides(self.shape), array.shape):
            name = type(scope.made).__name__
            raise not_trained(f"{name}: parameters changed since it learnt: call fit again")
        return {self.saved: array}

    def from_state(
        self, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]], scope: Scope
    ) -> Any:
        if not self.wanted(arrays, scope) or (
            self.optional and self.when is None and self.saved not in arrays
        ):
            return None
        for _ in range(2):  # again, as one side may be as long as another of the same array
            sides = scope.sides(self.shape)
            shape = tuple(map(scope.length, sides))
            array = np.ascontiguousarray(take(arrays, self.saved, self.dtype, shape))
            scope.learn(sides, array.shape)
        named = (length for side, length in zip(sides, array.shape) if isinstance(side, str))
        if not self.empty and not all(named):
            raise FileFormatError(f"array '{self.saved}': expected some, got shape {array.shape}")
        if self.finite and not np.isfinite(array).all():
            raise FileFormatError(f"array '{self.saved}': expected finite numbers")
        return self.read(array)


class Learnt(Stored[NDArray[S], S]):
    """An array."""


class Extra(Stored["NDArray[S] | None", S]):
    """An array that may be missing: None."""

    optional = True

    def absent(self, owner: type) -> None:
        """None."""


class Figure(Stored[float, Any]):
    """A float that is learnt; in files an array of one."""

    def __init__(self, dtype: type[np.floating[Any]] = np.float64) -> None:
        super().__init__(dtype, (1,), finite=dtype is not np.float64)

    def write(self, value: Any) -> NDArray[Any]:
        return np.array([value], self.dtype)

    def read(self, array: NDArray[Any]) -> float:
        return float(array[0])


class Series(Stored["list[float]", Any]):
    """A list of floats, such as an error after each step; empty before anything was learnt."""

    def __init__(self) -> None:
        super().__init__(np.float64, (None,))

    def absent(self, owner: type) -> list[float]:
        """An empty list."""
        return []

    def read(self, array: NDArray[Any]) -> list[float]:
        return [float(value) for value in array]


class Part(Held[T]):
    """Something stateful inside: its parameters under its name, its arrays under that name and a dot.

    name : in files; the attribute's without underscores around it where None
    bare : its parameters are not saved: there are none, or they are those that the whole's constructor gives it
    optional : there may be none
    inline : its arrays have their own names, among which there are no others
    """

    def __init__(
        self,
        cls: type[T] | None,
        *,
        name: str | None = None,
        bare: bool = False,
        optional: bool = False,
        inline: bool = False,
    ) -> None:
        self.cls, self.named, self.inline = cls, name, inline
        self.bare, self.optional = bare, optional

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.saved = self.named or self.saved

    def parameters(self) -> set[str]:
        return set() if self.bare else {self.saved}

    def holds(self, name: str) -> bool:
        return self.inline or name.startswith(self.saved + ".")

    def to_params(self, value: Any) -> dict[str, JSON]:
        if self.bare:
            return {}
        return {self.saved: None if value is None else self.described(value)}

    def to_arrays(self, value: Any, scope: Scope) -> Arrays:
        arrays: Arrays = value.arrays()
        return arrays if self.inline else add_prefix(self.saved, arrays)

    def from_state(
        self, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]], scope: Scope
    ) -> Any:
        own = dict(arrays) if self.inline else strip_prefix(self.saved, arrays)
        if self.bare:
            made = vars(scope.made).get(self.name)
            given = made.params() if made is not None else None if self.optional else {}
        else:
            kinds = (dict, type(None)) if self.optional else dict
            given = take_param(params, self.saved, kinds)
        if given is None:
            check_only(own, set(), "arrays")
            return None
        return self.restored(given, own)

    def described(self, value: Any) -> JSON:
        """What of a part stands among the parameters."""
        return value.params()

    def restored(self, given: Any, arrays: Arrays) -> Any:
        """The part from what stands among the parameters, and its arrays."""
        cls: Any = self.cls
        return cls.from_state(given, arrays)


class Slot(Part[Any]):
    """A part of any kind that may stand in a slot of an index, which files name; the slot's name is the attribute's."""

    def __init__(self, *, optional: bool = False) -> None:
        super().__init__(None, optional=optional)

    def described(self, value: Any) -> JSON:
        return {"kind": value.kind, "params": value.params()}

    def restored(self, given: Any, arrays: Arrays) -> Any:
        known = kinds(self.saved)
        if set(given) != {"kind", "params"} or given["kind"] not in known:
            raise FileFormatError(f"parameter '{self.saved}': expected one of {', '.join(known)}")
        if not isinstance(given["params"], dict):
            raise FileFormatError(f"parameter '{self.saved}': expected parameters")
        return resolve(known[given["kind"]]).from_state(given["params"], arrays)
