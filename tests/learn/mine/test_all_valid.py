from __future__ import annotations

import numpy as np
import pytest
from oracle import batch, told, valid

from kinfold.learn.mine.all_valid import AllValid


def test_every_triplet_once() -> None:
    x, labels = batch()
    found = told(AllValid()(x, labels))
    assert found == sorted(valid(labels))


def test_one_class_has_none() -> None:
    assert told(AllValid()(np.eye(4), [1] * 4)) == []


def test_as_of_another_library() -> None:
    torch = pytest.importorskip("torch")
    utils = pytest.importorskip("pytorch_metric_learning.utils.loss_and_miner_utils")
    x, labels = batch(1)
    theirs = utils.get_all_triplets_indices(torch.from_numpy(labels))
    assert told(AllValid()(torch.from_numpy(x), torch.from_numpy(labels))) == sorted(told(theirs))
