from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    assert (history.best, history.stopped) == (1, True)
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
