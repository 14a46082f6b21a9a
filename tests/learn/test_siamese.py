from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.learn import finetune_siamese
from kinfold.learn.validation import describe_pooled, retrieval_score


def test_descriptors_of_other_classes_find_better() -> None:
    """Colours are the loudest thing about these photos; the classes are directions, of which one is never learnt."""
    photos, labels = stripes([24, 24, 24])
    others, theirs = stripes([8, 8, 8, 8], seed=1)
    score = retrieval_score(describe_pooled(others, pooling="spoc"), theirs)
    network = small()
    before = score(network)
    finetune_siamese(
        network, photos, labels, rate=0.05, epochs=4, batches_an_epoch=40, side=32, classes=3,
        pooling="spoc", verbose=False,
    )  # fmt: skip
    assert score(network) > before + 0.3
