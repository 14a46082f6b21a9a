from __future__ import annotations

import json
import sys

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from kinfold.base.errors import FileFormatError
from kinfold.features.preprocess import NAMED, Preprocessing, as_preprocessing, beside

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def hugging_face(pixels, config):
    """What Hugging Face's image processors do, step by step with Pillow: float64 (3, h, w)."""
    image = Image.fromarray(pixels)
    size = config["size"]
    if "shortest_edge" in size:
        short, long = sorted(image.size)
        edge = size["shortest_edge"]
        sides = (edge, int(edge * long / short))
        image = image.resize(
            sides if image.width <= image.height else sides[::-1], config["resample"]
        )
    else:
        image = image.resize((size["width"], size["height"]), config["resample"])
    if config.get("do_center_crop"):
        height, width = config["crop_size"]["height"], config["crop_size"]["width"]
        top, left = (image.height - height) // 2, (image.width - width) // 2
        image = image.crop((left, top, left + width, top + height))
    array = np.asarray(image, np.float64)
    if config.get("do_rescale", True):
        array = array * config.get("rescale_factor", 1 / 255)
    if config.get("do_normalize", True):
        array = (array - config["image_mean"]) / config["image_std"]
    return array.transpose(2, 0, 1)


CROP = {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}}
NUMBERS = {"image_mean": MEAN, "image_std": STD}


@pytest.mark.parametrize("shape", [(70, 91), (91, 70), (40, 40), (20, 300)])
@pytest.mark.parametrize(
    "config",
    [
        {"size": {"shortest_edge": 37}, "resample": 3, **CROP, **NUMBERS},
        {"size": {"shortest_edge": 32}, "resample": 2, **CROP, **NUMBERS},
        {"size": {"height": 48, "width": 32}, "resample": 2, **NUMBERS},
        {"size": {"height": 32, "width": 32}, "resample": 1, "do_normalize": False},
        {
            "size": {"height": 32, "width": 32},
            "resample": 3,
            "rescale_factor": 1 / 127.5,
            **NUMBERS,
        },
        {"size": {"height": 32, "width": 32}, "resample": 0, "do_rescale": False, **NUMBERS},
    ],
)
def test_hugging_faces_files_are_followed_to_the_pixel(config, shape, rng) -> None:
    pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    seen = as_preprocessing(config)
    image = seen.prepared(pixels, 1024) / 255
    ours = ((image - seen.mean) / seen.std).transpose(2, 0, 1)
    np.testing.assert_allclose(ours, hugging_face(pixels, config), atol=1e-9 * 255)


@pytest.mark.parametrize("size", [{"shortest_edge": 64}, 64])
def test_other_manners_of_hugging_face(size) -> None:
    seen = as_preprocessing({"size": size, "do_center_crop": True, "crop_size": 56, **NUMBERS})
    assert (seen.fit, seen.size, seen.resize) == ("crop", (56, 56), 64)
    convnext = as_preprocessing({"size": {"shortest_edge": 224}, "crop_pct": 0.875, **NUMBERS})
    assert (convnext.fit, convnext.size, convnext.resize) == ("crop", (224, 224), 256)
    large = as_preprocessing({"size": {"shortest_edge": 384}, "crop_pct": 0.875, **NUMBERS})
    assert (large.fit, large.size) == ("warp", (384, 384))
    any_size = as_preprocessing(
        {"size": {"shortest_edge": 800}, "do_center_crop": False, **NUMBERS}
    )
    assert any_size.fit == "keep"
    assert as_preprocessing({"do_resize": False, **NUMBERS}).size is None


def test_timm_and_open_clip() -> None:
    timm = {
        "input_size": [3, 224, 224],
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": MEAN,
        "std": STD,
    }
    seen = as_preprocessing({"architecture": "x", "pretrained_cfg": timm})
    assert (seen.fit, seen.resize, seen.to_even) == ("crop", 248, True)
    assert as_preprocessing({**timm, "crop_mode": "squash"}).fit == "warp"
    assert as_preprocessing({**timm, "crop_mode": "border"}).fit == "pad"
    clip = {"size": 224, "mean": MEAN, "std": STD, "resize_mode": "longest", "fill_color": 7}
    assert as_preprocessing({"preprocess_cfg": clip}).fill == 7


def test_places_and_padding(rng) -> None:
    pixels = rng.integers(1, 256, (30, 60, 3), dtype=np.uint8)
    pad = Preprocessing((0, 0, 0), (1, 1, 1), "pad", (40, 40), fill=9)
    assert pad.placed(30, 60) == (0, 10, 40, 30)
    image = pad.prepared(pixels, 1024)
    assert (image[:10] == 9).all() and (image[30:] == 9).all() and (image[10:30] != 9).any()
    np.testing.assert_array_equal(
        image[10:30], np.asarray(Image.fromarray(pixels).resize((40, 20), Image.Resampling.BICUBIC))
    )
    crop = Preprocessing((0, 0, 0), (1, 1, 1), "crop", (20, 20), 25)
    assert crop.placed(30, 60) == (-15, -2, 35, 23)
    even = Preprocessing((0, 0, 0), (1, 1, 1), "crop", (20, 20), 25, to_even=True)
    assert (
        even.placed(30, 60) == (-15, -2, 35, 23)
        and even._before(-7) == -4
        and crop._before(-7) == -3
    )
    assert Preprocessing((0, 0, 0), (1, 1, 1), "warp", (20, 10)).placed(30, 60) == (0, 0, 10, 20)
    with pytest.raises(ValueError, match="any size"):
        NAMED["half"].placed(3, 4)


def test_photos_of_any_size_keep_their_aspect(rng, tmp_path) -> None:
    pixels = rng.integers(0, 256, (30, 60, 3), dtype=np.uint8)
    assert NAMED["imagenet"].prepared(pixels, 32).shape == (16, 32, 3)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    warp = NAMED["imagenet"].at_size((8, 12))
    np.testing.assert_array_equal(warp.prepared(tmp_path / "p.png", 9), warp.prepared(pixels, 9))


def test_what_is_kept_is_what_was_said(tmp_path) -> None:
    for seen in (
        *NAMED.values(), Preprocessing((0, 0, 0.5), (1, 1, 2), "crop", (20, 30), 40, "lanczos", 3, True),
    ):  # fmt: skip
        text = json.dumps(seen.to_dict())
        assert as_preprocessing(json.loads(text)) == seen
    ours = {"mean": MEAN, "std": STD, "size": 32}
    assert as_preprocessing(ours) == as_preprocessing({**ours, "size": [32, 32], "fit": "warp"})
    assert as_preprocessing({**ours, "fit": "crop"}).resize == 32
    assert NAMED["half"].is_of(NAMED["half"].at_size((3, 4))) and not NAMED["half"].is_of(
        NAMED["clip"]
    )
    assert str(as_preprocessing(ours)).startswith(
        "warp to 32 x 32, bicubic; mean 0.485 0.456 0.406"
    )
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(ours))
    assert beside(tmp_path / "model.onnx") == as_preprocessing(ours)
    assert beside(tmp_path / "sub" / "model.onnx") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "lacks mean; expected mean and std"),
        ({"mean": MEAN, "std": STD, "scale": 2}, "unknown 'scale'"),
        ({"mean": MEAN, "std": [1, 0, 1]}, "std above 0"),
        ({"mean": [float("nan")] * 3, "std": STD}, "three numbers as mean"),
        ({"mean": [0.5], "std": STD}, "three numbers"),
        ({"mean": MEAN, "std": STD, "size": "large"}, "a height and a width"),
        ({"mean": MEAN, "std": STD, "size": 32, "fit": "keep"}, "expected a size for"),
        ({"mean": MEAN, "std": STD, "fit": "stretch"}, "fit"),
        ({"mean": MEAN, "std": STD, "size": 32, "interpolation": "sinc"}, "interpolation"),
        ({"image_mean": MEAN, "size": 224}, "lacks image_mean or image_std"),
        (
            {**NUMBERS, "size": {"height": 3, "width": 4}, "resample": "bicubic"},
            "number of Pillow's",
        ),
        ({"input_size": [1, 28, 28], "mean": MEAN, "std": STD}, "input_size"),
        (7, "expected a JSON file, a dictionary, or one of imagenet, clip, half, unit"),
    ],
)
def test_what_makes_no_sense(given, message) -> None:
    with pytest.raises(ValueError, match=message):
        as_preprocessing(given)


def test_files_that_are_none(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="none of the names imagenet"):
        as_preprocessing("imagenette")
    bad = tmp_path / "p.json"
    for text, message in (
        ("{", "is no JSON"),
        ("[]", "expected a JSON file"),
        ('{"mean": 1}', "lacks std"),
    ):
        bad.write_text(text)
        with pytest.raises(FileFormatError, match=message):
            as_preprocessing(bad)
    bad.write_text(" " * (1 << 20) + "{}")
    with pytest.raises(FileFormatError, match="too long"):
        as_preprocessing(bad)


def test_it_needs_no_torch() -> None:
    import subprocess

    code = "import sys; sys.modules['torch'] = None; import kinfold.features.preprocess"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
