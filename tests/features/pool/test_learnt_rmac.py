from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.pool.rmac import RMAC
from kinfold.transform.pca import PCA


def unit(v: np.ndarray) -> np.ndarray:
    return v / max(np.linalg.norm(v), 1e-12)


def proposing(dim: int = 3, overlap: float = 0.4) -> LearntRMAC:
    torch.manual_seed(0)
    pool = LearntRMAC(4, dim, proposals={"hidden": 6, "keep": 9, "overlap": overlap})
    with torch.no_grad():
        pool.proposals.move.bias.normal_(0, 0.2)
    return pool


def test_on_the_grid_with_a_whitening_it_is_rmac(rng) -> None:
    whitening = PCA(3, whiten=True).fit(rng.random((30, 4)))
    pool = LearntRMAC(4, 3)
    pool.adopt(whitening)
    maps = torch.from_numpy(rng.random((2, 4, 6, 8))).float()
    assert torch.allclose(pool(maps), RMAC(whitening=whitening)(maps), atol=1e-5)


def test_over_proposals_it_is_the_definition(rng) -> None:
    pool = proposing(overlap=0.02)
    maps = torch.from_numpy(rng.random((2, 4, 6, 8))).float()
    boxes, there = pool.proposals(maps)
    weight, bias = (p.detach().numpy() for p in pool.layer.parameters())
    out = pool(maps).detach().numpy()
    assert not there.all()  # none but a few are apart: what is not there must not count
    for image in range(2):
        total = np.zeros(3)
        for box in boxes[image][there[image]].numpy():
            (x0, y0), (x1, y1) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
            region = maps[image, :, y0:y1, x0:x1].amax((1, 2)).numpy()
            total += unit(weight @ unit(region) + bias)
        assert np.allclose(out[image], total, atol=1e-5)


@pytest.mark.parametrize("proposals", [True, False])
def test_the_gradient_of_the_whole(proposals, rng) -> None:
    """Trunk, regions, layer, both normalisations, sum, normalisation: by finite differences."""
    pool = (proposing() if proposals else LearntRMAC(4, 3)).double()
    trunk = torch.nn.Conv2d(2, 4, 3).double()
    pixels = torch.from_numpy(rng.random((1, 2, 8, 9))).requires_grad_()

    def whole(*given: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(torch.nn.functional.conv2d(given[0], given[1], given[2]))
        state = {"layer.weight": given[3], "layer.bias": given[4]}
        pooled = torch.func.functional_call(pool, state, (maps,))
        return torch.nn.functional.normalize(pooled, dim=-1)

    given = (pixels, *trunk.parameters(), *pool.layer.parameters())
    assert torch.autograd.gradcheck(whole, given)
    learns = torch.autograd.grad(whole(*given).square().sum() + whole(*given)[0, 0], given)
    assert all(bool(g.abs().sum() > 0) for g in learns)


def test_what_proposes_takes_no_part_in_the_gradient(rng) -> None:
    pool = proposing()
    pool(torch.from_numpy(rng.random((1, 4, 6, 8))).float()).sum().backward()
    assert all(p.grad is None for p in pool.proposals.parameters())
    assert pool.layer.weight.grad is not None


def test_options_make_it_again(rng) -> None:
    maps = torch.from_numpy(rng.random((1, 4, 6, 8))).float()
    for pool in (proposing(), LearntRMAC(4, 3, levels=2)):
        again = LearntRMAC(**pool.options())
        again.load_state_dict(pool.state_dict())
        assert torch.equal(again(maps), pool(maps)) and again.options() == pool.options()


def test_a_whitening_of_other_sizes(rng) -> None:
    with pytest.raises(ValueError, match="whitening: expected one from 4 to 3 dimensions"):
        LearntRMAC(4, 3).adopt(PCA(2).fit(rng.random((20, 4))))
