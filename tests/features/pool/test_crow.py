from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.crow import FORMS, CroW

GOLDEN = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 4.0]]]])


def by_loops(a: np.ndarray, form: str, eps: float = 1e-6) -> np.ndarray:
    """One image (k, h, w), as the formulae read."""
    k, h, w = a.shape
    place = np.zeros((h, w))
    share = np.zeros(k)
    for c in range(k):
        for y in range(h):
            for x in range(w):
                place[y, x] += a[c, y, x]
                share[c] += (a[c, y, x] > 0) / (h * w)
    weights = np.zeros(k)
    for c in range(k):
        if form == "reference":
            weights[c] = np.log(share.sum() / share[c]) if share[c] > 0 else 0
        elif form == "paper":
            weights[c] = np.log((k * eps + share.sum()) / (eps + share[c]))
        else:
            weights[c] = -np.log(eps + share[c])
    if form != "lecture":
        place = np.sqrt(place / np.sqrt((place**2).sum()))
    return np.array([weights[c] * (place * a[c]).sum() for c in range(k)])


def test_worked_example() -> None:
    pool = CroW()
    assert np.allclose(pool.spatial(GOLDEN), [[[0, 0.368894], [0.521695, 0.976002]]], atol=1e-6)
    assert np.allclose(pool.channel(GOLDEN), [[0.287682, 1.386294]], atol=1e-6)
    assert np.allclose(pool(GOLDEN), [[1.248623, 5.412103]], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_against_loops(form, rng) -> None:
    a = np.maximum(rng.standard_normal((3, 5, 4, 6)), 0)
    a[0, 1] = 0  # a silent channel
    pooled = CroW(form)(torch.from_numpy(a))
    assert np.allclose(pooled, [by_loops(image, form) for image in a], rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_gradients_also_at_silent_places(form, rng) -> None:
    maps = torch.from_numpy(rng.uniform(0.1, 1, (2, 3, 3, 4))).requires_grad_()
    assert torch.autograd.gradcheck(CroW(form), (maps,))
    rectified = torch.from_numpy(rng.standard_normal((1, 3, 3, 4))).clamp(min=0)
    rectified[..., 0] = 0
    rectified.requires_grad_()
    CroW(form)(rectified).sum().backward()
    assert torch.isfinite(rectified.grad).all()
    assert torch.allclose(torch.jit.script(CroW(form))(maps), CroW(form)(maps))


@pytest.mark.parametrize("form", FORMS)
def test_maps_of_zeros_give_zeros(form) -> None:
    zeros = torch.zeros(1, 3, 2, 2, requires_grad=True)
    out = CroW(form)(zeros)
    assert torch.equal(out, torch.zeros(1, 3))
    out.sum().backward()
    assert torch.isfinite(zeros.grad).all()


def test_rare_channels_weigh_more() -> None:
    maps = torch.zeros(1, 2, 4, 4)
    maps[0, 0], maps[0, 1, 0, 0] = 1, 1
    for form in FORMS:
        often, rarely = CroW(form).channel(maps)[0]
        assert rarely > often


def test_bad_form() -> None:
    with pytest.raises(ValueError, match="form: expected one of reference, paper, lecture"):
        CroW("poster")
