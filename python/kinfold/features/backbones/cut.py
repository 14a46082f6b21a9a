"""Networks cut at the layer that a method wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kinfold.base.extras import require
from kinfold.features.shapes import shape_of

if TYPE_CHECKING:
    from torch import nn
else:
    nn = require("torch").nn

# Sides of images that are tried where nobody says what a layer needs.
_SIDES = range(32, 257)


class Cut(NamedTuple):
    """Where a layer's output is.

    module : the last one before the cut, by torch's name
    dim : channels of the maps (n, dim, h, w), or length of the codes (n, dim)
    least_side : smaller images leave nothing of the maps
    codes : whether the output is codes
    """

    module: str
    dim: int
    least_side: int = 32
    codes: bool = False


def where(network: Any, layer: str | None) -> tuple[str, Cut]:
    """A layer's name and place; None is the network's first, that which retrieval uses.

    layer : from ``network.layers``, which are rectified; or the name of any module that all of an image goes through,
        such as "features.7", whose output is taken as it is. Raises ValueError with the names that there are.
    """
    name = next(iter(network.layers)) if layer is None else layer
    if name in network.layers:
        return name, network.layers[name]
    known = layer_names(network)
    if name not in known:
        inner = ", ".join(_shortened(known[len(network.layers) :]))
        raise ValueError(
            f"layer: expected one of {', '.join(network.layers)}, or a module: {inner}; got {name!r}"
        )
    part = _up_to(network, name)
    for side in _SIDES:
        try:
            shape = shape_of(part, (1, 3, side, side))
        except ValueError:  # nothing of so small an image is left
            continue
        return name, Cut(name, shape[1], side, codes=len(shape) == 2)
    raise ValueError(f"layer: {name!r} takes no image of {_SIDES[-1]} x {_SIDES[-1]} pixels")


def layer_names(network: Any) -> list[str]:
    """All names of layers: those of ``network.layers``, then of modules in the order in which an image passes them."""
    return [*network.layers, *_names(_stages(network))]


def cut(network: Any, layer: str | None = None) -> Any:
    """The network up to a layer, sharing the parameters: an ``nn.Sequential``.

    layer : see where
    """
    return _up_to(network, where(network, layer)[1].module)


def numbered(name: str, modules: Any) -> dict[str, nn.Module]:
    """The modules of a stack by torch's names."""
    return {f"{name}.{i}": module for i, module in enumerate(modules)}


def head_of(pool: nn.Module, classifier: nn.Sequential) -> dict[str, nn.Module]:
    """A pooling, and the stack that classifies what it gives."""
    return {"avgpool": pool, "flatten": nn.Flatten(), **numbered("classifier", classifier)}


def _stages(network: Any) -> dict[str, nn.Module]:
    """What an image goes through, one after the other."""
    names = {id(module): name for name, module in network.named_modules()}
    return {**{names[id(m)]: m for m in network.features}, **getattr(network, "head", {})}


def _up_to(network: Any, name: str) -> nn.Sequential:
    """The network up to and with the module of that name."""
    parts: list[nn.Module] = []
    ahead: Mapping[str, nn.Module] = _stages(network)
    while name not in ahead:
        # It is inside of a stack.
        outer = next(stage for stage in ahead if name.startswith(f"{stage}."))
        parts += _before(ahead, outer)
        ahead = numbered(outer, ahead[outer])
    return nn.Sequential(*parts, *_before(ahead, name), ahead[name])


def _before(stages: Mapping[str, nn.Module], name: str) -> list[nn.Module]:
    names = list(stages)
    return [stages[each] for each in names[: names.index(name)]]


def _names(stages: Mapping[str, nn.Module]) -> list[str]:
    """Of all stages, and of what stacks among them are made of."""
    found: list[str] = []
    for name, module in stages.items():
        found.append(name)
        if type(module) is nn.Sequential:
            found += _names(numbered(name, module))
    return found


def _shortened(names: list[str]) -> Iterator[str]:
    """Runs of numbers by their ends."""
    runs: dict[str, list[str]] = {}
    for name in names:
        stem, _, number = name.rpartition(".")
        runs.setdefault(stem if number.isdigit() else name, []).append(name)
    for run in runs.values():
        yield run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
