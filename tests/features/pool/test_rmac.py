from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.pool.grid import region_grid
from kinfold.features.pool.mac import MAC
from kinfold.features.pool.rmac import RMAC
from kinfold.transform.pca import PCA


def unit(v: np.ndarray) -> np.ndarray:
    return v / max(np.linalg.norm(v), 1e-12)


def by_loops(a: np.ndarray, levels: int, whole: bool, whitening: PCA | None) -> np.ndarray:
    """One image (k, h, w): the definition, a region after the other."""
    k, h, w = a.shape
    boxes = region_grid(h, w, levels)
    if whole:
        boxes.append((0, 0, w, h))
    total: np.ndarray | float = 0.0
    for x0, y0, x1, y1 in boxes:
        region = unit(np.array([a[c, y0:y1, x0:x1].max() for c in range(k)]))
        if whitening is not None:
            region = unit(whitening.transform(region))
        total = total + region
    return np.asarray(total)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (8, 6), (5, 5), (3, 13)])
def test_against_loops(size, white, whole, rng) -> None:
    a = np.maximum(rng.standard_normal((2, 6, *size)), 0).astype(np.float32)
    whitening = PCA(4, whiten=True).fit(rng.random((50, 6))) if white else None
    pool = RMAC(3, whole=whole, whitening=whitening)
    expected = [by_loops(image, 3, whole, whitening) for image in a]
    assert np.allclose(pool(torch.from_numpy(a)), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_whitened_is_differentiable_and_scriptable(rng) -> None:
    pool = RMAC(2, whitening=PCA(3, whiten=True).fit(rng.random((20, 4)))).double()
    maps = torch.from_numpy(rng.uniform(0.1, 1, (2, 4, 4, 5))).requires_grad_()
    assert torch.autograd.gradcheck(pool, (maps,))
    assert torch.allclose(torch.jit.script(pool)(maps), pool(maps))
    assert {name for name, _ in pool.named_buffers()} == {"mean", "projection"}
    assert not list(pool.parameters())


def test_constant_maps_and_one_cell(rng) -> None:
    out = RMAC()(torch.full((1, 4, 6, 8), 3.0))[0]
    assert torch.allclose(out / out.norm(), torch.full((4,), 0.5))
    one = torch.from_numpy(rng.random((1, 4, 1, 1)))
    mac = MAC()(one)[0]
    assert torch.allclose(RMAC()(one)[0], mac / mac.norm())
