"""Writes docs/parameters.md: what the parameters of each class may be, and what a file holds of it, as declared.

python dev/parameters.py [FILE]
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from kinfold.base.declared import Declared
from kinfold.base.learnt import Part, Stored
from kinfold.base.registry import kinds, resolve

PAGE = Path(__file__).resolve().parents[1] / "docs" / "parameters.md"
# Classes that need more than numpy to be looked at.
HEAVY = ("features.", "gallery.")
HEAD = """# Parameters

What the parameters of each class may be, and the arrays that a saved file holds of it. `dev/parameters.py` writes
this page from the classes' own declarations. Sides of one name are of one length.
"""


def shape(held: Stored[Any]) -> str:
    """The sides of an array, as they are declared."""
    sides = held.shape if isinstance(held.shape, tuple) else (held.shape,)
    names = ["any" if side is None else str(side).strip("_") for side in sides]
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def section(kind: str, target: str, cls: type[Declared]) -> str:
    """The tables of one class."""
    said = f"In files: `{kind}`."
    if spelling := getattr(target, "spelling", ""):
        said += f" In `index_factory`: `{spelling}`."
    lines = [f"\n## {cls.__name__}\n", f"{said}\n"]
    signature = inspect.signature(cls).parameters
    names = [name for name in [*signature, *cls._PARAMETERS] if name in cls._PARAMETERS]
    if names:
        lines += ["| parameter | default | may be |", "|---|---|---|"]
        for name in dict.fromkeys(names):
            default = signature[name].default if name in signature else "learnt"
            shown = "" if default is inspect.Parameter.empty else f"`{default!r}`"
            shown = "learnt" if default == "learnt" else shown
            lines.append(f"| `{name}` | {shown} | {cls._PARAMETERS[name].expected} |")
    rows = [
        f"| `{held.saved}` | {held.dtype} | {shape(held)}{', may be missing' if held.optional else ''} |"
        if isinstance(held, Stored)
        else f"| `{held.saved}.…` | | those of {held.cls.__name__} |"
        for held in cls._HELD.values()
        if isinstance(held, (Stored, Part))
    ]
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
