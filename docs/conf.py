"""Builds these pages: `sphinx-build -nW docs build/docs` with the `docs` extra and the package installed."""

import importlib
import inspect
import re
from pathlib import Path

import kinfold

project = "Kinfold"
author = "The Kinfold developers"
version = release = kinfold.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "Kinfold"
exclude_patterns = ["pictures", "guides/*.ipynb"]
myst_heading_anchors = 3
# Links to files outside docs/ are for readers of the repository; tests/docs/test_links.py follows every one.
# Nor is the name of a side, such as dim in float32 (n, dim), a reference to any of the attributes of that name.
suppress_warnings = ["myst.xref_missing", "ref.python"]
autodoc_default_options = {"members": True, "inherited-members": "BaseException,Restorable"}
napoleon_use_ivar = True
napoleon_custom_sections = [("Search options", "params_style")]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Types of other packages are named, not linked: the pages are built without a connection.
nitpick_ignore_regex = [(r"py:.*", r"(?!kinfold\.)[\s\S]*"), (r"py:class", r"kinfold\..*\.[^.]*")]


def write_reference(app: object) -> None:
    """A page for each room's public names, and one that lists the pages."""
    folder = Path(__file__).parent / "reference"
    folder.mkdir(exist_ok=True)
    rooms: dict[str, list[str]] = {}
    for name in sorted(kinfold.__all__):
        thing = getattr(kinfold, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            rooms.setdefault(thing.__module__.split(".")[1], []).append(name)
    for room, names in rooms.items():
        about = (importlib.import_module(f"kinfold.{room}").__doc__ or "").strip().splitlines()[0]
        parts = [f"# kinfold.{room}\n\n{about}\n"]
        for name in names:
            kind = "autoclass" if inspect.isclass(getattr(kinfold, name)) else "autofunction"
            parts.append(f"```{{eval-rst}}\n.. {kind}:: kinfold.{name}\n```\n")
        write(folder / f"kinfold.{room}.md", "\n".join(parts))
    for page in {*folder.glob("*.md")} - {
        folder / f"{name}.md" for name in ("index", *(f"kinfold.{room}" for room in rooms))
    }:
        page.unlink()
    pages = "\n".join(f"kinfold.{room}" for room in sorted(rooms))
    rows = "\n".join(
        f"| [{room}](kinfold.{room}.md) | {', '.join(f'`{name}`' for name in names)} |"
        for room, names in sorted(rooms.items())
    )
    head = "# Reference\n\nEverything that `import kinfold as kf` offers.\n\n| room | names |\n|---|---|\n"
    write(folder / "index.md", f"{head}{rows}\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n")


def write(page: Path, text: str) -> None:
    """Only where it differs, so that nothing is built twice."""
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


FIELD = re.compile(
    r"(\*{0,2}[A-Za-z_][\w.]*(?:, \*{0,2}[A-Za-z_][\w.]*)*)((?: \([^)]*\))? :(?: .*)?)$"
)
SECTIONS = {"Parameters": "param", "Attributes": "ivar"}


def as_fields(
    app: object, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Lines such as ``x : vectors (n, d)``, by which docstrings say what arguments are, as fields that Sphinx knows."""
    out: list[str] = []
    role, names, text, foreign, skip = "param", "", "", False, 0
    for at, line in enumerate([*lines, ""]):
        if skip:
            skip -= 1
            continue
        if names and line.startswith(" ") and line.strip():
            text += " " + line.strip()
            continue
        if names:
            escaped = text.replace("|", "\\|")
            out.extend(f":{role} {each}: {escaped}" for each in names.split(", "))
            names = ""
            if line.strip() and not FIELD.match(line):
                out.append("")
        if at + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[at + 1].strip()):
            foreign, role = line.strip() not in SECTIONS, SECTIONS.get(line.strip(), "param")
            skip = 0 if foreign else 1  # napoleon knows the others
            if skip:
                continue
        field = None if foreign else FIELD.match(line)
        if field:
            names, text = field[1].replace("*", ""), field[2].lstrip(" :")
            if out and not out[-1].startswith(f":{role}"):
                out.append("")
        else:
            out.append(line if foreign else re.sub(r"(?<![\\`])\|", r"\\|", line))
    lines[:] = out


def setup(app: object) -> None:
    """Sphinx's hook."""
    app.connect("builder-inited", write_reference)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", as_fields, priority=400)  # type: ignore[attr-defined]
