"""An extractor as one ONNX graph: pixels in, whitened descriptors out."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.features.extract import Extractor
from kinfold.features.forward import at_scale, unit
from kinfold.features.fuse import fuse
from kinfold.features.pool import LEARNT
from kinfold.io.atomic import replace_file

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

_OPSET = 18


class Whole(torch.nn.Module):  # type: ignore[misc]
    """All that an extractor does to images of one size, in float32, as one module.

    Images (n, 3, height, width), RGB in [0, 1], to descriptors (n, dim) of length one. The smaller scales are products
    with constant matrices, made by the extractor's own interpolation of unit vectors: exact, and known everywhere.
    """

    def __init__(self, extractor: Extractor, height: int, width: int) -> None:
        super().__init__()
        trunk = extractor.trunk
        self.network = fuse(trunk.module).cpu().float()
        self.pool = extractor._pool
        self.power = extractor.p
        self.register_buffer("pixel_mean", torch.tensor(trunk.preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(trunk.preprocessing.std).view(1, 3, 1, 1))
        self.scales = len(extractor.scales)
        for i, scale in enumerate(extractor.scales):
            if min(height, width) * scale < trunk.least_side:
                raise ValueError(
                    f"height, width: expected sides of at least {trunk.least_side} pixels at scale {scale:g}, "
                    f"got {height * scale:g} x {width * scale:g}"
                )
            for axis, side in (("rows", height), ("columns", width)):
                self.register_buffer(f"{axis}{i}", _interpolation(side, scale, extractor.antialias))
        self.whitens = extractor.whitening is not None
        if extractor.whitening is not None:
            mean, projection = (torch.from_numpy(p.copy()) for p in extractor.whitening.affine())
            self.register_buffer("mean", mean)
            self.register_buffer("projection", projection)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, 3, height, width) in [0, 1] to (n, dim)."""
        images = (images - self.pixel_mean) / self.pixel_std
        total = torch.zeros(1)
        for i in range(self.scales):
            rows, columns = getattr(self, f"rows{i}"), getattr(self, f"columns{i}")
            scaled = images if not len(rows) else rows @ images @ columns.T
            total = total + unit(self.pool(self.network(scaled))) ** self.power
        descriptors = unit((total / self.scales) ** (1 / self.power))
        if self.whitens:
            descriptors = unit((descriptors - self.mean) @ self.projection)
        return descriptors


def export_onnx(
    extractor: Extractor, path: str | os.PathLike[str], *, height: int, width: int
) -> None:
    """Write an extractor, with pooling, scales and whitening, as an ONNX file (opset 18).

    Input "images": float32 (n, 3, height, width), RGB in [0, 1], any n. Output "descriptors": float32 (n, dim).
    Photos must be brought to that size before, as ``images.resize.fit`` does; a file is needed for each size.
    Raises MissingExtraError without the packages onnx and onnxscript; ValueError for a size too small.
    """
    for package in ("onnx", "onnxscript"):
        require(package)
    if extractor.trunk.maker:
        raise ValueError(
            f"extractor: expected a network of features.backbones or a module of your own, got one of "
            f"{extractor.trunk.maker}"
        )
    if extractor.pooling in LEARNT:
        raise ValueError(
            f"extractor: {extractor.pooling} has no ONNX graph: how many cells its boxes touch is a matter of numbers"
        )
    sizes = (as_count(height, "height"), as_count(width, "width"))
    if extractor.side is not None and sizes != (extractor.side,) * 2:
        raise ValueError(f"height, width: expected {extractor.side}, the extractor's, got {sizes}")
    module = Whole(extractor, *sizes).eval()
    example = torch.rand(2, 3, *sizes, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "extractor.onnx"
        with warnings.catch_warnings():
            # The exporter warns about its own internals.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (example,), made, input_names=["images"], output_names=["descriptors"],
                dynamic_shapes={"images": {0: torch.export.Dim("n")}},
                opset_version=_OPSET, dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
        data = made.read_bytes()
    with replace_file(path, size=len(data)) as file:
        file.write(data)


def _interpolation(side: int, scale: float, antialias: bool) -> Any:
    """The matrix (new, side) that brings a line of pixels to a scale; empty where nothing changes."""
    if scale == 1:
        return torch.empty(0, 0)
    # An image for each unit vector, of rows that are alike: of those that come out the first is as good as any.
    rows = 8 * max(1, round(1 / scale))
    lines = torch.eye(side).view(side, 1, 1, side).expand(side, 1, rows, side)
    return at_scale(lines, scale, antialias=antialias)[:, 0, 0].T.contiguous()
