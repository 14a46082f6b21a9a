"""Matplotlib's figures as files."""

from __future__ import annotations

import io
import os
from typing import Any

from kinfold.io.atomic import replace_file


def write_png(path: str | os.PathLike[str], figure: Any) -> None:
    """Write a figure as PNG, whatever the file is called; whole or not at all."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with replace_file(path) as file:
        file.write(picture.getvalue())
