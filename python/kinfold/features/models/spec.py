"""Whose a model is: told from what it is called, and where that does not do, from what its files say."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfold.features.models import METHODS
from kinfold.features.models.packaged import PACKAGES, packaged
from kinfold.features.preprocess import ASK, Preprocessing, as_preprocessing
from kinfold.features.safetensors import read_metadata

_ENDINGS = {".onnx": "onnx", ".pt2": "exported"}
_MOST_CONFIG = 1 << 20


@dataclass(frozen=True)
class Choice:
    """What a caller wants of a model.

    layer : which of its outputs, or where it is cut; None for what it has
    pooling : as it was asked for: "cls" wants a transformer's class token, others decide between several outputs
    preprocess : as features.preprocess.as_preprocessing takes it; None for what the model itself says
    """

    layer: str | None = None
    pooling: Any = None
    preprocess: Any = None


def images_for(
    choice: Choice,
    own: Preprocessing | None,
    size: tuple[int, int] | None,
    *,
    maps: bool,
    name: str,
) -> Preprocessing:
    """How photos become images of a model.

    own : what the model itself says
    size : of the images it takes alone; None for any
    maps : whether it gives maps that are of the images' size: photos of any size then keep their aspect, whatever size
        the model says, which is for classifying; a size that the caller says counts
    name : of the model, for the message where nobody says what it expects: ValueError
    """
    given = own if choice.preprocess is None else as_preprocessing(choice.preprocess)
    if given is None:
        raise ValueError(f"preprocess: {name} does not say what images it expects; {ASK}")
    if size is not None:
        return given.at_size(size)
    return given.at_any_size() if maps and choice.preprocess is None else given


def named(weights: Any) -> Any:
    """The file of a package of weights for its name; all else as it is."""
    return packaged(weights) if isinstance(weights, str) and weights in PACKAGES else weights


def maker_of(weights: Any) -> tuple[str, str]:
    """The name in METHODS, "" for the library's own files of weights, and the source without the name before it.

    weights : "timm:NAME" or another maker's name and ":", a file, or a folder
    Raises FileNotFoundError for a file or folder that is not there, ValueError for a folder that holds no model.
    """
    text = os.fspath(weights)
    maker, colon, source = text.partition(":")
    if colon and maker in METHODS:
        return maker, source
    path = Path(text)
    if path.is_dir():
        return _of_folder(path), text
    if path.suffix.lower() in _ENDINGS:
        return _ENDINGS[path.suffix.lower()], text
    if not path.is_file():
        known = ", ".join([*PACKAGES, *(f"{name}:..." for name in METHODS)])
        raise FileNotFoundError(
            f"weights: no such file: {path}, and none of the names that are known: {known}"
        )
    if is_script(path):
        return "exported", text
    metadata = read_metadata(path)
    return (metadata["maker"] if metadata.get("maker") in METHODS else ""), text


def config_of(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a folder; {} where there is none or it is something else."""
    path = folder / name
    if not path.is_file() or path.stat().st_size > _MOST_CONFIG:
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _of_folder(folder: Path) -> str:
    if "model_cfg" in config_of(folder, "open_clip_config.json"):
        return "open_clip"
    if "architecture" in config_of(folder, "config.json"):
        return "timm"
    raise ValueError(
        f"weights: {folder} holds no model that is known: expected timm's config.json with an architecture, or "
        "open_clip_config.json; of several files name one"
    )


def is_script(path: Path) -> bool:
    """Whether a file is TorchScript: an archive that holds code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in f"/{name}" for name in archive.namelist())
