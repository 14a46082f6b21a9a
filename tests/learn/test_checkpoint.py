from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from small import Small, small

from kinfold.base.errors import FileFormatError
from kinfold.features.weights import read_weights
from kinfold.learn.checkpoint import exists, load_checkpoint, save_checkpoint, save_weights


def stepped(seed: int = 0) -> tuple[Small, torch.optim.SGD]:
    network = small(seed)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.rand(2, 3, 20, 20)).square().sum().backward()
    optimiser.step()
    return network, optimiser


def test_all_comes_back(tmp_path) -> None:
    network, optimiser = stepped()
    save_checkpoint(tmp_path / "a", network, optimiser, {"epoch": 3, "best": None})
    other, theirs = stepped(5)
    assert load_checkpoint(tmp_path / "a", other, theirs) == {"epoch": 3, "best": None}
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[key])
    for a, b in zip(network.parameters(), other.parameters()):
        assert torch.equal(
            optimiser.state[a]["momentum_buffer"], theirs.state[b]["momentum_buffer"]
        )


def test_of_another_network(tmp_path) -> None:
    network, optimiser = stepped()
    save_checkpoint(tmp_path / "a", network, optimiser, {})
    other = Small(4)
    with pytest.raises(FileFormatError, match="not those of Small"):
        load_checkpoint(tmp_path / "a", other, torch.optim.SGD(other.parameters(), lr=0.1))
    save_weights(tmp_path / "b", network, None)
    with pytest.raises(FileFormatError, match="no checkpoint of a training"):
        load_checkpoint(tmp_path / "b", network, optimiser)
    data = bytearray((tmp_path / "a").read_bytes())
    (tmp_path / "a").write_bytes(data[:-1])
    with pytest.raises(FileFormatError):
        load_checkpoint(tmp_path / "a", network, optimiser)


def test_weights_say_what_they_expect(tmp_path) -> None:
    network = small()
    save_weights(tmp_path / "best.safetensors", network, "squeezenet1_1")
    weights = read_weights(tmp_path / "best.safetensors")
    assert weights.metadata == {
        "architecture": "squeezenet1_1", "mean": "0.5,0.5,0.5", "std": "0.25,0.25,0.25",
    }  # fmt: skip
    assert torch.equal(weights.tensors["features.0.weight"], network.features[0].weight)
    assert exists(tmp_path, "best.safetensors") and not exists(None, "best.safetensors")
