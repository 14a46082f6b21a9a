from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from small import Small, small

from kinfold.learn.loop import Epoch, History, train


def batches(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(4):
        labels = torch.randint(0, 3, (8,), generator=generator)
        images = torch.rand(8, 3, 20, 20, generator=generator) + labels[:, None, None, None].float()
        yield images, labels


def loss(network: Small, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(network(batch[0]), batch[1])


def run(network: Small, epochs: int, folder: Path | None = None, **options: object) -> History:
    return train(
        network,
        batches,
        loss,
        epochs=epochs,
        folder=folder,
        rate=0.02,
        decay=0.9,
        verbose=False,
        **options,
    )


def same(a: Small, b: Small) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


def test_the_loss_falls_and_statistics_stay() -> None:
    network = small()
    before = network.features[1].running_mean.clone()
    history = run(network, 8)
    assert history.epochs[-1].loss < 0.85 * history.epochs[0].loss
    assert [e.rate for e in history.epochs[:2]] == [0.02, pytest.approx(0.018)]
    assert torch.equal(before, network.features[1].running_mean)
    assert (history.best, history.stopped, network.training) == (7, False, False)
    assert history.epochs[0].score is None


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path) -> None:
    whole, parts = small(), small()
    expected = run(whole, 5)
    run(parts, 2, tmp_path)
    again = small(9)  # whatever the process that resumes began with
    history = run(again, 5, tmp_path)
    assert same(again, whole) and history == expected
    assert (tmp_path / "best.safetensors").is_file()
    assert run(small(), 5, tmp_path) == expected, "nothing is left to do"
    fresh = small()
    run(fresh, 1, tmp_path, resume=False)
    assert not same(fresh, whole)


def test_the_best_score_is_kept_and_decides_when_to_stop(tmp_path) -> None:
    scores = iter([0.1, 0.3, 0.5, 0.4, 0.2])
    states: list[Small] = []

    def validate(network: Small) -> float:
        copy = Small()
        copy.load_state_dict(network.state_dict())
        states.append(copy)
        return next(scores)

    network = small()
    history = run(network, 20, tmp_path, validate=validate, patience=2)
    assert [e.score for e in history.epochs] == [0.3, 0.5, 0.4, 0.2]
    assert (history.best, history.stopped, history.before) == (1, True, 0.1)
    assert same(network, states[2])
    # Resumed, it is stopped still, and has the best weights.
    again = small(4)
    assert run(again, 20, tmp_path, validate=lambda _: 0.0, patience=2) == history
    assert same(again, states[2])


def test_training_that_only_harms_gives_the_network_back() -> None:
    scores = iter([0.9, 0.5, 0.4])
    network, before = small(), small()
    history = run(network, 5, validate=lambda _: next(scores), patience=2)
    assert history.best == -1 and history.stopped and same(network, before)


def test_groups_have_their_own_rates() -> None:
    network, before = small(), small()
    head = list(network.classifier.parameters())
    body = list(network.features.parameters())
    run(network, 1, parameters=[{"params": body, "lr": 0.0}, {"params": head}])
    assert torch.equal(network.features[0].weight, before.features[0].weight)
    assert not torch.equal(network.classifier[1].weight, before.classifier[1].weight)


def test_what_goes_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="rate: the loss is nan after 0 batches"):
        train(small(), batches, lambda n, b: loss(n, b) * torch.nan, epochs=1, verbose=False)
    with pytest.raises(ValueError, match="batches: expected at least one"):
        train(small(), lambda epoch: [], loss, epochs=1, verbose=False)
    assert Epoch(0, 0.1, 2.0, None).score is None


# Kills itself in the middle of the second epoch, after a checkpoint within it.
KILLED = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
import test_loop, torch
from small import small
torch.set_num_threads({threads})  # sums are of as many parts as there are threads
given = test_loop.batches
def dying(epoch):
    for number, batch in enumerate(given(epoch)):
        if epoch == 1 and number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch
test_loop.batches = dying
test_loop.run(small(), 3, sys.argv[1], **test_loop.OPTIONS[sys.argv[2]])
"""
OPTIONS: dict[str, dict[str, object]] = {
    "sgd": {"save_every": 0.0},
    "adam": {"save_every": 0.0, "optimiser": "adam", "precision": "bfloat16", "statistics": True},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_killed_within_an_epoch_it_goes_on_to_the_same_bits(tmp_path, options) -> None:
    program = KILLED.format(tests=str(Path(__file__).parent), threads=torch.get_num_threads())
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), options], timeout=250)
    assert done.returncode == -9
    import json

    from kinfold.features.safetensors import read_safetensors

    state = json.loads(read_safetensors(tmp_path / "last.safetensors")[1]["progress"])
    assert len(state["curves"]) == 1 and state["batches"] == 3
    whole, again = small(), small(7)
    expected = run(whole, 3, **OPTIONS[options])
    history = run(again, 3, tmp_path, **OPTIONS[options])
    assert history == expected and same(again, whole)
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert [float(line.split(",")[2]) for line in lines[1:]] == [e.loss for e in expected.epochs]


def test_accumulated_batches_are_one_larger_batch() -> None:
    images = torch.rand(12, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3

    def learn(size: int, **options: int) -> Small:
        network = small()
        network.classifier[0].p = 0.0
        parts = [(images[i : i + size], labels[i : i + size]) for i in range(0, 12, size)]
        train(network, lambda epoch: parts, loss, epochs=2, rate=0.05, verbose=False, **options)
        return network

    one, several = learn(12), learn(4, accumulate=3)
    for a, b in zip(one.parameters(), several.parameters()):
        assert torch.allclose(a, b, atol=1e-6)
    # A last step of fewer batches is their mean too.
    rest = learn(4, accumulate=2)
    assert not torch.allclose(rest.features[0].weight, one.features[0].weight, atol=1e-6)


def test_long_gradients_are_shortened() -> None:
    network, before = small(), small()
    batch = next(batches(0))
    train(
        network, lambda epoch: [batch], loss, epochs=1, rate=1.0, momentum=0.0, weight_decay=0.0,
        clip=1e-3, verbose=False,
    )  # fmt: skip
    moved = sum(
        float((a - b).detach().square().sum())
        for a, b in zip(network.parameters(), before.parameters())
    )
    assert moved**0.5 == pytest.approx(1e-3, rel=1e-3)


def test_statistics_are_learnt_where_asked() -> None:
    network = small()
    before = network.features[1].running_mean.clone()
    run(network, 1, statistics=True)
    assert not torch.equal(before, network.features[1].running_mean)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_nearly_the_same(precision) -> None:
    half, full = small(), small()
    for network in (half, full):
        network.classifier[0].p = 0.0
    a, b = run(half, 3, precision=precision), run(full, 3)
    assert half.features[0].weight.dtype == torch.float32
    for ours, theirs in zip(a.epochs, b.epochs):
        assert ours.loss == pytest.approx(theirs.loss, rel=0.02)
    assert not same(half, full)


def test_what_is_mined_is_kept_between_epochs_and_runs(tmp_path) -> None:
    def learn(epochs: int, folder: Path | None) -> tuple[list[object], History]:
        calls: list[object] = []

        def mine(network, epoch, former):
            assert not network.training and not torch.is_grad_enabled()
            calls.append((epoch, None if former is None else former["rows"].tolist()))
            return {"rows": np.arange(epoch, epoch + 3)}

        def mined(epoch, found):
            assert found["rows"].tolist() == [epoch, epoch + 1, epoch + 2]
            yield from batches(int(found["rows"].sum()))

        network = small()
        return calls, train(
            network, mined, loss, epochs=epochs, mine=mine, folder=folder, verbose=False
        )

    whole, expected = learn(3, None)
    assert whole == [(0, None), (1, [0, 1, 2]), (2, [1, 2, 3])]
    learn(2, tmp_path)
    rest, history = learn(3, tmp_path)
    assert rest == whole[2:] and history == expected


def test_a_backbone_with_a_head_leaves_the_backbone(tmp_path) -> None:
    class Headed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = small()
            self.head = torch.nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.backbone(x))

    from kinfold.features.weights import read_weights

    network = Headed()
    run(network, 1, tmp_path)
    tensors = read_weights(tmp_path / "best.safetensors").tensors
    assert set(tensors) == set(small().state_dict())
    assert torch.equal(tensors["features.0.weight"], network.backbone.features[0].weight)
    again = Headed()
    run(again, 1, tmp_path)
    assert torch.equal(again.head.weight, network.head.weight), "all of it goes on"


def test_time_left_is_told() -> None:
    from kinfold.learn.loop import _left

    assert _left(0.0, 0, 5) == "" and _left(60.0, 1, 4) == ", 4 min left"
