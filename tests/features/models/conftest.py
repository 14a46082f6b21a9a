"""Tiny models of each kind, made here: nothing is downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")


class Maps(torch.nn.Module):
    """8 rectified maps at stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 5, stride=4, padding=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(images))


class Tokens(torch.nn.Module):
    """A class token and patches of 8 pixels, and a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 6, 8, stride=8)
        self.token = torch.nn.Parameter(torch.randn(1, 1, 6))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        token = self.token + patches.mean(dim=1, keepdim=True)
        tokens = torch.cat([token, patches], dim=1)
        return tokens, tokens.mean(dim=1)


def seeded(kind: type[torch.nn.Module]) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind().eval().requires_grad_(False)


@pytest.fixture(scope="session")
def maps_network() -> torch.nn.Module:
    return seeded(Maps)


@pytest.fixture(scope="session")
def tokens_network() -> torch.nn.Module:
    return seeded(Tokens)


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def to_onnx() -> Callable[..., Path]:
    """Writes a module as an ONNX file; ``free`` names the axes of images that stay open."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")

    def write(
        module: torch.nn.Module, path: Path, *, side: int = 64, free: tuple[int, ...] = (0, 2, 3),
        outputs: tuple[str, ...] = ("maps",),
    ) -> Path:  # fmt: skip
        image = torch.zeros(2 if 0 in free else 1, 3, side, side)
        axes = {axis: torch.export.Dim.DYNAMIC for axis in free}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter about its own internals
            torch.onnx.export(
                module, (image,), path, input_names=["images"], output_names=list(outputs),
                dynamic_shapes=(axes,), dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
        return path

    return write


def a_maker(name: str) -> ModuleType:
    """A maker's package, or the test is skipped.

    A torchvision that was built for another torch lacks its compiled operators, which these models do not use:
    importing it then needs their names alone.
    """
    try:
        pytest.importorskip(name)
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        a_maker.kept = library  # type: ignore[attr-defined]
    return pytest.importorskip(name)


@pytest.fixture(scope="session")
def timm() -> ModuleType:
    return a_maker("timm")


@pytest.fixture(scope="session")
def open_clip(timm) -> ModuleType:
    return a_maker("open_clip")
