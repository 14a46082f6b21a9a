from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from kinfold.features.explain import explain_match, sparse_channels, spatial_weights
from kinfold.features.extract import Extractor
from kinfold.features.pool.crow import CroW
from kinfold.transform.pca import PCA


def extractor(pooling: str = "mac", **options) -> Extractor:
    return Extractor(
        "random", architecture="squeezenet1_1", pooling=pooling, scales=[1], max_side=320, **options
    )


def photo(rng: np.random.Generator, height: int = 192, width: int = 256) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("pooling", ["mac", "gem"])
def test_contributions_are_the_similarity(pooling, rng) -> None:
    e = extractor(pooling)
    a, b = photo(rng), photo(rng, 200, 160)
    whole = explain_match(e, a, b, components=e.dim)
    assert np.isclose(whole.similarity, e.describe(a) @ e.describe(b), atol=1e-5)
    assert np.isclose(whole.contributions.sum(), whole.similarity, atol=1e-4)
    few = explain_match(e, a, b, components=3)
    assert (few.components == whole.components[:3]).all() and few.left.shape == (3, 4)
    expected = e.describe(a) * e.describe(b)
    assert np.allclose(few.contributions, np.sort(expected)[::-1][:3], atol=1e-6)


def test_with_a_whitening_too(rng) -> None:
    e = extractor()
    sample = e.describe_all([photo(rng, 64, 64) for _ in range(12)])
    w = e.whitened(PCA(6, whiten=True).fit(sample))
    a, b = photo(rng), photo(rng)
    whole = explain_match(w, a, b, components=e.dim)
    assert np.isclose(whole.similarity, w.describe(a) @ w.describe(b), atol=1e-4)
    assert np.isclose(whole.contributions.sum(), whole.similarity, atol=1e-4)
    assert (whole.contributions < 0).any(), "signed"


def test_boxes_follow_what_moves(rng) -> None:
    """A patch on black, moved by strides of the network: so are the boxes, and they touch it."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=4, bias=False), torch.nn.ReLU(),
        torch.nn.Conv2d(8, 16, 3, stride=2, bias=False), torch.nn.ReLU(),
    )  # fmt: skip
    net.mean, net.std = (0, 0, 0), (1, 1, 1)
    e = Extractor(net, pooling="mac", scales=[1])
    a, b = np.zeros((160, 200, 3), np.uint8), np.zeros((160, 200, 3), np.uint8)
    patch = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    a[48:88, 56:96] = patch
    b[64:104, 80:120] = patch
    found = explain_match(e, a, b)
    assert np.isclose(found.similarity, 1, atol=1e-5) and (found.contributions > 0).all()
    assert ((found.right - found.left) == [24, 16, 24, 16]).all()
    assert (found.left[:, 2:] - found.left[:, :2] == 13).all()
    assert (found.left[:, :2] < [96, 88]).all() and (found.left[:, 2:] > [56, 48]).all()
    same = explain_match(e, a, a)
    assert (same.left == same.right).all()


def test_boxes_are_in_pixels_of_the_photo(rng, tmp_path) -> None:
    from PIL import Image

    e = extractor()
    small = photo(rng)
    large = np.kron(small, np.ones((5, 5, 1), np.uint8))  # 960 x 1280, seen at 320
    found = explain_match(e, large, small)
    assert (found.left[:, 2] <= 1280).all() and (found.left[:, 3] <= 960).all()
    assert (found.right[:, 2] <= 256).all()
    Image.fromarray(large).save(tmp_path / "a.png")
    from_file = explain_match(e, tmp_path / "a.png", small)
    assert np.allclose(from_file.left, found.left)


def test_fields_larger_than_the_photo_are_shown_smaller(rng) -> None:
    e = Extractor("random", architecture="resnet18", pooling="mac", scales=[1], max_side=128)
    found = explain_match(e, photo(rng, 128, 128), photo(rng, 128, 128))
    assert found.effective
    assert (found.left[:, 2] - found.left[:, 0] <= 6 * 32).all()
    assert not explain_match(extractor(), photo(rng), photo(rng)).effective


def test_weights_of_crow(rng) -> None:
    e, pixels = extractor("crow"), photo(rng)
    maps = torch.from_numpy(e.maps(pixels))[None]
    assert np.allclose(spatial_weights(e, pixels), CroW().spatial(maps)[0], atol=1e-6)
    sparse = sparse_channels(e, pixels, count=10, places=4)
    assert len(sparse.channels) == len(sparse.boxes) == 10
    assert (np.diff(sparse.weights) <= 0).all()
    shares = (maps[0] > 0).double().mean((1, 2)).numpy()
    assert (shares[sparse.channels] > 0).all()
    rest = np.setdiff1d(np.flatnonzero(shares > 0), sparse.channels)
    assert shares[sparse.channels].max() <= shares[rest].min() + 1e-9
    for channel, boxes in zip(sparse.channels, sparse.boxes):
        assert 1 <= len(boxes) == min(4, int((maps[0, channel] > 0).sum()))
        assert (boxes[:, :2] < boxes[:, 2:]).all()


def test_what_cannot_be_explained(rng) -> None:
    with pytest.raises(ValueError, match="one number a channel.*got rmac"):
        explain_match(extractor("rmac"), photo(rng), photo(rng))


def test_boxes_lie_on_the_photo_however_it_was_fitted(rng) -> None:
    """A bright spot is found where it is, on photos that are cropped, padded or warped."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 4, stride=4, bias=False), torch.nn.ReLU())
    with torch.no_grad():
        network[0].weight.fill_(1)
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[24:36, 66:78] = 255
    numbers = {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"}
    for images in (
        {"size": 40, "fit": "crop", "resize": 44}, {"size": 40, "fit": "pad"},
        {"size": [40, 56], "fit": "warp"},
    ):  # fmt: skip
        extractor = Extractor(network, pooling="mac", preprocess={**numbers, **images})
        x0, y0, x1, y1 = explain_match(extractor, pixels, pixels, components=1).left[0]
        assert 60 <= (x0 + x1) / 2 <= 84 and 18 <= (y0 + y1) / 2 <= 42, images
        assert 0 <= x0 < x1 <= 120 and 0 <= y0 < y1 <= 60
