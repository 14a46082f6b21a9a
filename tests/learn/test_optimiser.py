from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from small import small

from kinfold.base.errors import FileFormatError
from kinfold.learn.optimiser import (
    OPTIMISERS,
    grouped,
    load_optimiser,
    make_optimiser,
    optimiser_arrays,
)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_stored_state_goes_on_the_same(name) -> None:
    def step(network, optimiser, seed) -> None:
        torch.manual_seed(seed)
        optimiser.zero_grad()
        network(torch.rand(2, 3, 20, 20)).square().sum().backward()
        optimiser.step()

    def fresh():
        network = small()
        groups, _ = grouped(network, None)
        return network, make_optimiser(name, groups, rate=0.1, momentum=0.9, weight_decay=1e-3)

    whole, its = fresh()
    step(whole, its, 0)
    arrays = optimiser_arrays(whole, its)
    other, theirs = fresh()
    other.load_state_dict(whole.state_dict())
    load_optimiser(other, theirs, arrays, "file")
    step(whole, its, 1)
    step(other, theirs, 1)
    for a, b in zip(whole.parameters(), other.parameters()):
        assert torch.equal(a, b)


def test_of_other_parameters() -> None:
    network = small()
    groups, _ = grouped(network, None)
    optimiser = make_optimiser("sgd", groups, rate=0.1, momentum=0.9, weight_decay=0)
    for name, array in (("nobody/momentum_buffer", np.ones(3)), ("features.0.bias/x", np.ones(3))):
        with pytest.raises(FileFormatError, match="which is no parameter of that shape"):
            load_optimiser(network, optimiser, {name: array}, "file")


def test_groups_and_their_shares() -> None:
    network = small()
    network.requires_grad_(False)
    groups, shares = grouped(
        network, [{"params": network.features.parameters(), "lr": 0.5, "weight_decay": 0.0}]
    )
    assert shares == [0.5] and groups[0]["weight_decay"] == 0.0 and "lr" not in groups[0]
    assert all(p.requires_grad for p in network.features.parameters())
    assert not any(p.requires_grad for p in network.classifier.parameters())
    with pytest.raises(ValueError, match="parameters: expected at least one"):
        grouped(network, [])
    with pytest.raises(ValueError, match="optimiser: expected one of sgd, adam, adamw"):
        make_optimiser("lion", groups, rate=0.1, momentum=0.9, weight_decay=0)
