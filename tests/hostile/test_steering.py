"""Arrays and parameters that lie, under checksums that are right: refused when loaded, or harmless.

A child process takes a tiny thing of each kind, and variants with other parts, changes what a file of it would hold,
loads that, and asks it everything. Loading raises FileFormatError alone; a verb of what loaded answers or raises an
error of ours; and each mutant keeps within a budget of time and memory.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import FACTORIES

sys.path.insert(0, str(Path(__file__).parent))

from verbs import VARIANTS

EACH, DRAWN = 6, 20
FUZZER = Path(__file__).parent / "fuzz.py"


def wrong(name: str, folder: Path, *budget: int, seconds: int) -> list[str]:
    """What a child finds wrong with mutants of a kind or variant."""
    if name.startswith("gallery"):
        pytest.importorskip("cv2")
    if name.startswith(("features", "learn")):
        pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, str(FUZZER), name, str(folder), *map(str, budget)],
        capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [f"{line['mutant']} -> {line['wrong']}" for line in lines if "wrong" in line]
    if done.returncode:
        at = folder / "at"
        last = at.read_text() if at.exists() else "the thing itself"
        found.append(f"died ({done.returncode}) of {last}: {done.stderr[-2000:]}")
    else:
        assert lines[-1]["asked"] > 20
    return found


@pytest.mark.parametrize("name", [*FACTORIES, *VARIANTS])
@pytest.mark.slow
def test_mutants_are_refused_or_harmless(name: str, tmp_path: Path) -> None:
    each = 4 * EACH if name.startswith(("features", "learn")) else EACH  # a network runs in each
    assert not wrong(name, tmp_path, 0, each, DRAWN, seconds=280)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [*FACTORIES, *VARIANTS])
def test_many_mutants_are_refused_or_harmless(name: str, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)  # said in the message: the child repeats it
    found = wrong(name, tmp_path, seed, 1, 5000, seconds=3600)
    assert not found, f"seed {seed}: {found}"
