from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.learn.losses import ContrastiveLoss
from kinfold.learn.metric import descriptor_parameters, finetune_metric
from kinfold.learn.mine import Hardest


def test_resumed_is_the_same_and_the_last_layer_is_left_alone(tmp_path) -> None:
    photos, labels = stripes([6, 5, 1])
    options = {
        "loss": ContrastiveLoss(), "miner": Hardest(), "side": 32, "verbose": False, "seed": 2,
        "classes": 2, "photos_of_each": 3, "pooling": "spoc", "rate": 0.01,
    }  # fmt: skip
    whole, parts = small(), small()
    expected = finetune_metric(whole, photos, labels, epochs=2, **options)
    finetune_metric(small(), photos, labels, epochs=1, folder=tmp_path, **options)
    assert finetune_metric(parts, photos, labels, epochs=2, folder=tmp_path, **options) == expected
    assert torch.equal(whole.features[0].weight, parts.features[0].weight)
    assert torch.equal(whole.classifier[1].weight, small().classifier[1].weight)


def test_miners_of_another_library(tmp_path) -> None:
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    photos, labels = stripes([4, 4])
    history = finetune_metric(
        small(), photos, labels, loss=ContrastiveLoss(), miner=miners.BatchHardMiner(), side=32,
        epochs=1, verbose=False,
    )  # fmt: skip
    assert history.best == 0


def test_what_cannot_be_learnt_from() -> None:
    photos, _ = stripes([2, 2])
    options = {"loss": ContrastiveLoss(), "miner": Hardest(), "epochs": 1, "verbose": False}
    with pytest.raises(ValueError, match="labels: expected 4 ids"):
        finetune_metric(small(), photos, [0, 1], **options)
    with pytest.raises(ValueError, match="two classes"):
        finetune_metric(small(), photos, [0] * 4, **options)
    with pytest.raises(ValueError, match="batches_an_epoch"):
        finetune_metric(small(), photos, [0, 0, 1, 1], batches_an_epoch=0, **options)


def test_parameters_that_descriptors_depend_on() -> None:
    from kinfold.learn.descriptor import Descriptor

    network = small()
    named = {id(p): name for name, p in network.named_parameters()}
    assert {named[id(p)].split(".")[0] for p in descriptor_parameters(Descriptor(network))} == {
        "features"
    }


def test_samplers_of_another_library() -> None:
    """Batches are whatever they are: the loop asks for nothing but their dependence on the epoch."""
    samplers = pytest.importorskip("pytorch_metric_learning.samplers")
    import numpy as np

    from kinfold.learn.descriptor import Descriptor
    from kinfold.learn.loop import train

    photos, labels = stripes([4, 4, 4])
    images = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 255

    def batches(epoch: int):
        np.random.seed(epoch)  # noqa: NPY002, theirs draws from it
        sampler = samplers.MPerClassSampler(labels, 2, batch_size=6, length_before_new_iter=12)
        for rows in torch.tensor(list(sampler)).split(6):
            yield images[rows], labels[rows]

    loss, miner = ContrastiveLoss(), Hardest()

    def value(network, batch):
        descriptors = network(batch[0])
        return loss.of(descriptors, miner(descriptors.detach(), batch[1]))

    runs = []
    for _ in range(2):
        descriptor = Descriptor(small(), pooling="spoc")
        runs.append(train(descriptor, batches, value, epochs=3, rate=0.02, verbose=False))
    assert runs[0] == runs[1] and runs[0].epochs[-1].loss < runs[0].epochs[0].loss
