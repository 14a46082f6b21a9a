from __future__ import annotations

import pytest

from kinfold.learn.schedule import rate_share


def shares(name: str, epochs: int = 4) -> list[float]:
    return [rate_share(name, e, epochs, decay=0.5, step=2) for e in range(epochs)]


def test_by_hand() -> None:
    assert shares("constant") == [1, 1, 1, 1]
    assert shares("exponential") == [1, 0.5, 0.25, 0.125]
    assert shares("step") == [1, 1, 0.5, 0.5]
    assert shares("cosine") == pytest.approx([1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2])


def test_unknown() -> None:
    with pytest.raises(ValueError, match="schedule: expected one of exponential, step, cosine"):
        shares("linear")


def test_as_of_torch() -> None:
    torch = pytest.importorskip("torch")
    schedulers = torch.optim.lr_scheduler
    for name, make in {
        "cosine": lambda o: schedulers.CosineAnnealingLR(o, 4),
        "step": lambda o: schedulers.StepLR(o, 2, 0.5),
        "exponential": lambda o: schedulers.ExponentialLR(o, 0.5),
    }.items():
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler, theirs = make(optimiser), []
        for _ in range(4):
            theirs.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step()
        assert shares(name) == pytest.approx(theirs), name
