"""Models of timm: by name, from a folder as timm saves it for the hub, or a state dict of an architecture."""

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
from kinfold.features.weights import Weights, matching, read_weights, state_arrays

# What forward_features gives; what the classifier would be given.
LAYERS = ("features", "pooled")
_FILES = ("model.safetensors", "pytorch_model.bin")


def load(source: str, choice: Choice) -> Trunk:
    """The network of "NAME", "NAME=FILE", a folder, or a file that ``in_one_file`` made.

    Maps or tokens are what timm's ``forward_features`` gives; the layer "pooled", also chosen by the pooling "flatten",
    is the vector before the classifier. Transformers whose places can be interpolated take images of any size.
    Raises ValueError for a name that timm does not know or cannot fetch, FileFormatError for weights of another model.
    """
    model, config = _read(source)
    name = str(config["architecture"])
    layer = choice.layer or ("pooled" if choice.pooling == "flatten" else LAYERS[0])
    if layer not in LAYERS:
        raise ValueError(
            f"layer: expected one of {', '.join(LAYERS)} of timm's {name}, got {layer!r}"
        )
    own = as_preprocessing(dict(model.pretrained_cfg))
    size = None if _takes_any_size(model) else own.size

    def run(images: Any) -> Any:
        found = model.forward_features(images)
        return model.forward_head(found, pre_logits=True) if layer == "pooled" else found

    def images(maps: bool) -> Preprocessing:
        return images_for(choice, own, size, maps=maps, name=name)

    return trunk_of(
        model, run, images, choice, maker="timm", name=name, source=digest_of(model), layer=layer,
        prefix=getattr(model, "num_prefix_tokens", None), any_size=size is None,
        last=getattr(model, "output_fmt", "NCHW") == "NHWC",
    )  # fmt: skip


def in_one_file(source: str, folder: Path) -> Path:
    """A safetensors file that says in its metadata of which architecture it is and what images it expects."""
    if Path(source).is_file():
        return Path(source)
    model, config = _read(source)
    target = folder / f"{str(config['architecture']).replace('/', '-')}.safetensors"
    kept = json.dumps({**config, "pretrained_cfg": _plain(model.pretrained_cfg)})
    write_safetensors(target, state_arrays(model), {"maker": "timm", "config": kept})
    return target


def _read(source: str) -> tuple[Any, dict[str, Any]]:
    """The model without its classifier, with its weights; and what it was made of: architecture and model_args."""
    name, equals, file = source.partition("=")
    path = Path(source)
    if path.is_dir():
        config = config_of(path, "config.json")
        files = [path / each for each in _FILES if (path / each).is_file()]
        if not files:
            raise FileNotFoundError(f"weights: {path} holds neither {' nor '.join(_FILES)}")
        return _built(config, read_weights(files[0]))
    if path.is_file():
        weights = read_weights(path)
        try:
            config = json.loads(weights.metadata["config"])
        except (KeyError, ValueError):
            raise FileFormatError(
                f"{path.name}: does not say of which architecture it is; timm:NAME={path.name} does"
            ) from None
        return _built(config, weights)
    if equals:
        return _built({"architecture": name}, read_weights(file))
    return _made(name, pretrained=True), {"architecture": name}


def _built(config: Mapping[str, Any], weights: Weights) -> tuple[Any, dict[str, Any]]:
    name = str(config.get("architecture"))
    extra = config.get("model_args")
    extra = extra if isinstance(extra, dict) else {}
    model = _made(name, pretrained=False, **extra)
    if isinstance(own := config.get("pretrained_cfg"), Mapping):
        model.pretrained_cfg = {**model.pretrained_cfg, **own}
    classifier = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(
        f"{head}." for head in ([classifier] if isinstance(classifier, str) else classifier)
    )
    tensors = {
        key: t for key, t in weights.tensors.items() if not heads or not key.startswith(heads)
    }
    model.load_state_dict(matching(model, tensors, f"timm's {name}"))
    return model, {"architecture": name, "model_args": extra}


def _made(name: str, *, pretrained: bool, **extra: Any) -> Any:
    create = imported("timm").create_model
    extra = {**extra, "num_classes": 0}
    try:
        try:
            return create(name, pretrained=pretrained, dynamic_img_size=True, **extra)
        except TypeError:  # no transformer that can
            return create(name, pretrained=pretrained, **extra)
    except Exception as error:  # names, connections, and what the model's own code raises
        what = "and its weights" if pretrained else "as its files say"
        raise ValueError(
            f"weights: timm cannot make {name!r} {what}: {reason_of(error)}; timm:FOLDER with config.json and "
            f"{_FILES[0]} needs no connection"
        ) from error


def _takes_any_size(model: Any) -> bool:
    patches = getattr(model, "patch_embed", None)
    if patches is not None and hasattr(patches, "strict_img_size"):
        return not patches.strict_img_size
    return not model.pretrained_cfg.get("fixed_input_size", False)


def _plain(config: Any) -> dict[str, Any]:
    """What of a configuration says how images are made, and where the classifier is."""
    kept = (
        "input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "fixed_input_size", "classifier",
    )  # fmt: skip
    return {key: config[key] for key in kept if config.get(key) is not None}
