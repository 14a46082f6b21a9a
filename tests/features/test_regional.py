from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from kinfold.features.extract import Extractor
from kinfold.features.regional import RegionalExtractor, square_windows
from kinfold.images.resize import resize
from kinfold.transform.pca import PCA


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 4, stride=4), torch.nn.ReLU())
    return Extractor(net, max_side=96)


def photo(rng: np.random.Generator, height: int = 72, width: int = 96) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_windows_of_a_photo() -> None:
    boxes = square_windows(60, 100)
    assert len(boxes) == 1 + 4 + 9 + 16
    assert boxes[0].tolist() == [20, 0, 80, 60]
    assert boxes[1].tolist() == [20, 0, 60, 40] and boxes[4].tolist() == [40, 20, 80, 60]
    sides = boxes[:, 2] - boxes[:, 0]
    assert np.allclose(sides, boxes[:, 3] - boxes[:, 1])
    assert np.allclose(np.unique(np.round(sides, 9)), [24, 30, 40, 60])
    assert (boxes[:, [0, 1]] >= [20, 0]).all() and (
        boxes[:, [2, 3]] <= [80 + 1e-9, 60 + 1e-9]
    ).all()
    smaller = square_windows(60, 60, 2, ratio=0.75)
    assert np.allclose(smaller[1:, 2] - smaller[1:, 0], 30)


@pytest.mark.parametrize("grid", [1, 2])
def test_regions_of_a_photo_one_by_one(extractor, grid, rng) -> None:
    pixels = photo(rng)
    e = RegionalExtractor(extractor, source="photo", levels=2, side=32, grid=grid)
    regions = e.describe(pixels)
    assert regions.shape == (5, 6 * grid**2) == (5, e.dim)
    forward = extractor._forward
    for row, (x0, y0, x1, y1) in zip(regions, np.rint(square_windows(72, 96, 2)).astype(int)):
        maps = forward(forward.images([resize(pixels[y0:y1, x0:x1], 32, 32)])).detach()
        step = maps.shape[-1] // grid
        cells = [
            maps[0, :, i * step : (i + 1) * step, j * step : (j + 1) * step].amax((1, 2))
            for i in range(grid)
            for j in range(grid)
        ]
        expected = torch.stack(cells, 1).flatten()
        assert np.allclose(row, expected / expected.norm(), atol=1e-5)


def test_regions_of_maps(extractor, rng) -> None:
    pixels = photo(rng)
    e = RegionalExtractor(extractor)
    regions, maps = e.describe(pixels), extractor.maps(pixels)
    assert regions.shape == (21, 6) and e.boxes(pixels).shape == (21, 4)
    mac = maps.max((1, 2))
    assert np.allclose(regions[0], mac / np.linalg.norm(mac), atol=1e-5)
    assert e.boxes(pixels)[0].tolist() == [0, 0, 96, 72]
    assert len(RegionalExtractor(extractor, whole=False).describe(pixels)) == 20
    assert RegionalExtractor(extractor, source="photo").boxes(pixels).shape == (30, 4)


@pytest.mark.parametrize("source", ["maps", "photo"])
def test_many_and_whitened(extractor, source, rng) -> None:
    e = RegionalExtractor(extractor, source=source, levels=2, side=32)
    photos = [photo(rng), photo(rng, 96, 72), photo(rng), photo(rng, 40, 40)]
    described = e.describe_all(iter(photos))
    for pixels, regions in zip(photos, described):
        assert np.allclose(regions, e.describe(pixels), atol=1e-5)
        assert np.allclose(np.linalg.norm(regions, axis=1), 1, atol=1e-5)
    pca = PCA(3, whiten=True).fit(np.concatenate(described))
    white = e.whitened(pca)
    assert white.dim == 3 and e.dim == 6
    rows = pca.transform(described[0])
    assert np.allclose(
        white.describe(photos[0]), rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-4
    )


def test_bad_settings(extractor) -> None:
    with pytest.raises(ValueError, match="source: expected one of maps, photo"):
        RegionalExtractor(extractor, source="page")
    with pytest.raises(ValueError, match="whitening: expected one of 6 dimensions, got 4"):
        RegionalExtractor(extractor, whitening=PCA(2).fit(np.eye(4)))
    codes = Extractor(torch.nn.Flatten(), pooling="flatten", side=32, scales=[1])
    with pytest.raises(ValueError, match="gives codes"):
        RegionalExtractor(codes)
