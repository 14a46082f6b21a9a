from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold import learn
from kinfold.cli import main


def test_the_margin_is_that_of_the_loss(classes, weights, tmp_path, capsys, monkeypatch) -> None:
    given = {}

    def learnt(*_: object, **options: object) -> None:
        given.update(options)
        raise ValueError("enough")

    monkeypatch.setattr(learn.triplet, "finetune_triplet", learnt)
    command = [
        "train",
        "triplet",
        str(classes),
        "--weights",
        str(weights),
        "-o",
        str(tmp_path / "n"),
    ]
    assert main([*command, "--margin", "0.25", "--batch", "24", "--quiet"]) == 2
    assert capsys.readouterr().err == "kinfold: error: enough\n"
    assert (given["margin"], given["classes"], given["architecture"]) == (0.25, 6, "compact")


def test_a_margin_below_zero(classes, weights, tmp_path, capsys) -> None:
    command = [
        "train",
        "triplet",
        str(classes),
        "--weights",
        str(weights),
        "-o",
        str(tmp_path / "n"),
    ]
    assert main([*command, "--margin", "-1", "--quiet"]) == 2
    assert "margin: expected" in capsys.readouterr().err
