"""ALIKED equals kornia's, and what it skips changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from networks import picture, saved

from kinfold.base.errors import FileFormatError
from kinfold.features.safetensors import read_safetensors
from kinfold.local.extractors.aliked import ALIKED, Network, _Deformable, keypoints

WIDTHS = {"aliked-t16": [8, 16, 32, 64], "aliked-n16": [16, 32, 64, 128]}


def image(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return saved(Network(WIDTHS["aliked-t16"]), tmp_path / "aliked.safetensors")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WIDTHS)
def test_equals_kornia(name: str, tmp_path: Path) -> None:
    aliked = pytest.importorskip("kornia.feature.aliked", reason="needs kornia to compare with")
    path = saved(Network(WIDTHS[name]), tmp_path / "aliked.safetensors")
    ours = ALIKED(path, threshold=0.0, max_features=60)
    theirs = aliked.ALIKED(name, max_num_keypoints=60, detection_threshold=0.0).eval()
    state = {key: torch.from_numpy(array) for key, array in read_safetensors(path)[0].items()}
    assert theirs.load_state_dict(state, strict=False).unexpected_keys == []
    with torch.inference_mode():
        seen = image(picture())
        features, scores = ours.network(seen)
        map_of_theirs, scores_of_theirs = theirs.extract_dense_map(seen)
        found, wanted = ours.points(seen), theirs(seen)[0]
        y, x = torch.meshgrid(torch.arange(70.0), torch.arange(101.0), indexing="ij")
        whole = features.at(x.reshape(-1), y.reshape(-1)).view(map_of_theirs.shape)
    torch.testing.assert_close(scores, scores_of_theirs, atol=1e-5, rtol=0)
    torch.testing.assert_close(whole, map_of_theirs, atol=1e-5, rtol=0)
    assert len(found.scores) == wanted.n > 20
    # Both strongest first before they are placed between pixels; scores there may be in another order.
    order = [
        torch.argsort(part[:, 0] * 1000 + part[:, 1])
        for part in (found.positions, wanted.keypoints)
    ]
    ours_by, theirs_by = order
    for mine, other in (
        (found.positions, wanted.keypoints),
        (found.descriptors, wanted.descriptors),
        (found.scores, wanted.keypoint_scores),
    ):
        torch.testing.assert_close(mine[ours_by], other[theirs_by], atol=1e-4, rtol=0)


def test_deformable_convolution_is_a_sum_over_moved_places(rng: np.random.Generator) -> None:
    layer = _Deformable(2, 3, 3, padding=1, bias=False).requires_grad_(False)
    x = torch.from_numpy(rng.standard_normal((1, 2, 5, 7)).astype(np.float32))
    moved = layer.offset_conv(x)[0].clamp(-7 / 4, 7 / 4).numpy().reshape(9, 2, 5, 7)
    weight, maps = layer.regular_conv.weight.numpy(), x[0].numpy()
    padded = np.pad(maps, ((0, 0), (9, 9), (9, 9)))
    wanted = np.zeros((3, 5, 7))
    for row in range(5):
        for column in range(7):
            for place in range(9):
                y = row + place // 3 - 1 + moved[place, 0, row, column] + 9
                at = column + place % 3 - 1 + moved[place, 1, row, column] + 9
                top, left = int(np.floor(y)), int(np.floor(at))
                part = padded[:, top : top + 2, left : left + 2]
                shares = np.outer([1 - (y - top), y - top], [1 - (at - left), at - left])
                value = (part * shares).sum((1, 2))
                wanted[:, row, column] += weight[:, :, place // 3, place % 3] @ value
    np.testing.assert_allclose(layer(x)[0].numpy(), wanted, atol=1e-5)


def test_between_pixels_is_bilinear(weights: Path) -> None:
    network = ALIKED(weights).network
    with torch.inference_mode():
        features, _ = network(image(picture(40, 50)))
        y, x = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
        whole = features.at(x.reshape(-1), y.reshape(-1)).view(1, 64, 40, 50)
        at = torch.tensor([[0.0, 0.0], [49.0, 39.0], [3.25, 7.5], [-0.5, 4.0], [48.9, 39.6]])
        grid = torch.stack([2 * at[:, 0] / 49 - 1, 2 * at[:, 1] / 39 - 1], 1)
        wanted = F.grid_sample(whole, grid[None, None], align_corners=True)[0, :, 0]
        torch.testing.assert_close(features.between(*at.T), wanted, atol=1e-5, rtol=0)


def test_keypoints_are_strict_maxima_strongest_first() -> None:
    scores = torch.zeros(1, 1, 20, 30)
    scores[0, 0, 5, 6], scores[0, 0, 12, 20], scores[0, 0, 14, 9] = 0.5, 0.9, 0.7
    scores[0, 0, 14, 10] = 0.7  # an equal neighbour: neither is the maximum
    scores[0, 0, 1, 25] = 0.8  # too near the border
    positions, strengths = keypoints(scores, 0.1, 10)
    np.testing.assert_allclose(positions.numpy(), [[20, 12], [6, 5]], atol=0.01)
    assert (strengths[0] > strengths[1]).item()
    assert len(keypoints(scores, 0.1, 1)[0]) == 1
    assert len(keypoints(scores, 0.95, 10)[0]) == 0
    assert len(keypoints(torch.ones(1, 1, 4, 4), 0.0, 10)[0]) == 0


def test_features_lie_in_the_pixels_given(weights: Path) -> None:
    pixels = picture(120, 200)
    whole = ALIKED(weights, max_side=None, max_features=50).extract(pixels)
    assert 0 < len(whole) <= 50
    assert whole.descriptors.dtype == np.int8 and whole.descriptors.shape[1] == 64
    assert not whole.angles.any() and (whole.scales == 8).all()
    small = ALIKED(weights, max_side=100, max_features=50).extract(pixels)
    assert small.positions.max(axis=0)[0] > 100 and (small.scales == 16).all()
    again = ALIKED(weights, max_side=None, max_features=50).extract(pixels)
    np.testing.assert_array_equal(again.descriptors, whole.descriptors)


def test_an_image_without_room_has_no_features(weights: Path) -> None:
    for pixels in (picture(3, 5), np.full((1, 1), 9, np.uint8), picture(5, 90)):
        found = ALIKED(weights).extract(pixels)
        assert len(found) == 0 and found.descriptors.shape == (0, 64)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    other = saved(torch.nn.Linear(3, 2), tmp_path / "other.safetensors")
    with pytest.raises(FileFormatError, match="not those of ALIKED"):
        ALIKED(other)
