"""What a network expects of its images: size, the way photos get it, mean and standard deviation."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import as_choice, as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.state import JSON
from kinfold.features.batches import fitted
from kinfold.images.decode import decode
from kinfold.images.resize import Pixels, as_pixels

Three = tuple[float, float, float]

FITS = ("keep", "crop", "warp", "pad")
INTERPOLATIONS = (
    "nearest",
    "lanczos",
    "bilinear",
    "bicubic",
    "box",
    "hamming",
)  # by Pillow's numbers
_MOST_SIDE = 4096
# A side file is some hundred bytes.
_MOST_BYTES = 1 << 20
# What is said where nobody says it.
ASK = (
    "preprocess=FILE.json (--preprocess FILE.json) says it: a preprocessor_config.json, or "
    '{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}; so do the names imagenet, clip, half and unit'
)


@dataclass(frozen=True)
class Preprocessing:
    """From photos to images, and from their pixels in [0, 1] to (pixels - mean) / std.

    mean, std : of red, green and blue
    fit : "keep" the aspect, at any size; "warp" the photo to the size; "crop" its centre, the shorter side at
        ``resize``; or "pad" it, the longer side at the size
    size : height and width; None for "keep"
    resize : the shorter side before "crop", at least as long as the image's
    interpolation : of Pillow, by one of INTERPOLATIONS; "keep" has the library's own
    fill : grey value around photos that are padded, 0 to 255
    to_even : of an odd number of pixels to crop the half on the left is rounded to an even one, as torchvision does,
        else down, as Hugging Face does
    """

    mean: Three
    std: Three
    fit: str = "keep"
    size: tuple[int, int] | None = None
    resize: int | None = None
    interpolation: str = "bicubic"
    fill: int = 0
    to_even: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                raise ValueError(f"preprocess: expected three numbers as {name}, got {values!r}")
        if min(self.std) <= 0:
            raise ValueError(f"preprocess: expected a std above 0, got {self.std!r}")
        as_choice(self.fit, "preprocess: fit", FITS)
        as_choice(self.interpolation, "preprocess: interpolation", INTERPOLATIONS)
        if (self.size is None) != (self.fit == "keep"):
            raise ValueError(
                f"preprocess: expected a size for 'crop', 'warp' and 'pad', and none for 'keep'; got "
                f"{self.fit!r} and {self.size!r}"
            )
        for side in self.size or ():
            as_count(side, "preprocess: size", most=_MOST_SIDE)
        if self.fit == "crop" and self.size is not None:
            as_count(self.resize, "preprocess: resize", least=max(self.size), most=4 * _MOST_SIDE)
        as_count(self.fill, "preprocess: fill", least=0, most=255)
        if not isinstance(self.to_even, bool):
            raise ValueError(f"preprocess: expected to_even True or False, got {self.to_even!r}")

    def prepared(self, photo: Any, max_side: int) -> Pixels:
        """A photo, pixels uint8 (H, W, 3) or a file, as the network sees it: uint8 (h, w, 3).

        max_side : of "keep": the longer side of larger photos is reduced to this
        """
        if self.size is None:
            return fitted(photo, max_side)
        pixels = decode(photo).pixels if isinstance(photo, (str, os.PathLike)) else as_pixels(photo)
        image = require("PIL.Image").fromarray(pixels)
        (height, width), (left, top, right, bottom) = self.size, self.placed(*pixels.shape[:2])
        whole = (max(1, right - left), max(1, bottom - top))
        if image.size != whole:
            image = image.resize(whole, INTERPOLATIONS.index(self.interpolation))
        if (left, top, *whole) == (0, 0, width, height):
            return np.array(image)
        canvas = require("PIL.Image").new("RGB", (width, height), (self.fill,) * 3)
        canvas.paste(image, (left, top))
        return np.array(canvas)

    def placed(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Where the whole of a photo comes to lie on the image: x0, y0, x1, y1 in the image's pixels."""
        if self.size is None:
            raise ValueError("preprocess: images of any size have no place for a photo")
        across, along = self.size[1], self.size[0]
        if self.fit == "warp":
            return 0, 0, across, along
        if self.fit == "crop":
            short = self.resize or max(self.size)
            scaled = [int(short * side / min(height, width)) for side in (width, height)]
        else:
            scale = min(across / width, along / height)
            scaled = [
                max(1, min(round(side * scale), most))
                for side, most in ((width, across), (height, along))
            ]
        left, top = (self._before(a - b) for a, b in zip((across, along), scaled))
        return left, top, left + scaled[0], top + scaled[1]

    def _before(self, rest: int) -> int:
        """Of the pixels that an image has more than a photo, those on its left; of a crop both are negative."""
        if rest >= 0:
            return rest // 2
        return -round(-rest / 2) if self.to_even else -(-rest // 2)

    def to_dict(self) -> dict[str, JSON]:
        """As JSON takes it; ``as_preprocessing`` makes the same of it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def __str__(self) -> str:
        """In a line."""
        numbers = ", ".join(
            f"{name} {' '.join(f'{value:.4g}' for value in getattr(self, name))}"
            for name in ("mean", "std")
        )
        if self.size is None:
            return f"any size, aspect kept; {numbers}"
        before = f" of {self.resize} on the shorter side" if self.fit == "crop" else ""
        return f"{self.fit} to {self.size[0]} x {self.size[1]}{before}, {self.interpolation}; {numbers}"

    def at_any_size(self) -> Preprocessing:
        """The same numbers for photos at any size."""
        return Preprocessing(self.mean, self.std)

    def is_of(self, images: Preprocessing) -> bool:
        """Whether it says no other than images of a network that was made ready, which may have one size."""
        if self.size is None and images.size is not None:
            return self.at_size(images.size) == images
        return self == images

    def at_size(self, size: tuple[int, int]) -> Preprocessing:
        """The same for a network of one size: what has none is warped to it. ValueError where it has another."""
        if self.size is None:
            return replace(self, fit="warp", size=size)
        if self.size != size:
            raise ValueError(
                f"preprocess: the network takes images of {size[0]} x {size[1]} pixels alone, not {self.size[0]} x "
                f"{self.size[1]}"
            )
        return self


# What the model says, where several have a say.
OWN = "own"
# What most published networks expect, by name.
NAMED = {
    "imagenet": Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": Preprocessing(
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    ),
    "half": Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def as_preprocessing(given: Any) -> Preprocessing:
    """From a name of NAMED, a JSON file, a dictionary, or one that is made already.

    Dictionaries may be what ``Preprocessing.to_dict`` gives, Hugging Face's preprocessor_config.json, timm's
    ``pretrained_cfg`` (also within its config.json), or open_clip's ``preprocess_cfg`` (also within its own).
    Raises FileNotFoundError, FileFormatError for a file that is no such JSON, ValueError for what makes no sense.
    """
    if isinstance(given, Preprocessing):
        return given
    if isinstance(given, str) and given in NAMED:
        return NAMED[given]
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        if not path.is_file():
            raise FileNotFoundError(
                f"preprocess: no such file: {path}, and none of the names {', '.join(NAMED)}"
            )
        try:
            return as_preprocessing(_json(path))
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"{path}: {error}") from error
    if not isinstance(given, Mapping):
        raise ValueError(
            f"preprocess: expected a JSON file, a dictionary, or one of {', '.join(NAMED)}, got {given!r:.80}"
        )
    for inner in ("preprocess_cfg", "pretrained_cfg"):
        if isinstance(given.get(inner), Mapping):
            return as_preprocessing(given[inner])
    if "image_mean" in given or "image_processor_type" in given or "do_normalize" in given:
        return _of_hugging_face(given)
    if "input_size" in given:
        return _of_timm(given)
    if "resize_mode" in given:
        return _of_open_clip(given)
    return _of_our_own(given)


def beside(file: Path) -> Preprocessing | None:
    """What a side file says of a model: ``preprocessor_config.json`` in its folder, or None."""
    side = file.parent / "preprocessor_config.json"
    return as_preprocessing(side) if side.is_file() else None


def _json(path: Path) -> Any:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("is too long to say how images are made")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON: {error}") from None


def _of_our_own(given: Mapping[str, Any]) -> Preprocessing:
    unknown = sorted(set(given) - set(Preprocessing.__dataclass_fields__))
    lacking = [name for name in ("mean", "std") if name not in given]
    if unknown or lacking:
        wrong = f"lacks {lacking[0]}" if lacking else f"has the unknown {unknown[0]!r}"
        raise ValueError(f"preprocess: {wrong}; expected mean and std, and what else {ASK}")
    chosen = {**given, "mean": _three(given["mean"]), "std": _three(given["std"])}
    if chosen.get("size") is not None:
        chosen["size"] = _sides(chosen["size"])
        chosen.setdefault("fit", "warp")
        if chosen["fit"] == "crop":
            chosen.setdefault("resize", max(chosen["size"]))
    return Preprocessing(**chosen)


def _of_hugging_face(given: Mapping[str, Any]) -> Preprocessing:
    # Pixels are bytes times this before mean and std, here bytes over 255.
    factor = 255 * (
        _number(given, "rescale_factor", 1 / 255) if given.get("do_rescale", True) else 1.0
    )
    mean, std = [0.0] * 3, [1.0] * 3
    if given.get("do_normalize", True):
        if "image_mean" not in given or "image_std" not in given:
            raise ValueError("preprocess: lacks image_mean or image_std")
        mean, std = list(_three(given["image_mean"])), list(_three(given["image_std"]))
    numbers = tuple(v / factor for v in mean), tuple(v / factor for v in std)
    code = given.get("resample", 2)
    if not isinstance(code, int) or not 0 <= code < len(INTERPOLATIONS):
        raise ValueError(f"preprocess: expected a number of Pillow's as resample, got {code!r}")
    size = given.get("size", given.get("crop_size"))
    shorter = size if isinstance(size, int) and given.get("do_center_crop") else None
    if isinstance(size, Mapping):
        shorter = size.get("shortest_edge")
    if shorter is not None and not isinstance(shorter, int):
        raise ValueError(f"preprocess: expected a whole number as shortest_edge, got {shorter!r}")
    how: dict[str, Any] = {"interpolation": INTERPOLATIONS[code]}
    if not given.get("do_resize", True):
        return Preprocessing(_three(numbers[0]), _three(numbers[1]))
    if shorter is None:
        sides = _sides(size)
        resize = None
    elif (share := given.get("crop_pct")) is not None and shorter < 384:  # as ConvNeXt has it
        sides, resize = (shorter, shorter), int(shorter / float(share))
    elif given.get("do_center_crop", "crop_size" in given):
        sides, resize = _sides(given.get("crop_size", shorter)), shorter
    elif "crop_pct" in given:
        sides, resize = (shorter, shorter), None
    else:  # whatever is longer stays
        return Preprocessing(_three(numbers[0]), _three(numbers[1]))
    how |= {"fit": "warp"} if resize is None else {"fit": "crop", "resize": max(resize, *sides)}
    return Preprocessing(_three(numbers[0]), _three(numbers[1]), size=sides, **how)


def _of_timm(given: Mapping[str, Any]) -> Preprocessing:
    size = given["input_size"]
    if not isinstance(size, (list, tuple)) or len(size) != 3 or size[0] != 3:
        raise ValueError(f"preprocess: expected an input_size (3, height, width), got {size!r}")
    sides = _sides(size[1:])
    modes = {"center": "crop", "squash": "warp", "border": "pad"}
    fit = modes[as_choice(given.get("crop_mode") or "center", "preprocess: crop_mode", modes)]
    share = _number(given, "crop_pct", 0.875)
    if not 0 < share <= 1:
        raise ValueError(f"preprocess: expected a crop_pct up to 1, got {share!r}")
    return Preprocessing(
        _three(given.get("mean")), _three(given.get("std")), fit, sides,
        math.floor(max(sides) / share) if fit == "crop" else None,
        str(given.get("interpolation") or "bicubic"), to_even=True,
    )  # fmt: skip


def _of_open_clip(given: Mapping[str, Any]) -> Preprocessing:
    sides = _sides(given.get("size"))
    modes = {"shortest": "crop", "squash": "warp", "longest": "pad"}
    fit = modes[as_choice(given.get("resize_mode"), "preprocess: resize_mode", modes)]
    return Preprocessing(
        _three(given.get("mean")), _three(given.get("std")), fit, sides,
        max(sides) if fit == "crop" else None, str(given.get("interpolation") or "bicubic"),
        int(given.get("fill_color") or 0), to_even=True,
    )  # fmt: skip


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"preprocess: expected a number above 0 as {name}, got {value!r}")
    return float(value)


def _three(values: Any) -> Three:
    if not isinstance(values, (list, tuple)) or len(values) != 3:
        raise ValueError(f"preprocess: expected three numbers, got {values!r}")
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise ValueError(f"preprocess: expected three numbers, got {values!r}")
    return float(values[0]), float(values[1]), float(values[2])


def _sides(size: Any) -> tuple[int, int]:
    """Height and width."""
    if isinstance(size, Mapping):
        size = [size.get("height"), size.get("width")]
    sides = [size, size] if isinstance(size, int) else size
    if (
        not isinstance(sides, (list, tuple))
        or len(sides) != 2
        or not all(isinstance(s, int) for s in sides)
    ):
        raise ValueError(f"preprocess: expected a height and a width, got {size!r}")
    return int(sides[0]), int(sides[1])
