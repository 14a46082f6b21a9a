"""Files of every released format open for ever and answer as they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import FACTORIES, use

import kinfold as kf

FILES = sorted((Path(__file__).parent / "files").glob("v*/*.kin"))


def test_every_kind_has_a_golden_file() -> None:
    assert {path.stem for path in FILES} == set(FACTORIES)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_old_files_answer_as_they_did(path: Path, mmap: bool) -> None:
    kind = path.stem
    if kind.startswith("gallery"):
        pytest.importorskip("cv2")
    if kind.startswith(("features", "learn")):
        pytest.importorskip("torch")
    answer = use(kind, kf.load(path, mmap=mmap))
    parts = answer if isinstance(answer, tuple) else (answer,)
    with np.load(path.with_name(f"{kind}.answer.npz")) as expected:
        assert len(parts) == len(expected.files)
        for part, name in zip(parts, expected.files):
            np.testing.assert_allclose(
                np.asarray(part, np.float64), expected[name], rtol=1e-5, atol=1e-6
            )
