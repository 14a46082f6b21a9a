"""Writes docs/figures.md, and with --draw the pictures in it: what `kinfold figures` draws, one after the other.

python dev/figures.py [--draw WEIGHTS [NAME ...]]
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from pathlib import Path

from kinfold.base.registry import resolve
from kinfold.report.figures import FIGURES

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PICTURES = DOCS / "figures.md", DOCS / "pictures" / "figures"
HEAD = """# Figure by figure

How search works, in pictures that are computed by what they show. `kinfold figures` draws all of them,
`kinfold figures NAME` one, `--gif` those that move; it needs the extra `plot`. `dev/figures.py` writes this page.
"""
LEARNT = """
## What takes longer to learn

Maps, patches and pairs of real photos, digits and videos take minutes or more. The programs that measure them
draw them: [maps of digits, of an airplane and of turned objects](methods/drlim.md), [the nearest patches by a network
that has learnt from context](methods/context.md), [pairs that were tracked in videos](methods/video.md).
"""
# Of the pictures on the page: enough for lines and dots.
COLOURS = 128


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for name, figure in FIGURES.items():
        caption = " ".join((inspect.getdoc(resolve(figure.target)) or "").split())
        weights = " --weights FILE" if figure.weights else ""
        of = ", ".join(f"`{each}`" for each in figure.classes)
        parts.append(
            f"## {figure.title}\n\n![{figure.title}](pictures/figures/{name}.png)\n\n{caption}\n\n"
            f"`kinfold figures {name}{weights}` · {of}\n"
        )
    return "\n".join(parts) + LEARNT


def draw(weights: str, names: list[str]) -> None:
    """Draw all, or some, in few colours."""
    from PIL import Image

    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names or FIGURES:
            figure = FIGURES[name]
            path = Path(folder) / f"{name}.png"
            resolve(figure.target)(path, *((weights,) if figure.weights else ()))
            picture = Image.open(path).convert("RGB")
            # By an octree: cuts at medians lose the colour of few dots.
            few = picture.quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
            few.save(PICTURES / path.name, optimize=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--draw"]:
        draw(sys.argv[2], sys.argv[3:])
    PAGE.write_text(page(), encoding="utf-8")
