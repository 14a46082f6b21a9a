"""Models of other makers that run on torch, as trunks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kinfold.base.errors import MissingExtraError
from kinfold.base.extras import require
from kinfold.features.models.outputs import Output, as_features, chosen
from kinfold.features.models.spec import Choice
from kinfold.features.preprocess import Preprocessing
from kinfold.features.trunk import Trunk

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Where nobody says a size, and the model takes any.
PROBE = (224, 224)


class Looking(torch.nn.Module):  # type: ignore[misc]
    """A model whose output is brought to maps or codes.

    model : holds the parameters
    run : what is called with images: the model itself, or a method of it
    alone : images go through one by one
    """

    def __init__(
        self, model: Any, run: Callable[[Any], Any], output: Output, name: str | None, alone: bool
    ) -> None:
        super().__init__()
        self.model = model
        self._run, self._output, self._name, self._alone = run, output, name, alone

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, 3, h, w) to maps (n, dim, h', w') or codes (n, dim)."""
        if self._alone and len(images) > 1:
            return torch.cat([self(images[i : i + 1]) for i in range(len(images))])
        height, width = images.shape[2:]
        values = self._run(images.contiguous())
        values = values if self._name is None else outputs_of(values)[self._name]
        features: torch.Tensor = as_features(values, (height, width), self._output)
        return features


def outputs_of(values: Any) -> dict[str, Any]:
    """What a model gives by name; those without are numbered. ValueError for what is no tensor or several."""
    if isinstance(values, torch.Tensor):
        values = [values]
    if isinstance(values, (list, tuple)):
        values = {str(number): value for number, value in enumerate(values)}
    if isinstance(values, Mapping):
        tensors = {str(k): v for k, v in values.items() if isinstance(v, torch.Tensor)}
        if tensors:
            return tensors
    raise ValueError(f"weights: expected a model that gives tensors, got {type(values).__name__}")


def trunk_of(
    model: Any,
    run: Callable[[Any], Any],
    images: Callable[[bool], Preprocessing],
    choice: Choice,
    *,
    maker: str,
    name: str,
    source: str,
    prefix: int | None = None,
    last: bool = False,
    any_size: bool = True,
    alone: bool = False,
    layer: str | None = None,
) -> Trunk:
    """A trunk of a model, which is run once to see what it gives.

    images : how photos become images, for a model that gives maps of any size or not
    prefix : tokens before those of patches, where that is known
    last : whether channels are the last axis of maps
    any_size : whether tokens may be of images of any size in steps of a patch
    layer : what is told of where it is cut; the output's name if not given
    Raises ValueError for a model that does not take the images.
    """
    if isinstance(model, torch.nn.Module):
        model.eval()
        for parameter in model.parameters():
            parameter.requires_grad_(False)
    first = images(False)
    size = first.size or PROBE
    try:
        with torch.inference_mode():
            given = run(torch.zeros(1, 3, *size))
    except Exception as error:  # foreign code raises anything
        raise ValueError(
            f"weights: {name} does not run on images of {size[0]} x {size[1]} pixels: {reason_of(error)}"
        ) from error
    found = outputs_of(given)
    ranks = {key: value.ndim for key, value in found.items()}
    taken = chosen(ranks, choice.layer if layer is None else None, choice.pooling)
    values, token = found[taken], choice.pooling == "cls"
    if values.ndim not in (2, 3, 4) or (token and values.ndim != 3):
        wanted = "tokens for the pooling 'cls'" if token else "vectors, tokens or maps"
        raise ValueError(f"layer: {name} gives an output of {values.ndim} axes; expected {wanted}")
    at_end = values.ndim == 4 and last
    places = values.shape[1:3] if at_end else values.shape[2:]
    flat = values.ndim == 4 and tuple(places) == (1, 1)
    output = Output(values.ndim, token, at_end and not flat, prefix, flat)
    features = as_features(values, size, output)
    maps = not output.codes and (values.ndim == 4 or any_size)
    step = size[0] // features.shape[2] if values.ndim == 3 and not token else 1
    one = isinstance(given, torch.Tensor)
    return Trunk(
        Looking(model, run, output, None if one else taken, alone), name,
        layer if layer is not None else (None if one else taken),
        features.shape[1], output.codes, max(32, 2 * step), images(maps), source, step, maker,
    )  # fmt: skip


def imported(package: str) -> Any:
    """A maker's package. MissingExtraError where it is missing, or does not fit the torch that is there."""
    try:
        return require(package)
    except MissingExtraError:
        raise
    except Exception as error:  # such as a torchvision of another build of torch
        raise MissingExtraError(
            f"{package} cannot be imported: {reason_of(error)}; are torch and torchvision of one release and build?"
        ) from error


def reason_of(error: Exception) -> str:
    """The first line of what went wrong."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def digest_of(model: Any) -> str:
    """Of a model's tensors and their names."""
    digest = hashlib.blake2b(digest_size=20)
    for key, tensor in model.state_dict().items():
        digest.update(key.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
