"""The table of systems: written by its script, and true of code, pages, programs and results."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import kinfold as kf
from kinfold.report.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("systems_page", ROOT / "dev" / "systems.py")
made = importlib.util.module_from_spec(SPEC)
sys.modules["systems_page"] = made
SPEC.loader.exec_module(made)
ALL = [each for systems in made.SYSTEMS.values() for each in systems]
by_system = pytest.mark.parametrize("system", ALL, ids=lambda each: each.name)
# What each command wants besides options.
PLACES = {
    "index": ["p"], "search": ["g", "q"], "groups": ["g"], "locate": ["g", "q"], "eval": [], "figures": [],
    "dedup": ["g"], "watch": ["p"],
}  # fmt: skip
# What the subject has, in its order: each is one of the systems.
SUBJECT = """
visual words · bag of words · inverted file · RANSAC · re-ranking · location and landmark recognition · average
precision · Oxford5k · Paris6k · Holidays · ASMK · VLAD · Fisher vector · triangulation embedding · exact search ·
NBNN · k-d tree · randomized k-d trees · locality-sensitive hashing · vector quantization · product quantization ·
inverted index · inverted multi-index · principal component analysis · optimized product quantization · locally
optimized product quantization · local PCA · Isomap · kernel PCA · locally linear embedding · Laplacian eigenmaps ·
image ranking · neural codes · fine-tuned codes · regional features · R-MAC · MAC · SPoC · CroW · siamese ·
contrastive · triplet · DrLIM · digits · cylinder · context · video · deep image retrieval · bags of words and 3-d
reconstruction · random walk · conjugate gradients · several queries · regional diffusion · mining on manifolds · GeM
· whitening · what is hard
"""


def test_the_pages_are_what_the_script_writes() -> None:
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run python dev/systems.py"
    text = made.README.read_text(encoding="utf-8")
    assert text == made.readme(text), "run python dev/systems.py"
    assert text.count(made.BEGIN) == text.count(made.END) == 1 and "| `" not in made.END


def test_every_system_of_the_subject_is_there() -> None:
    names = "\n".join(each.name for each in ALL)
    wanted = [" ".join(name.split()) for name in SUBJECT.split("·")]
    assert [name for name in wanted if name not in names] == []
    assert len({each.name for each in ALL}) == len(ALL)


@by_system
def test_what_is_named_exists(system) -> None:
    assert system.here and system.pages
    for name in system.here:
        if name.startswith("kinfold "):
            check_command(shlex.split(name)[1:])
        elif name.startswith('"'):
            kf.index_factory(name.strip('"'), 128)
        else:
            attribute(name)
    for page in system.pages:
        assert (ROOT / "docs" / "methods" / f"{page}.md").is_file()
    for program in system.measured:
        assert (ROOT / "benchmarks" / program).is_file()
    assert not system.figure or system.figure in FIGURES


@by_system
def test_what_is_quoted_stands_in_the_results(system) -> None:
    """Each number of a result in its section, with or without the zero before the point."""
    if not system.section:
        assert not numbers(system.result), "a number needs a section of RESULTS.md"
        return
    assert system.measured, "who measured it?"
    assert numbers(system.result) - numbers(sections()[system.section]) == set()


def test_anchors_are_those_of_the_headings() -> None:
    assert made.anchor("Tracking, and learning from it") == "tracking-and-learning-from-it"
    assert made.anchor("Learning from one's own photos") == "learning-from-ones-own-photos"
    assert len({made.anchor(title) for title in sections()}) == len(sections())


def test_numbers_are_told_from_words() -> None:
    assert numbers("mAP 0.60 of 1,000; .6, 25% at −0.039 (k = 3).") == {
        ".60",
        "1,000",
        ".6",
        "25",
        ".039",
        "3",
    }


def numbers(text: str) -> set[str]:
    found = re.findall(r"\d[\d,]*\.?\d*|\.\d+", text)
    return {re.sub(r"^0(?=\.)", "", number.strip(",").rstrip(".")) for number in found}


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", made.RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def attribute(name: str) -> Any:
    """What a dotted name below the package is."""
    found: Any = kf
    path = "kinfold"
    for part in name.split("."):
        path += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            found = importlib.import_module(path)
    return found


def check_command(words: list[str]) -> None:
    """A command line that is parsed, and figures that are there."""
    from kinfold.cli.run import parser
    from kinfold.cli.train import RECIPES

    name, *options = words
    if name == "train":
        assert options[0] in RECIPES and len(options) == 1
        return
    if name == "eval" and not options:
        options = ["--ground-truth", "x"]
    parser().parse_args([name, *PLACES[name], *options])
    if name == "figures":
        assert options[0] in FIGURES
