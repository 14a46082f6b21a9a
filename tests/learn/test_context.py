from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small

import kinfold.learn.context as module
from kinfold.features.backbones.compact import Compact
from kinfold.features.backbones.cut import cut
from kinfold.features.extract import Extractor
from kinfold.features.weights import read_weights
from kinfold.learn.aberration import without_aberration
from kinfold.learn.context import (
    ContextNetwork,
    accuracy,
    context_prediction,
    fold_projection,
    tensors,
)
from kinfold.learn.loop import train
from kinfold.learn.losses.context import ContextLoss
from kinfold.learn.patches import OFFSETS, PairBatch, PatchPairs
from kinfold.learn.statistics import calibrate


@pytest.fixture(autouse=True)
def little(monkeypatch) -> None:
    """Few pairs are held out, and few squares calibrate."""
    monkeypatch.setattr(module, "_HELD_OUT_PAIRS", 128)
    monkeypatch.setattr(module, "calibrate", partial(calibrate, squares=6))


def photos(count: int, seed: int = 0) -> list[np.ndarray]:
    """Discs that are lighter towards one side: neighbouring patches tell where they lie."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:400, :410].astype(np.float32)
    made = []
    for _ in range(count):
        far = np.hypot(y - random.uniform(190, 230), x - random.uniform(200, 240))
        photo = (
            255 - far[..., None] * random.uniform(0.6, 0.8, 3) + random.normal(0, 4, (400, 410, 3))
        )
        made.append(photo.clip(0, 255).astype(np.uint8))
    return made


def fixed(count: int, seed: int = 0) -> list[PairBatch]:
    return list(PatchPairs(photos(4), seed=seed).batches(0, count=count, batch=16))


def test_one_trunk_for_both_and_their_order_counts() -> None:
    torch.manual_seed(0)
    network = ContextNetwork(small(), fc6=20, fc7=10).eval()
    patches, positions = tensors(fixed(16)[0])
    assert patches.shape == (16, 2, 3, 96, 96) and positions.shape == (16, 1)
    with torch.no_grad():
        scores = network(patches)
        assert scores.shape == (16, 1, len(OFFSETS))
        # By hand, a patch at a time.
        a, b = (network.codes(patches[:, side]) for side in (0, 1))
        assert a.shape == (16, 20)
        expected = network.fc8(network.fc7(torch.cat([a, b], 1)))
        assert torch.allclose(scores[:, 0], expected, atol=1e-4)
        assert not torch.allclose(network(patches.flip(1)), scores, rtol=0, atol=1e-3)
        # Several neighbours of one patch are so many pairs.
        three = torch.stack([patches[:, 0], patches[:, 1], patches[:, 0]], 1)
        assert torch.allclose(network(three)[:, 0], scores[:, 0], atol=1e-4)
    kinds = [type(m).__name__ for m in (*network.fc6, *network.fc7)]
    assert kinds == ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU"]
    assert network.fc6[2].weight is None, "without scale and shift"


def test_accuracy_by_hand() -> None:
    class Known(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = torch.nn.Parameter(torch.eye(8)[3])

        def forward(self, patches):
            return self.score.expand(*patches[:, 1:].shape[:2], 8)

    patches = np.zeros((2, 3, 4, 4, 3), np.float32)
    batch = PairBatch(patches, np.array([[3, 1], [3, 3]]))
    assert accuracy(Known(), [batch, batch]) == 0.75


@pytest.mark.parametrize("make", [small, Compact])
def test_the_projection_is_folded_into_the_first_layer(make, rng) -> None:
    """Taught on projected patches, less their mean: the folded trunk gives the same of whole colours, less a mean."""
    network = make().eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (network.mean, network.std))
    pixels = rng.integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    pixels += np.array(network.mean, np.float32) * 255 - pixels.mean(axis=(1, 2), keepdims=True)
    hidden = torch.from_numpy(without_aberration(pixels, "projection", rng)).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = cut(network)(hidden / 255 / std)
        whole = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std
        assert torch.allclose(cut(fold_projection(network))(whole), expected, rtol=1e-3, atol=1e-4)


def test_a_network_learns_where_patches_lie(tmp_path) -> None:
    torch.manual_seed(0)
    network = small()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    learnt = context_prediction(
        network, photos(12), held_out=photos(4, seed=1), epochs=4, batch=64, pairs_an_epoch=512, neighbours=8,
        colour="keep", rate=3e-3, folder=tmp_path, verbose=False,
    )  # fmt: skip
    assert learnt.accuracy > 0.4, "chance is .125"
    assert learnt.accuracy == pytest.approx(learnt.history.epochs[learnt.history.best].score)
    assert not learnt.left_out and not learnt.network.training
    # The trunk's weights are the network's, its statistics those of whole photos.
    trunk, whole = cut(learnt.network.backbone), cut(network)
    assert torch.equal(trunk[0].weight, whole[0].weight)
    assert not torch.equal(before["features.0.weight"], whole[0].weight)
    assert not torch.equal(trunk[1].running_mean, whole[1].running_mean)
    assert torch.equal(before["classifier.1.weight"], network.classifier[1].weight)


def test_resumed_is_the_same(tmp_path) -> None:
    options = {
        "batch": 16,
        "pairs_an_epoch": 32,
        "schedule": "constant",
        "verbose": False,
        "seed": 2,
    }
    taught = photos(10)
    networks = [small(), small(), small()]
    expected = context_prediction(networks[0], taught, epochs=2, **options)
    context_prediction(networks[1], taught, epochs=1, folder=tmp_path, **options)
    learnt = context_prediction(networks[2], taught, epochs=2, folder=tmp_path, **options)
    assert learnt.history == expected.history
    for key, value in networks[0].state_dict().items():
        assert torch.equal(value, networks[2].state_dict()[key]), key


def test_unusable_photos() -> None:
    tiny = [np.zeros((60, 60, 3), np.uint8)] * 12
    with pytest.raises(
        ValueError, match="photos: none of .* can be learnt from; one: 60 x 60 pixels"
    ):
        context_prediction(small(), tiny, verbose=False)
    with pytest.raises(ValueError, match="photos: expected at least 10, .* got 3"):
        context_prediction(small(), photos(3), verbose=False)
    with pytest.raises(ValueError, match="held_out: expected at least one"):
        context_prediction(small(), photos(3), held_out=[], verbose=False)
    with pytest.raises(ValueError, match="colour: expected one of"):
        context_prediction(small(), photos(10), colour="grey", verbose=False)


def test_the_trunk_describes_photos(tmp_path) -> None:
    network, taught = Compact(), photos(11)
    taught[4] = taught[4][:50, :50]
    learnt = context_prediction(
        network, taught, epochs=1, batch=16, pairs_an_epoch=16, folder=tmp_path, architecture="compact", verbose=False
    )  # fmt: skip
    assert list(learnt.left_out) == [4] and learnt.left_out[4].startswith("50 x 50 pixels")
    extractor = Extractor(tmp_path / "best.safetensors", scales=[1])
    vectors = extractor.describe_all(photos(2), verbose=False)
    kept = read_weights(tmp_path / "best.safetensors").tensors
    assert all(torch.equal(kept[key], value) for key, value in network.state_dict().items())
    assert vectors.shape == (2, 128) and np.allclose((vectors**2).sum(1), 1, atol=1e-5)
    assert learnt.network.codes(torch.zeros(1, 3, 96, 96)).shape == (1, 512)


@pytest.mark.slow
def test_fixed_pairs_of_real_photos_are_learnt_by_heart(shared: Path) -> None:
    """512 pairs of 64 photos, always the same patches."""
    folder = shared / "data" / "photos"
    names = json.loads((folder / "ground_truth.json").read_text())["imlist"]
    files = [folder / "jpg" / f"{name}.jpg" for name in names[:: len(names) // 64][:64]]
    pairs = list(PatchPairs(files, neighbours=8).batches(0, count=512, batch=128))
    torch.manual_seed(0)
    network, criterion = ContextNetwork(Compact()), ContextLoss()

    def loss(net, drawn):
        patches, positions = tensors(drawn)
        return criterion(net(patches).flatten(0, 1), positions.flatten())

    train(
        network, lambda epoch: pairs, loss, epochs=12, optimiser="adamw", rate=1e-3, statistics=True,
        verbose=False,
    )  # fmt: skip
    assert accuracy(network, pairs) > 0.9
