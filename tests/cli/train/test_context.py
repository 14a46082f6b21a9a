from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from PIL import Image

from kinfold.cli import main
from kinfold.learn import context
from kinfold.learn.statistics import calibrate

QUICK = ("--epochs", "1", "--batch", "16", "--pairs", "16")


@pytest.fixture(autouse=True)
def little(monkeypatch) -> None:
    """Few pairs are held out, and few squares calibrate."""
    monkeypatch.setattr(context, "_HELD_OUT_PAIRS", 32)
    monkeypatch.setattr(context, "calibrate", partial(calibrate, squares=6))


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory) -> Path:
    """Ten photos in which nine patches fit, one in which they do not, and one that is none. Not to be changed."""
    folder = tmp_path_factory.mktemp("train") / "photos"
    (folder / "sub").mkdir(parents=True)
    random = np.random.default_rng(0)
    for row in range(10):
        coarse = random.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((300, 240)).save(folder / "sub" / f"{row}.png")
    Image.fromarray(coarse).save(folder / "tiny.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff no photo")
    return folder


def test_weights_that_a_gallery_takes(unlabelled, tmp_path, capsys) -> None:
    out, told = tmp_path / "net.safetensors", tmp_path / "told.json"
    command = ["train", "context", str(unlabelled), "-o", str(out), *QUICK, "--rate", "0.01"]
    code = main([*command, "--json", str(told)])
    captured = capsys.readouterr()
    report = json.loads(told.read_text())
    assert report["recipe"] == "context" and len(report["epochs"]) == 1
    assert code == (0 if report["best"] >= 0 else 1), captured.err
    assert "skipped tiny.png: 10 x 8 pixels" in captured.err and "skipped bad.jpg" in captured.err
    assert 0 <= next(iter(report["measured"].values())) <= 1
    if code == 0:
        assert "kinfold index PHOTOS --weights" in captured.out
        gallery = ["index", str(unlabelled / "sub"), "-o", str(tmp_path / "g.kin")]
        assert main([*gallery, "--weights", str(out), "--quiet"]) == 0


def test_what_cannot_be_learnt_from_is_one_line(unlabelled, tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "tiny").mkdir()
    for row in range(12):
        (tmp_path / "tiny" / f"{row}.png").write_bytes((unlabelled / "tiny.png").read_bytes())
    for arguments, words in (
        ([str(tmp_path / "empty")], "expected at least 10"),
        ([str(tmp_path / "tiny")], "10 x 8 pixels: expected 199 at least along either side"),
        ([str(tmp_path / "none")], "does not exist"),
        ([str(unlabelled), "--architecture", "abacus"], "architecture: expected one of"),
        ([str(unlabelled), "--rate", "1e30", *QUICK, "--pairs", "48"], "try a smaller rate"),
        ([str(unlabelled), "--resume"], "holds no training to resume"),
    ):
        output = ["-o", str(tmp_path / f"{len(words)}.safetensors"), "--quiet"]
        assert main(["train", "context", *arguments, *output]) == 2, arguments
        error = capsys.readouterr().err
        assert words in error and len(error.splitlines()) == 1, error
