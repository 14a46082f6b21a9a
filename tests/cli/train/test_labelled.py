from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold import learn
from kinfold.cli import main
from kinfold.cli.train import RECIPES

LABELLED = ("softmax", "siamese", "triplet")
QUICK = ("--epochs", "2", "--batch", "8", "--side", "48", "--held-out", "0.25")


@pytest.mark.parametrize("recipe", LABELLED)
def test_weights_that_a_gallery_takes(recipe, classes, weights, tmp_path, capsys) -> None:
    out, told = tmp_path / "net.safetensors", tmp_path / "told.json"
    code = main(
        ["train", recipe, str(classes), "--weights", str(weights), "-o", str(out), "--rate", "0.05",
         *QUICK, "--json", str(told)]
    )  # fmt: skip
    captured = capsys.readouterr()
    report = json.loads(told.read_text())
    assert report["recipe"] == recipe and len(report["epochs"]) == 2
    before, after = report["measured"].values()
    assert code == (0 if report["best"] >= 0 else 1), captured.err
    assert after == max([before, *(e["score"] for e in report["epochs"])])
    folder = Path(report["folder"])
    assert (folder / "curves.csv").is_file() and (folder / "last.safetensors").is_file()
    if code == 0:
        assert "kinfold index PHOTOS --weights" in captured.out
        gallery = tmp_path / "g.kin"
        assert (
            main(["index", str(classes), "-o", str(gallery), "--weights", str(out), "--quiet"]) == 0
        )


def test_interrupted_it_goes_on(classes, weights, tmp_path, capsys) -> None:
    def run(out: Path, *more: str) -> int:
        return main(
            ["train", "siamese", str(classes), "--weights", str(weights), "-o", str(out), "--quiet",
             "--rate", "0.02", *QUICK, *more]
        )  # fmt: skip

    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    run(whole)
    run(parts, "--epochs", "1")
    assert run(parts) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    run(parts, "--resume")
    folders = [Path(f"{path}.training") for path in (whole, parts)]
    # The rate falls towards the last epoch, which the first run took for its own.
    lines = [(folder / "curves.csv").read_text().splitlines() for folder in folders]
    assert len(lines[0]) == len(lines[1]) == 3 and lines[0][1] == lines[1][1]


@pytest.mark.parametrize("recipe", LABELLED)
def test_what_cannot_be_learnt_from_is_one_line(recipe, classes, weights, tmp_path, capsys) -> None:
    (tmp_path / "one" / "class").mkdir(parents=True)
    for photo in (classes / "spots2").iterdir():
        (tmp_path / "one" / "class" / photo.name).write_bytes(photo.read_bytes())
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ([str(tmp_path / "one"), "--weights", str(weights)], "a folder for each class"),
        ([str(tmp_path / "empty"), "--weights", str(weights)], "a folder for each class"),
        ([str(tmp_path / "none"), "--weights", str(weights)], "does not exist"),
        ([str(classes), "--weights", str(tmp_path / "none")], "no such file"),
        ([str(classes), "--weights", str(weights), "--rate", "1e9", *QUICK], "try a smaller rate"),
        ([str(classes), "--weights", str(weights), "--resume"], "holds no training to resume"),
        (
            [str(classes), "--weights", str(weights), "--device", "abacus"],
            "device: expected such as 'cpu'",
        ),
        ([str(classes), "--weights", str(weights), "-o", str(tmp_path)], "is a folder, not a file"),
    ):
        output = [] if "-o" in arguments else ["-o", str(tmp_path / f"{len(words)}.safetensors")]
        assert main(["train", recipe, *arguments, *output, "--quiet"]) == 2, arguments
        error = capsys.readouterr().err
        assert words in error and len(error.splitlines()) == 1, error


def test_every_recipe_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in RECIPES)
    for name in RECIPES:
        assert main(["train", name, "--help"]) == 0
        # Adapters take minutes, and are written when they are whole.
        assert ("--resume" in capsys.readouterr().out) == (name != "adapter")


def test_an_interruption_says_how_to_go_on(classes, weights, tmp_path, capsys, monkeypatch) -> None:
    from kinfold.learn import loop

    def interrupted(*arguments: object) -> np.ndarray:
        raise KeyboardInterrupt

    out = tmp_path / "net.safetensors"
    start = [
        "train",
        "triplet",
        str(classes),
        "--weights",
        str(weights),
        "-o",
        str(out),
        "--quiet",
        *QUICK,
    ]
    monkeypatch.setattr(loop.Logs, "write", interrupted)
    assert main(start) == 130
    assert capsys.readouterr().err == "kinfold: interrupted; --resume goes on from where it was\n"
    monkeypatch.undo()
    assert main([*start, "--resume"]) in (0, 1)


@pytest.mark.parametrize("recipe", ["siamese", "triplet"])
def test_the_margin_is_that_of_the_loss(
    recipe, classes, weights, tmp_path, capsys, monkeypatch
) -> None:
    given = {}

    def learnt(*_: object, **options: object) -> None:
        given.update(options)
        raise ValueError("enough")

    out = str(tmp_path / "n")
    command = ["train", recipe, str(classes), "--weights", str(weights), "-o", out, "--quiet"]
    assert main([*command, "--margin", "-1"]) == 2
    assert "margin: expected" in capsys.readouterr().err
    monkeypatch.setattr(getattr(learn, recipe), f"finetune_{recipe}", learnt)
    assert main([*command, "--margin", "0.25", "--batch", "24"]) == 2
    assert capsys.readouterr().err == "kinfold: error: enough\n"
    assert (given["margin"], given["classes"], given["architecture"]) == (0.25, 6, "compact")
