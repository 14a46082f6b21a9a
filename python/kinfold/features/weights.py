"""Trained weights from files to networks."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_choice
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.registry import resolve
from kinfold.base.state import Arrays
from kinfold.features.backbones import METHODS as NETWORKS
from kinfold.features.safetensors import read_safetensors

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# Older releases can be made to run code, or corrupt memory, by a file: CVE-2025-32434, CVE-2026-24747.
_SAFE_TORCH = (2, 10)
MOST_CLASSES = 1 << 20
# What names of a pooling's tensors begin with.
POOL = "pool."


@dataclass(frozen=True)
class Weights:
    """Tensors by parameter name, and what the file tells about them.

    pool : those of a pooling that was learnt with the network, which a file may hold beside it
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    pool: dict[str, torch.Tensor] = field(default_factory=dict)


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """Read a safetensors file, or a state dict that torch saved.

    Files of torch are read without running any code of theirs, and only by releases of torch which can do that.
    Raises FileNotFoundError, or FileFormatError with what is wrong.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"weights: no such file: {file}")
    with file.open("rb") as stream:
        start = stream.read(9)
    # The length of a header of safetensors may begin like a file of torch, but the header itself follows.
    of_torch = start[:4] == b"PK\x03\x04" or start[:1] == b"\x80"
    if of_torch and start[8:] != b"{":
        weights = Weights(_read_torch(file), {})
    else:
        arrays, metadata = read_safetensors(file)
        tensors = {
            name: torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
            for name, array in arrays.items()
        }
        pool = {key: tensors.pop(key) for key in list(tensors) if key.startswith(POOL)}
        weights = Weights(tensors, metadata, {key.removeprefix(POOL): t for key, t in pool.items()})
    for name, tensor in (*weights.tensors.items(), *weights.pool.items()):
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise FileFormatError(f"{file.name}: tensor '{name}' holds NaN or infinity")
    return weights


def network(weights: Weights, architecture: str | None = None) -> Any:
    """The network that weights belong to, with them loaded, in inference mode.

    architecture : name from ``features.backbones``; None to tell it from metadata or parameter names
    The network's ``mean`` and ``std`` are those of the metadata where it names them.
    Raises FileFormatError where the weights do not fit.
    """
    name = _architecture(weights) if architecture is None else architecture
    kind = resolve(NETWORKS[as_choice(name, "architecture", NETWORKS)])
    last = weights.tensors.get(kind.classifier_key)
    given = len(last) if last is not None and last.ndim > 0 else 0
    classes = given if 0 < given <= MOST_CLASSES else 1000
    # Built without memory for values, so that nothing is initialised only to be replaced.
    with torch.device("meta"):
        net = kind(classes)
    fill(net, weights.tensors, name)
    net.mean = _three(weights.metadata, "mean", net.mean)
    net.std = _three(weights.metadata, "std", net.std)
    if min(net.std) <= 0:
        raise FileFormatError(f"weights: expected a std above 0, got {net.std}")
    return net.eval().requires_grad_(False)


def fill(module: Any, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Give a module built on the meta device its parameters. FileFormatError where they are not its own.

    name : of the module, for messages
    """
    module.load_state_dict(matching(module, tensors, name), strict=True, assign=True)


def matching(
    module: Any, tensors: Mapping[str, torch.Tensor], name: str
) -> dict[str, torch.Tensor]:
    """The tensors as the module's state, of its dtypes. FileFormatError where names or shapes are others."""
    expected = module.state_dict()
    for what, names in (
        ("lack", [key for key in expected if key not in tensors and not _counter(key)]),
        ("have the unknown", [key for key in tensors if key not in expected]),
    ):
        if names:
            raise FileFormatError(
                f"weights: not those of {name}: they {what} '{names[0]}' and {len(names) - 1} more"
            )
    state = {}
    for key, parameter in expected.items():
        tensor = tensors.get(key, torch.zeros((), dtype=parameter.dtype))
        if tensor.shape != parameter.shape:
            raise FileFormatError(
                f"weights: not those of {name}: '{key}' is {tuple(tensor.shape)}, not {tuple(parameter.shape)}"
            )
        state[key] = tensor.to(parameter.dtype)
    return state


def state_arrays(network: Any) -> Arrays:
    """A network's parameters and statistics, copied: name -> array."""
    return {name: np.array(t.detach().cpu().numpy()) for name, t in network.state_dict().items()}


def random_network(architecture: str, seed: int) -> Any:
    """A network with random weights, in inference mode: for tests and baselines."""
    kind = resolve(NETWORKS[as_choice(architecture, "architecture", NETWORKS)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind().eval().requires_grad_(False)


def _read_torch(file: Path) -> dict[str, torch.Tensor]:
    release = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if release < _SAFE_TORCH:
        raise FileFormatError(
            f"{file.name}: torch {torch.__version__} cannot read foreign files of torch safely "
            f"(CVE-2026-24747); install torch {'.'.join(map(str, _SAFE_TORCH))} or later, or use safetensors"
        )
    try:
        _check_packed(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileFormatError:
        raise
    except Exception as error:  # a parser of foreign bytes raises anything
        # Its own words would advise to switch the safety off.
        reason = (
            "it holds other objects than tensors, which might run code as they are read; save the state_dict() of "
            "the network instead, or safetensors"
            if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error)
            else f"it is damaged or incomplete ({type(error).__name__})"
        )
        raise FileFormatError(f"{file.name}: not a state dict of torch: {reason}") from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    plain = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor)
        for name, tensor in content.items()
    )
    if not plain or not content:
        raise FileFormatError(f"{file.name}: expected a dictionary of tensors by parameter name")
    room = 2 * file.stat().st_size
    for name, tensor in content.items():
        # A tensor may repeat its few numbers, and many may share them: what that unfolds to is bounded by the file.
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise FileFormatError(f"{file.name}: tensor '{name}' is not one of plain numbers")
        room -= tensor.numel() * tensor.element_size()
        if room < 0:
            raise FileFormatError(f"{file.name}: its tensors claim more numbers than it holds")
    return {
        name.removeprefix("module."): tensor.resolve_conj().resolve_neg().contiguous()
        for name, tensor in content.items()
    }


def _check_packed(file: Path) -> None:
    """Archives of torch are not compressed: one that is may unfold to any size."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > file.stat().st_size:
            raise FileFormatError(f"{file.name}: not a state dict of torch: it is compressed")


def _counter(key: str) -> bool:
    """Whether a parameter only counts batches of training: the oldest published files lack these."""
    return key.endswith(".num_batches_tracked")


def _architecture(weights: Weights) -> str:
    named = weights.metadata.get("architecture", weights.metadata.get("model"))
    if named in NETWORKS:
        return str(named)
    given = {key for key in weights.tensors if not _counter(key)}
    likely = []
    for name, target in NETWORKS.items():
        with torch.device("meta"):
            state = resolve(target)().state_dict()
        if {key for key in state if not _counter(key)} == given:
            # Narrow networks and wide ones may share their names; the number of classes is anybody's.
            last = resolve(target).classifier_key.rpartition(".")[0]
            others = [k for k in given if weights.tensors[k].shape != state[k].shape]
            likely.append((sum(not key.startswith(f"{last}.") for key in others), name))
    if likely:
        return min(likely, key=lambda pair: pair[0])[1]
    raise FileFormatError(
        f"weights: of no known architecture ({', '.join(NETWORKS)})"
        + (f"; the file says {named!r}" if named else "")
    )


def _three(metadata: dict[str, str], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    if key not in metadata:
        return default
    try:
        values = tuple(float(part) for part in metadata[key].split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not np.isfinite(values).all():
        raise FileFormatError(f"weights: expected three numbers as {key}, got {metadata[key]!r}")
    return values
