"""Every relative link of the pages leads to a file that is there, and to a heading that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "docs" / "reference"  # when the site is built
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent != MADE),
    ROOT / "benchmarks" / "RESULTS.md",
]


def anchors(page: Path) -> set[str]:
    """Headings as GitHub and MyST name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        where = (page.parent / name).resolve() if name else page
        assert where.exists(), f"{page.name}: {target}"
        if anchor and where.suffix == ".md":
            assert anchor in anchors(where), f"{page.name}: {target}"


def test_every_method_has_its_line_in_the_table() -> None:
    folder = ROOT / "docs" / "methods"
    listed = set(re.findall(r"\(([\w]+\.md)\)", (folder / "index.md").read_text()))
    assert {page.name for page in folder.glob("*.md")} - {"index.md"} == listed


def test_programs_that_pages_name_are_there() -> None:
    for page in PAGES:
        text = page.read_text()
        named = re.findall(r"`(benchmarks/[\w/]+\.py)", text)
        run = re.findall(r"python -m (benchmarks[\w.]+)", text)
        for name in named + [f"{module.rstrip('.').replace('.', '/')}.py" for module in run]:
            assert (ROOT / name).exists(), f"{page.name}: {name}"
