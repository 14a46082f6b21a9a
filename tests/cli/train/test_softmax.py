from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.cli import main
from kinfold.features.weights import read_weights
from kinfold.learn import validation


def test_the_last_layer_is_of_the_classes_learnt(classes, weights, tmp_path, monkeypatch) -> None:
    scores = iter([0.1, 0.2])
    monkeypatch.setattr(validation, "retrieval_score", lambda *_: lambda network: next(scores))
    out = tmp_path / "net.safetensors"
    code = main(
        ["train", "softmax", str(classes), "--weights", str(weights), "-o", str(out), "--epochs", "1",
         "--side", "48", "--batch", "6", "--held-out", "0.25", "--quiet"]
    )  # fmt: skip
    assert code == 0
    assert read_weights(out).tensors["classifier.1.weight"].shape == (3, 128)
