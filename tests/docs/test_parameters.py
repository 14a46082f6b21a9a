"""The page of parameters is what the classes declare."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_parameters_is_current() -> None:
    made = runpy.run_path(str(ROOT / "dev" / "parameters.py"))["page"]()
    assert (ROOT / "docs" / "parameters.md").read_text() == made, "run python dev/parameters.py"
