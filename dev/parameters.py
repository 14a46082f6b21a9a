"""Writes docs/parameters.md: what the parameters of each class may be, and what a file holds of it, as declared.

python dev/parameters.py [FILE]
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from kinfold.base.declared import Declared
from kinfold.base.learnt import Held, Part, Stored
from kinfold.base.registry import kinds, resolve

PAGE = Path(__file__).resolve().parents[1] / "docs" / "parameters.md"
# Classes that need more than numpy to be looked at.
HEAVY = ("features.", "gallery.", "learn.")
HEAD = """# Parameters

What the parameters of each class may be, and the arrays that a saved file holds of it. `dev/parameters.py` writes
this page from the classes' own declarations. Sides of one name are of one length.
"""


def shape(held: Stored[Any, Any]) -> str:
    """The sides of an array, as they are declared."""
    sides = held.shape if isinstance(held.shape, tuple) else (held.shape,)
    names = ["any" if side is None else str(side).strip("_") for side in sides]
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def arrays(held: Held[Any]) -> list[str]:
    """What of a declaration stands among the arrays of a file."""
    if isinstance(held, Stored):
        may = ", may be missing" if held.optional or held.when else ""
        return [f"| `{held.saved}` | {held.dtype} | {shape(held)}{may} |"]
    if isinstance(held, Part):
        of = "the part" if held.cls is None else held.cls.__name__
        return [f"| `{held.saved}.…` | | those of {of}{', if any' if held.optional else ''} |"]
    return [f"| `{name}` | float32 | (dim,) |" for name in ("centre", "scale") if held.holds(name)]


def section(kind: str, target: str, cls: type[Declared]) -> str:
    """The tables of one class."""
    said = f"In files: `{kind}`."
    if spelling := getattr(target, "spelling", ""):
        said += f" In `index_factory`: `{spelling}`."
    lines = [f"\n## {cls.__name__}\n", f"{said}\n"]
    signature = inspect.signature(cls).parameters
    shown = {n for n, p in cls._PARAMETERS.items() if n in signature or p.saved}
    names = [name for name in [*signature, *cls._PARAMETERS] if name in shown]
    if names:
        lines += ["| parameter | default | may be |", "|---|---|---|"]
        for name in dict.fromkeys(names):
            default = signature[name].default if name in signature else "learnt"
            given = "" if default is inspect.Parameter.empty else f"`{default!r}`"
            given = "learnt" if default == "learnt" else given
            lines.append(f"| `{name}` | {given} | {cls._PARAMETERS[name].expected} |")
    rows = [row for held in cls._HELD.values() for row in arrays(held)]
    if rows:
        lines += ["", "| array | type | shape |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page."""
    light = {kind: target for kind, target in kinds().items() if not kind.startswith(HEAVY)}
    return HEAD + "".join(
        section(kind, target, cls)
        for kind, target in sorted(light.items())
        if issubclass(cls := resolve(target), Declared)
    )


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page())
