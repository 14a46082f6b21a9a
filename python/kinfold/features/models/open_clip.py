"""The part of open_clip's models that looks at images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.features.models.spec import Choice, config_of, images_for
from kinfold.features.models.torched import digest_of, imported, reason_of, trunk_of
from kinfold.features.preprocess import Preprocessing, as_preprocessing
from kinfold.features.safetensors import write_safetensors
from kinfold.features.trunk import Trunk
from kinfold.features.weights import matching, read_weights, state_arrays

# What is compared with texts; what it is made of.
LAYERS = ("embedding", "tokens")
_CONFIG = "open_clip_config.json"
_FILES = (
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin",
)  # fmt: skip


def load(source: str, choice: Choice) -> Trunk:
    """The network of "NAME/TAG", "hf-hub:NAME", a folder, or a file that ``in_one_file`` made.

    The layer "embedding", the default, is the vector that is compared with texts; "tokens" are the patches of a
    transformer. Raises ValueError for a name that open_clip does not know or cannot fetch, FileFormatError for weights
    of another model.
    """
    visual, config, name = _read(source)
    layer = choice.layer or LAYERS[0]
    if layer not in LAYERS:
        raise ValueError(
            f"layer: expected one of {', '.join(LAYERS)} of open_clip's {name}, got {layer!r}"
        )
    if choice.pooling == "cls":
        raise ValueError(
            "pooling: expected another than 'cls' for open_clip, whose embedding is of that token"
        )
    own = as_preprocessing(_images(visual, config))
    run, prefix = (visual, None) if layer == "embedding" else _tokens(visual)

    def images(maps: bool) -> Preprocessing:
        return images_for(choice, own, own.size, maps=maps, name=name)

    return trunk_of(
        visual, run, images, choice, maker="open_clip", name=name, source=digest_of(visual),
        layer=layer, prefix=prefix, any_size=False,
    )  # fmt: skip


def in_one_file(source: str, folder: Path) -> Path:
    """A safetensors file of the part that looks at images, which says in its metadata how it is built."""
    if Path(source).is_file():
        return Path(source)
    visual, config, name = _read(source)
    target = folder / f"{name.replace('/', '-')}.safetensors"
    arrays = {f"visual.{key}": array for key, array in state_arrays(visual).items()}
    config = {**config, "preprocess_cfg": _images(visual, config), "name": name}
    write_safetensors(target, arrays, {"maker": "open_clip", "config": json.dumps(config)})
    return target


def _read(source: str) -> tuple[Any, Mapping[str, Any], str]:
    """The part that looks at images, its configuration, and its name."""
    path = Path(source)
    if path.is_dir():
        files = [path / each for each in _FILES if (path / each).is_file()]
        if not files:
            raise FileNotFoundError(f"weights: {path} holds none of {', '.join(_FILES)}")
        config = config_of(path, _CONFIG)
        return _built(config, files[0]), config, path.name
    if path.is_file():
        try:
            config = json.loads(read_weights(path).metadata["config"])
        except (KeyError, ValueError):
            raise FileFormatError(f"{path.name}: does not say how it is built") from None
        return _built(config, path), config, str(config.get("name", path.name))
    return _fetched(source)


def _built(config: Mapping[str, Any], file: Path) -> Any:
    towers = imported("open_clip.model")
    try:
        model = config["model_cfg"]
        visual = towers._build_vision_tower(
            model["embed_dim"], model["vision_cfg"], model.get("quick_gelu", False)
        )
    except Exception as error:  # foreign code on a file's words
        raise FileFormatError(
            f"{file.name}: open_clip cannot build it: {reason_of(error)}"
        ) from error
    tensors = {
        key.removeprefix("visual."): tensor
        for key, tensor in read_weights(file).tensors.items()
        if key.startswith("visual.")
    }
    visual.load_state_dict(
        matching(visual, tensors, f"open_clip's {file.parent.name or file.name}")
    )
    return visual


def _fetched(source: str) -> tuple[Any, Mapping[str, Any], str]:
    package = imported("open_clip")
    name, _, tag = (source, "", "") if source.startswith("hf-hub:") else source.partition("/")
    if not tag and not source.startswith("hf-hub:"):
        raise ValueError(
            f"weights: expected open_clip:NAME/TAG, open_clip:hf-hub:NAME or a folder, got open_clip:{source}"
        )
    try:
        model = package.create_model(name, pretrained=tag or None, load_weights=True)
        config = package.get_model_config(name) or {}
    except Exception as error:  # names, connections, and what the model's own code raises
        raise ValueError(
            f"weights: open_clip cannot make {source!r} and its weights: {reason_of(error)}; open_clip:FOLDER with "
            f"{_CONFIG} and {_FILES[0]} needs no connection"
        ) from error
    return model.visual, {"model_cfg": config}, source


def _images(visual: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """What images it expects: what a folder says, or what open_clip sets on the model it made."""
    own = config.get("preprocess_cfg")
    given = {**getattr(visual, "preprocess_cfg", {}), **(own if isinstance(own, Mapping) else {})}
    size = given.get("size") or getattr(visual, "image_size", None)
    return {**given, "size": size, "resize_mode": given.get("resize_mode", "shortest")}


def _tokens(visual: Any) -> tuple[Any, int | None]:
    """What gives a transformer's patches, and how many tokens come before them."""
    if hasattr(visual, "trunk"):
        return visual.trunk.forward_features, getattr(visual.trunk, "num_prefix_tokens", None)
    if not hasattr(visual, "output_tokens"):
        raise ValueError("layer: expected 'embedding', as this model of open_clip has no tokens")
    visual.output_tokens = True
    return (lambda images: visual(images)[1]), 0
