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


@pytest.mark.parametrize("proposals", [True, False])
def test_boxes_are_exact_in_half_precision(proposals, rng) -> None:
    pool = proposing() if proposals else LearntRMAC(4, 3)
    maps = torch.from_numpy(rng.random((1, 4, 300, 301))).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        boxes, there = pool.boxes(maps)
        assert pool(maps).shape == (1, 3)
    assert boxes.dtype == torch.float32 and there.any()
    if not proposals:
        assert boxes[0].tolist() == [list(box) for box in pool.grid.boxes(300, 301)]


def test_options_make_it_again(rng) -> None:
    maps = torch.from_numpy(rng.random((1, 4, 6, 8))).float()
    for pool in (proposing(), LearntRMAC(4, 3, levels=2)):
        again = LearntRMAC(**pool.options())
        again.load_state_dict(pool.state_dict())
        assert torch.equal(again(maps), pool(maps)) and again.options() == pool.options()


def test_a_whitening_of_other_sizes(rng) -> None:
    with pytest.raises(ValueError, match="whitening: expected one from 4 to 3 dimensions"):
        LearntRMAC(4, 3).adopt(PCA(2).fit(rng.random((20, 4))))


def saved(path, kept: LearntRMAC | None, **metadata: str) -> str:
    """Weights of a compact network, and of a pooling beside it."""
    from kinfold.features.safetensors import read_safetensors, write_safetensors
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights
    from kinfold.learn.descriptor import Descriptor

    network = random_network("compact", 0)
    save_weights(path, network if kept is None else Descriptor(network, pooling=kept), "compact")
    if metadata:
        arrays, told = read_safetensors(path)
        write_safetensors(path, arrays, told | metadata)
    return str(path)


def of_compact(dim: int = 5, **options) -> LearntRMAC:
    from kinfold.features.weights import random_network

    torch.manual_seed(1)
    channels = next(iter(random_network("compact", 0).layers.values())).dim
    return LearntRMAC(channels, dim, **options)


@pytest.mark.parametrize("proposals", [None, {"hidden": 6, "keep": 9}])
def test_weights_hold_it_and_an_extractor_too(proposals, tmp_path, rng) -> None:
    import kinfold as kf

    pool = of_compact(proposals=proposals)
    path = saved(tmp_path / "net.safetensors", pool)
    pixels = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    extractor = kf.Extractor(path, pooling="learnt-rmac", scales=[1.0])
    maps = torch.from_numpy(extractor.maps(pixels))[None]
    expected = torch.nn.functional.normalize(pool(maps), dim=-1)[0].detach().numpy()
    assert np.allclose(extractor.describe(pixels), expected, atol=1e-5)
    assert extractor.dim == 5 and extractor.pooling == "learnt-rmac"
    # The network is there without it, as if it had been saved alone.
    plain = kf.Extractor(path, scales=[1.0]).describe(pixels)
    alone = saved(tmp_path / "alone.safetensors", None)
    assert np.array_equal(plain, kf.Extractor(alone, scales=[1.0]).describe(pixels))
    kf.save(extractor, tmp_path / "e.kin")
    again = kf.load(tmp_path / "e.kin")
    assert np.array_equal(again.describe(pixels), extractor.describe(pixels))
    assert again.fingerprint == extractor.fingerprint


def test_what_is_learnt_changes_the_fingerprint(tmp_path) -> None:
    import kinfold as kf

    prints = set()
    for keep in (9, 8):
        torch.manual_seed(1)
        path = saved(tmp_path / f"{keep}", of_compact(proposals={"hidden": 6, "keep": keep}))
        prints.add(kf.Extractor(path, pooling="learnt-rmac").fingerprint)
    assert len(prints) == 2


def test_files_that_hold_none_or_another(tmp_path) -> None:
    import kinfold as kf

    def refused(path: str, words: str, kind: type[Exception] = ValueError, **options) -> None:
        with pytest.raises(kind, match=words):
            kf.Extractor(path, pooling="learnt-rmac", **options)

    refused(
        saved(tmp_path / "none", None), "hold no learnt R-MAC, as those of kinfold train dir do"
    )
    refused("random", "is read from a file of weights", architecture="compact")
    whole = of_compact()
    for told, words in (
        ("{", "no learnt R-MAC"),
        ("[]", "no learnt R-MAC"),
        ('{"channels": 3}', "no learnt R-MAC"),
        ('{"channels": 3, "dim": 5}', "not those of learnt R-MAC"),
        ('{"channels": 999999999, "dim": 999999999}', "no learnt R-MAC"),
    ):
        refused(saved(tmp_path / "bad", whole, pool=told), words, kf.FileFormatError)
    other = LearntRMAC(whole.channels + 1, 5)
    refused(saved(tmp_path / "other", other), "layer: the pooling was learnt on")
    from kinfold.features.export import export_onnx

    extractor = kf.Extractor(saved(tmp_path / "good", whole), pooling="learnt-rmac")
    pytest.importorskip("onnxscript")
    with pytest.raises(ValueError, match="learnt-rmac has no ONNX graph"):
        export_onnx(extractor, tmp_path / "x.onnx", height=64, width=64)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": 10**9, "dim": 10**9, "levels": 3, "proposals": None},
        {"channels": 4, "dim": 3, "levels": 3, "proposals": [1]},
        {"channels": 4, "dim": 3, "levels": 3, "proposals": {"keep": 10**9}},
        {"channels": 4, "dim": 3, "levels": 3, "proposals": {"sizes": [0.5] * 99}},
        {"channels": 65536, "dim": 65536, "levels": 3, "proposals": {"hidden": 4096}},
        {},
    ],
)
def test_an_extractor_whose_file_claims_what_is_not_there(options, tmp_path) -> None:
    import kinfold as kf

    path = saved(tmp_path / "net", of_compact(proposals={"hidden": 6, "keep": 9}))
    extractor = kf.Extractor(path, pooling="learnt-rmac")
    params = extractor.params() | {"pooling_options": options}
    with pytest.raises(kf.FileFormatError):
        kf.Extractor.from_state(params, extractor.arrays())
