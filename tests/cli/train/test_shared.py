from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
from kinfold.cli import main
from kinfold.cli.run import _parsers


def test_what_is_given_before_the_recipe_holds_too(classes, weights, tmp_path, capsys) -> None:
    top, _ = _parsers()
    after = top.parse_args(["train", "softmax", "x", "--weights", "w", "--json", "--quiet"])
    before = top.parse_args(["train", "--json", "--quiet", "softmax", "x", "--weights", "w"])
    assert vars(after).keys() == vars(before).keys()
    assert before.json == after.json == "-" and before.quiet and after.quiet
    neither = top.parse_args(["train", "softmax", "x", "--weights", "w"])
    assert neither.json is None and neither.threads is None and not neither.quiet


def test_nothing_is_written_where_training_only_harms(classes, weights, tmp_path, capsys) -> None:
    from kinfold.learn import validation

    scores = iter([0.9, 0.5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "retrieval_score", lambda *_: lambda network: next(scores))
        code = main(
            ["train", "siamese", str(classes), "--weights", str(weights), "--epochs", "1", "--side", "48",
             "-o", str(tmp_path / "n.safetensors"), "--json"]
        )  # fmt: skip
    assert code == 1 and not (tmp_path / "n.safetensors").exists()
    told = json.loads(capsys.readouterr().out)
    assert told["weights"] is None and told["best"] == -1
