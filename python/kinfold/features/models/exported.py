"""Files of torch.export (.pt2) and TorchScript (.pt): graphs that torch runs without their makers' code."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.features.models.spec import Choice, images_for, is_script
from kinfold.features.models.torched import reason_of, trunk_of
from kinfold.features.preprocess import Preprocessing, beside
from kinfold.features.trunk import Trunk
from kinfold.images.digest import content_digest

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def load(source: str, choice: Choice) -> Trunk:
    """The network of a file. ValueError where a choice is missing, FileFormatError for what torch cannot read."""
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"weights: no such file: {path}")
    model, shape = _script(path) if is_script(path) else _exported(path)
    sides = [side for side in shape[2:] if side is not None]
    if len(sides) == 1:
        raise ValueError(
            f"weights: {path.name} takes images of {shape}; expected both sides or none fixed"
        )
    size = (int(sides[0]), int(sides[1])) if sides else None

    def images(maps: bool) -> Preprocessing:
        return images_for(choice, beside(path), size, maps=maps, name=path.name)

    trunk = trunk_of(
        model, model, images, choice, maker="exported", name=path.name, source=content_digest(path),
        any_size=False, alone=shape[0] == 1,
    )  # fmt: skip
    # A copy by another name describes photos alike.
    return replace(trunk, name="exported")


def in_one_file(source: str, folder: Path) -> Path:
    """The file itself, which holds all."""
    return Path(source)


def _script(path: Path) -> tuple[Any, tuple[int | None, ...]]:
    """The module, and the shape of its images, which TorchScript does not tell."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that TorchScript is no longer developed is its maker's business
            return torch.jit.load(str(path), map_location="cpu"), (None,) * 4
    except Exception as error:  # a parser of foreign bytes raises anything
        raise FileFormatError(
            f"{path.name}: torch cannot read this TorchScript: {reason_of(error)}"
        ) from error


def _exported(path: Path) -> tuple[Any, tuple[int | None, ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(str(path))
            module = program.module()
    except Exception as error:
        raise FileFormatError(
            f"{path.name}: torch {torch.__version__} cannot read this file of torch.export: {reason_of(error)}"
        ) from error
    names = program.graph_signature.user_inputs
    nodes = [node for node in program.graph.nodes if node.name in names]
    shapes = [
        tuple(node.meta["val"].shape) for node in nodes if hasattr(node.meta.get("val"), "shape")
    ]
    if len(names) != 1 or len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3:
        raise ValueError(
            f"weights: {path.name} takes {shapes}; expected one input, images (n, 3, h, w)"
        )
    return _Runs(module), tuple(side if type(side) is int else None for side in shapes[0])


class _Runs:
    """An exported module, which refuses ``eval``: it is what it was exported as."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __call__(self, images: torch.Tensor) -> Any:
        return self.module(images)
