"""Writes the stubs of the compiled module anew: ``python dev/stubs.py [folder]``.

Without a folder they go where they belong, beside the sources, to be committed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / "python" / "kinfold" / "_core"


def write(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as fresh:
        subprocess.run(
            [sys.executable, "-m", "pybind11_stubgen", "kinfold._core", "-o", fresh], check=True
        )
        made = Path(fresh) / "kinfold" / "_core"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in sorted(made.rglob("*.pyi")):
            text = re.sub(r"^compiler: str = .*$", "compiler: str", file.read_text(), flags=re.M)
            text = re.sub(r"\btuple(?=:$)", "tuple[typing.Any, ...]", text, flags=re.M)
            (folder / file.name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HOME)
