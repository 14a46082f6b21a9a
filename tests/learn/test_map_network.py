from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from kinfold.learn.map_network import map_network


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_papers_networks() -> None:
    """Of 32 x 32: 15 maps of 27, means of 9, 30 maps of one; weights counted by hand."""
    network = map_network("convolutional", (32, 32), 2)
    assert parameters(network) == 15 * (36 + 1) + 30 * (15 * 81 + 1) + 2 * (30 + 1)
    x = torch.rand(3, 1024)
    assert network[:4](x).shape == (3, 15, 9, 9) and network[:6](x).shape == (3, 30, 1, 1)
    assert network(x).shape == (3, 2)
    poses = map_network("connected", (96, 96), 3)
    assert parameters(poses) == 20 * (9216 + 1) + 3 * 21 and poses(torch.rand(2, 9216)).shape == (2, 3)  # fmt: skip


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (20, 33), (16, 12, 3)])
def test_pictures_of_any_size(shape) -> None:
    pixels = torch.rand(4, *shape)
    network = map_network("convolutional", shape, 2)
    assert network(pixels.reshape(4, -1)).shape == (4, 2)
    channels_first = pixels[..., None] if len(shape) == 2 else pixels
    assert torch.equal(network[0](pixels.reshape(4, -1)), channels_first.permute(0, 3, 1, 2))


def test_seeds_and_what_is_too_small() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (map_network("connected", (5,), 2, seed=s)[0].weight for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's chance is left alone"
    for shape in ((100,), (7, 30)):
        with pytest.raises(ValueError, match="network: 'convolutional' takes pictures of at least"):
            map_network("convolutional", shape, 2)
