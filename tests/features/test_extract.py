from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from kinfold.features.extract import Extractor
from kinfold.features.weights import random_network


def extractor(**options) -> Extractor:
    options = {"architecture": "squeezenet1_1", "max_side": 160, **options}
    return Extractor("random", **options)


def photo(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("architecture", ["squeezenet1_1", "mobilenet_v2"])
@pytest.mark.parametrize("pooling", ["mac", "spoc", "gem"])
def test_descriptors(architecture, pooling, rng) -> None:
    e = extractor(architecture=architecture, pooling=pooling)
    v = e.describe(photo(120, 160, rng))
    assert v.dtype == np.float32 and v.shape == (e.dim,)
    assert np.isclose(np.linalg.norm(v), 1, atol=1e-5) and (v >= 0).all()


def test_many_are_like_one_at_a_time(rng) -> None:
    e = extractor(batch=3)
    sizes = [(96, 128), (128, 96), (96, 128), (400, 300), (96, 128), (96, 128), (128, 96)] * 6
    photos = [photo(*size, rng) for size in sizes]
    singles = np.stack([e.describe(p) for p in photos])
    assert np.allclose(e.describe_all(photos), singles, atol=1e-5)
    assert np.allclose(e.describe_all(iter(photos)), singles, atol=1e-5)
    assert e.describe_all([]).shape == (0, e.dim)


def test_against_the_definition(rng) -> None:
    """One scale and one photo, step by step; then the power mean over two scales."""
    net = random_network("squeezenet1_1", 0)
    pixels = photo(96, 128, rng)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 255
    x = (x - torch.tensor(net.mean).view(1, 3, 1, 1)) / torch.tensor(net.std).view(1, 3, 1, 1)

    def pooled(image: torch.Tensor) -> torch.Tensor:
        v = net.double().features(image).clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
        return v / v.norm()

    half = torch.nn.functional.interpolate(x, (48, 64), mode="bilinear", antialias=True)
    whole, smaller = pooled(x), pooled(half)
    assert np.allclose(extractor(scales=[1]).describe(pixels), whole[0], atol=1e-4)
    both = ((whole**3 + smaller**3) / 2).pow(1 / 3)
    assert np.allclose(
        extractor(scales=[1, 0.5]).describe(pixels), both[0] / both.norm(), atol=1e-4
    )


def test_large_photos_are_reduced_and_aspect_is_kept(rng, monkeypatch) -> None:
    e = extractor(scales=[1.0])
    seen: list[tuple[int, ...]] = []
    e._maps.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape)))
    e.describe(photo(320, 480, rng))
    e.describe(photo(20, 160, rng))
    e.describe(photo(1, 1, rng))
    e.describe(photo(4, 3000, rng))
    assert seen == [(1, 3, 107, 160), (1, 3, 32, 160), (1, 3, 32, 32), (1, 3, 32, 160)]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (33, 31), (7, 900)])
@pytest.mark.parametrize("architecture", ["squeezenet1_1", "mobilenet_v2"])
def test_odd_sizes(size, architecture, rng) -> None:
    v = extractor(architecture=architecture).describe(photo(*size, rng))
    assert np.isfinite(v).all() and np.isclose(np.linalg.norm(v), 1, atol=1e-4)


def test_equal_photos_equal_descriptors_and_the_input_is_left_alone(rng) -> None:
    pixels = photo(100, 80, rng)
    copy = pixels.copy()
    assert (extractor().describe(pixels) == extractor().describe(copy)).all()
    assert (pixels == copy).all()
    strided = np.repeat(pixels, 2, axis=1)[:, ::2]
    assert (extractor().describe(strided) == extractor().describe(pixels)).all()


def test_fingerprint_changes_with_weights_and_settings(tmp_path) -> None:
    from safetensors.torch import save_file

    made = [extractor()]
    made += [extractor(seed=1), extractor(pooling="mac"), extractor(p=4), extractor(scales=[1])]
    made += [extractor(max_side=161), extractor(architecture="mobilenet_v2")]
    for name, seed in (("a", 0), ("b", 1)):
        save_file(random_network("squeezenet1_1", seed).state_dict(), tmp_path / name)
        made.append(Extractor(tmp_path / name, max_side=160))
    assert len({e.fingerprint for e in made}) == len(made)
    # What does not change descriptors does not change it; p belongs to GeM alone.
    assert extractor(batch=7).fingerprint == made[0].fingerprint
    assert extractor(pooling="mac", p=5).fingerprint == extractor(pooling="mac").fingerprint


def test_threads_are_bounded_and_restored(rng) -> None:
    from kinfold.base.threads import use_threads

    e = extractor()
    before = torch.get_num_threads()
    seen: list[int] = []
    e._maps.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    with use_threads(1):
        e.describe(photo(64, 64, rng))
    assert set(seen) == {1} and torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "median"}, "pooling: expected one of mac"),
        ({"p": 0}, "p: expected"),
        ({"scales": []}, "scales: expected at least one"),
        ({"scales": [0]}, "scales"),
        ({"max_side": 3}, "max_side"),
        ({"batch": 0}, "batch"),
        ({"architecture": None}, "architecture: random weights need one of squeezenet1_1"),
        ({"architecture": "vgg11"}, "architecture: expected one of"),
        ({"device": "abacus"}, "device: expected such as"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_settings(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        extractor(**arguments)


def test_a_device_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a cuda device")
    with pytest.raises(ValueError, match="device: 'cuda' was asked for"):
        extractor(device="cuda")


def test_a_network_without_weights_is_refused_with_the_reason(tmp_path) -> None:
    with pytest.raises(ValueError, match="learnt nothing.*weights='random' asks"):
        Extractor(None, architecture="squeezenet1_1")
    with pytest.raises(FileNotFoundError, match="weights: no such file"):
        Extractor(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(
    "bad", [np.zeros((5, 5)), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)]
)
def test_bad_pixels(bad) -> None:
    with pytest.raises(ValueError, match="pixels: expected RGB"):
        extractor().describe(bad)


def test_the_catalogues_import_no_torch() -> None:
    code = (
        "import sys, kinfold.features, kinfold.features.pool, kinfold.features.backbones;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from kinfold.base.errors import MissingExtraError\n"
        "from kinfold.features.extract import Extractor\n"
        "try:\n    Extractor('random', architecture='squeezenet1_1')\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'kinfold[torch]'" in done.stdout


def test_poolings_of_ones_own_and_other_layers(rng) -> None:
    from kinfold.features.pool.crow import CroW
    from kinfold.features.pool.rmac import RMAC

    pixels = photo(96, 128, rng)
    plain = extractor(pooling="crow", scales=[1])
    lecture = extractor(pooling=CroW("lecture"), scales=[1])
    assert plain.pooling == lecture.pooling == "crow" and plain.p == 1
    assert not np.allclose(plain.describe(pixels), lecture.describe(pixels), atol=1e-3)
    assert plain.fingerprint != lecture.fingerprint
    maps = torch.from_numpy(plain.maps(pixels))[None]
    pooled = CroW()(maps)[0]
    assert np.allclose(plain.describe(pixels), pooled / pooled.norm(), atol=1e-5)
    shallow = extractor(architecture="resnet18", layer="conv4", pooling=RMAC(2), max_side=64)
    assert shallow.describe(pixels).shape == (256,)
    deep = extractor(architecture="resnet18", layer="conv5", pooling=RMAC(2), max_side=64)
    assert shallow.fingerprint != deep.fingerprint
    codes = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 4))
    with pytest.raises(
        ValueError, match=r"gives codes of images of one size: see features\.neural_codes"
    ):
        Extractor(codes)


def test_a_network_of_ones_own(rng) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 5, stride=4), torch.nn.ReLU())
    e = Extractor(net, pooling="mac", scales=[1], max_side=160)
    pixels = photo(64, 80, rng)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    expected = net(x).amax((2, 3))[0].detach()
    assert np.allclose(e.describe(pixels), expected / expected.norm(), atol=1e-5)


def test_whitening_comes_last_and_changes_the_fingerprint(rng) -> None:
    from kinfold.transform.learned_whitening import LearnedWhitening
    from kinfold.transform.normalize import l2_normalize
    from kinfold.transform.pca import PCA

    e = extractor(scales=[1], max_side=64)
    photos = [photo(64, 48, rng) for _ in range(12)]
    raw = e.describe_all(photos)
    made = [
        PCA(5, whiten=True).fit(raw),
        LearnedWhitening(4, shrinkage=0.5).fit(raw, [[0, 1], [2, 3], [4, 5]]),
    ]
    for whitening in made:
        w = e.whitened(whitening)
        assert w.dim == whitening.affine()[1].shape[1] and e.dim == 512
        assert np.allclose(
            w.describe_all(photos), l2_normalize(whitening.transform(raw)), atol=1e-4
        )
        assert np.allclose(w.whitened(None).describe(photos[0]), raw[0], atol=1e-6)
    prints = {x.fingerprint for x in (e, e.whitened(made[0]), e.whitened(made[1]))}
    assert len(prints) == 3
    with pytest.raises(ValueError, match="whitening: expected one of 512 dimensions, got 5"):
        e.whitened(PCA(2).fit(rng.random((9, 5))))


@pytest.mark.parametrize("mmap", [False, True])
def test_one_file_gives_the_same_descriptors(mmap, rng, tmp_path) -> None:
    import kinfold as kf

    pixels = photo(96, 128, rng)
    raw = rng.random((20, 512))
    e = extractor(
        architecture="resnet18", layer="conv5", p=2.5, scales=[1, 0.5], max_side=96,
        whitening=kf.PCA(8, whiten=0.25).fit(raw), antialias=False,
    )  # fmt: skip
    kf.save(e, tmp_path / "extractor.kin")
    again = kf.load(tmp_path / "extractor.kin", mmap=mmap)
    assert np.array_equal(again.describe(pixels), e.describe(pixels))
    assert again.fingerprint == e.fingerprint and again.p == 2.5
    # Nothing of the classifier: what describes photos alone is kept.
    assert not [name for name in e.arrays() if "fc" in name]


def test_what_cannot_be_saved_says_why(tmp_path) -> None:
    import kinfold as kf

    class Half(torch.nn.Module):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return maps.amax((2, 3)) / 2

    with pytest.raises(ValueError, match="a Half cannot be saved"):
        kf.save(extractor(pooling=Half()), tmp_path / "a.kin")


def test_half_precision_is_close(rng) -> None:
    pixels = photo(96, 128, rng)
    full, half = extractor(), extractor(precision="bfloat16")
    assert 0.999 < float(full.describe(pixels) @ half.describe(pixels)) <= 1.0001
    assert full.fingerprint != half.fingerprint


def test_files_are_decoded_on_the_way(rng, tmp_path) -> None:
    from PIL import Image

    e = extractor(scales=[1])
    photos = [photo(64, 80, rng) for _ in range(5)]
    for i, pixels in enumerate(photos):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    files = sorted(tmp_path.glob("*.png"))
    assert np.allclose(e.describe_all(files), e.describe_all(photos), atol=1e-6)
    (tmp_path / "9.png").write_bytes(b"no photo")
    from kinfold.base.errors import ImageError

    with pytest.raises(ImageError):
        e.describe_all([*files, tmp_path / "9.png"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "floor"), [("squeezenet1_1", 0.705), ("mobilenet_v2", 0.698)])
def test_the_published_baseline_on_real_photos(name, floor, shared) -> None:
    """One scale, GeM, mean-centred, cosine, queries cropped to their boxes, trapezoid AP."""
    from kinfold.evaluate.average_precision import average_precision
    from kinfold.images.decode import decode
    from kinfold.transform.normalize import l2_normalize

    photos = shared / "data" / "photos"
    truth = json.loads((photos / "ground_truth.json").read_text())
    e = Extractor(shared / "data" / "weights" / f"{name}.safetensors", scales=[1], max_side=640)

    def pixels(stem: str, box: list[float] | None = None) -> np.ndarray:
        whole = decode(photos / "jpg" / f"{stem}.jpg").pixels
        if box is None:
            return whole
        left, top, right, bottom = (round(side) for side in box)
        return whole[top:bottom, left:right]

    base = e.describe_all(pixels(stem) for stem in truth["imlist"])
    queries = e.describe_all(
        pixels(stem, entry["bbx"]) for stem, entry in zip(truth["qimlist"], truth["gnd"])
    )
    mean = base.mean(axis=0)
    similarities = l2_normalize(queries - mean) @ l2_normalize(base - mean).T
    precisions = [
        average_precision(np.argsort(-row, kind="stable"), entry["ok"], entry["junk"])
        for row, entry in zip(similarities, truth["gnd"])
    ]
    assert abs(np.mean(precisions) - floor) < 0.01


def test_regions_come_from_the_same_maps(rng) -> None:
    from kinfold.features.pool.regions import Regions

    extractor = Extractor("random", architecture="squeezenet1_1", scales=(1.0, 0.6))
    pixels = rng.integers(0, 256, (150, 110, 3), np.uint8)
    descriptor, scales = extractor.describe_with_regions(pixels, Regions())
    np.testing.assert_array_equal(descriptor, extractor.describe(pixels))
    assert len(scales) == 2
    for scale, regions in zip(extractor.scales, scales):
        maps = extractor.maps(pixels, scale)
        boxes = Regions().boxes(*maps.shape[1:])
        assert regions.shape == (len(boxes), 512)
        for row, (x0, y0, x1, y1) in zip(regions, boxes):
            largest = maps[:, y0:y1, x0:x1].max(axis=(1, 2))
            np.testing.assert_allclose(row, largest / np.linalg.norm(largest), atol=1e-6)
