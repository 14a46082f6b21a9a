from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.learn.softmax import finetune_softmax
from kinfold.learn.validation import describe_by, retrieval_score


def test_codes_of_what_was_learnt_find_better(tmp_path) -> None:
    """Colours are the loudest thing about these photos; the classes are directions."""
    photos, labels = stripes([60, 20, 8, 30])
    others, theirs = stripes([8, 8, 8, 8], seed=1)

    def describe(network: torch.nn.Module):
        maps = describe_by(others, side=32)(network).reshape(len(others), 12, -1).sum(2)
        return maps / (maps**2).sum(1, keepdims=True) ** 0.5

    validate = retrieval_score(describe, theirs)
    network = small()
    before = validate(network)
    history = finetune_softmax(
        network, photos, labels, epochs=12, batch=16, side=32, rate=0.05, decay=0.95,
        photos_an_epoch=128, validate=validate, patience=12, folder=tmp_path, verbose=False,
    )  # fmt: skip
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert validate(network) == pytest.approx(history.epochs[history.best].score)
    assert validate(network) > before + 0.2
    assert network.classifier[1].out_features == 4


def test_resumed_is_the_same(tmp_path) -> None:
    photos, labels = stripes([6, 3])
    options = {"batch": 4, "side": 32, "verbose": False, "seed": 2}
    whole, parts = small(), small()
    expected = finetune_softmax(whole, photos, labels, epochs=2, **options)
    finetune_softmax(small(), photos, labels, epochs=1, folder=tmp_path, **options)
    assert finetune_softmax(parts, photos, labels, epochs=2, folder=tmp_path, **options) == expected
    assert torch.equal(whole.features[0].weight, parts.features[0].weight)


def test_bad_labels() -> None:
    photos, _ = stripes([2, 2])
    with pytest.raises(ValueError, match="labels: expected 4 ids"):
        finetune_softmax(small(), photos, [0, 1], verbose=False)
    with pytest.raises(ValueError, match="classes"):
        finetune_softmax(small(), photos, [0, 0, 0, 0], verbose=False)
