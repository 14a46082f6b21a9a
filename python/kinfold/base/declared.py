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
from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray

from kinfold.base.learnt import Held, Scope, Stored
from kinfold.base.parameters import Parameter
from kinfold.base.state import JSON, Arrays, Restorable, check_only, taken


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

    def params(self) -> dict[str, JSON]:
        """What was chosen, by name."""
        chosen = {name: getattr(self, name) for name in self._saved_parameters()}
        for name, held in self._HELD.items():
            if held.parameters():
                chosen |= held.to_params(getattr(self, name))
        return chosen

    def arrays(self) -> Arrays:
        """What was learnt, by name. Raises NotTrainedError where nothing was, or where parameters changed since."""
        return {**self._learnt(), **self._undeclared()}

    def _learnt(self) -> Arrays:
        """The arrays that are declared."""
        scope, found = Scope({}, self), dict[str, NDArray[Any]]()
        for name, held in self._HELD.items():
            value = getattr(self, name)
            if value is not None:
                found |= held.to_arrays(value, scope)
        return found

    def _undeclared(self) -> Arrays:
        """Arrays that no declaration tells, such as rows: there may be any number of them."""
        return {}

    @classmethod
    def from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The same from its state, adopted without copying. Raises FileFormatError."""
        with taken(cls.__name__):
            return cls._from_state(params, arrays)

    @classmethod
    def _from_state(cls, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]) -> Any:
        declared, signature = cls._saved_parameters(), inspect.signature(cls).parameters
        table = cls._HELD
        check_only(
            params, set(declared).union(*(h.parameters() for h in table.values())), "parameters"
        )
        chosen = {name: p.from_params(params) for name, p in declared.items()}
        scope = Scope(chosen)
        # Parts first: shapes of arrays may follow from them.
        order = sorted(table, key=lambda name: isinstance(table[name], Stored))
        given = {n: table[n].from_state(params, arrays, scope) for n in order if n in signature}
        made = cls(**{n: v for n, v in {**chosen, **given}.items() if n in signature})
        for name, value in chosen.items():
            if name not in signature:
                setattr(made, name, value)
        made._check_params()
        scope.made = made
        for name in order:
            if name not in signature:
                value = table[name].from_state(params, arrays, scope)
                if value is not None:
                    setattr(made, name, value)
        held = table.values()
        made._take_undeclared(
            {n: a for n, a in arrays.items() if not any(h.holds(n) for h in held)}
        )
        made._settle(scope.known)
        return made

    def _check_params(self) -> None:
        """ValueError for the first parameter that is not sound, or for several that do not fit together."""
        if self._CHECKED_LATE:
            for name, parameter in self._PARAMETERS.items():
                parameter.check(getattr(self, name), name)

    def _take_undeclared(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over arrays that no declaration tells, checked."""
        check_only(arrays, set(), "arrays")

    def _settle(self, sides: Mapping[str, Any]) -> None:
        """Check what one array cannot tell, and make what follows from arrays. sides : their lengths, by name"""
