"""Parameters and learnt arrays declared once: checks, saved state and `repr` follow from the declaration.

    class ProductQuantizer(Declared):
        m = Count(most=1 << 16)
        bits = Choice(4, 8)
        codebooks = Learnt(np.float32, ("m", "k", "_size"))

A constructor keeps its explicit signature and assigns: a parameter is checked when it is set. An array that is not
there yet says so when it is asked for. `params`, `arrays` and `from_state` need no line of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from numpy.typing import NDArray

from kinfold.base.errors import not_trained
from kinfold.base.learnt import Held, Part, Scope, Stored
from kinfold.base.parameters import Parameter
from kinfold.base.state import JSON, Arrays, Restorable, add_prefix, check_only, taken

T = TypeVar("T")


class Declared(Restorable):
    """What is declared by attributes of `kinfold.base.parameters` and `kinfold.base.learnt`."""

    # As scikit-learn has it: stored as given, checked by `_check_params` when it learns.
    _CHECKED_LATE: ClassVar[bool] = False
    _PARAMETERS: ClassVar[dict[str, Parameter[Any]]] = {}
    _HELD: ClassVar[dict[str, Held[Any]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).items()
        # What a class declares anew, or overrides by a property, is no longer the base's.
        for table, kinds in (("_PARAMETERS", (Parameter,)), ("_HELD", (Held,))):
            inherited = {n: d for n, d in getattr(cls, table).items() if n not in vars(cls)}
            setattr(cls, table, inherited | {n: d for n, d in own if isinstance(d, kinds)})

    def __repr__(self) -> str:
        shown = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name)
            if value is not parameter.default and value != parameter.default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def _saved_parameters(cls) -> dict[str, Parameter[Any]]:
        """Those that files hold, in the order of the constructor."""
        order = [*inspect.signature(cls).parameters, *cls._PARAMETERS]
        return {n: p for n in order if (p := cls._PARAMETERS.get(n)) is not None and p.saved}

    @classmethod
    def _each(cls, kind: type[T]) -> Iterator[tuple[str, T]]:
        return ((name, d) for name, d in cls._HELD.items() if isinstance(d, kind))

    def params(self) -> dict[str, JSON]:
        """What was chosen, by name."""
        parts = {d.saved: getattr(self, n).params() for n, d in self._each(Part) if not d.bare}
        return {name: getattr(self, name) for name in self._saved_parameters()} | parts

    def arrays(self) -> Arrays:
        """What was learnt, by name. Raises NotTrainedError where nothing was, or where parameters changed since."""
        scope, found = Scope({}, self), dict[str, NDArray[Any]]()
        for name, held in self._HELD.items():
            value = getattr(self, name)
            if isinstance(held, Part):
                found |= add_prefix(held.saved, value.arrays())
            elif isinstance(held, Stored) and value is not None:
                found[held.saved] = array = held.write(value)
                if not scope.fits(scope.sides(held.shape), array.shape):
                    name = type(self).__name__
                    raise not_trained(f"{name}: parameters changed since it learnt: call fit again")
        return found

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The same from its state, adopted without copying. Raises FileFormatError."""
        with taken(cls.__name__):
            return cls._from_state(params, arrays)

    @classmethod
    def _from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        declared, signature = cls._saved_parameters(), inspect.signature(cls).parameters
        parts = {part.saved: part for _, part in cls._each(Part)}
        named = {name for name, part in parts.items() if not part.bare}
        check_only(params, {*declared, *named}, "parameters")
        own = {n: a for n, a in arrays.items() if n.partition(".")[0] not in parts}
        check_only(own, {learnt.saved for _, learnt in cls._each(Stored)}, "arrays")
        chosen = {name: p.from_params(params) for name, p in declared.items()}
        held = {part.name: part.from_state(params, arrays) for part in parts.values()}
        scope = Scope(chosen)
        held |= {
            name: learnt.from_arrays(own, scope)
            for name, learnt in cls._each(Stored)
            if name in signature
        }
        everything = {**chosen, **held}
        made = cls(**{name: v for name, v in everything.items() if name in signature})
        for name, value in everything.items():
            if name not in signature:
                setattr(made, name, value)
        made._check_params()
        scope.made = made
        for name, learnt in cls._each(Stored):
            if name not in signature:
                value = learnt.from_arrays(own, scope)
                if value is not None:
                    setattr(made, name, value)
        made._settle(scope.known)
        return made

    def _check_params(self) -> None:
        """ValueError for the first parameter that is not sound, or for several that do not fit together."""
        if self._CHECKED_LATE:
            for name, parameter in self._PARAMETERS.items():
                parameter.check(getattr(self, name), name)

    def _settle(self, sides: Mapping[str, Any]) -> None:
        """Check what one array cannot tell, and make what follows from arrays. sides : their lengths, by name"""
