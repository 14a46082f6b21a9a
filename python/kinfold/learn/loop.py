"""The one loop that changes weights: epochs, optimiser, curves, checkpoints, early stopping."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.arrays import as_count, as_number
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.learn.checkpoint import exists, load_checkpoint, save_checkpoint, save_weights

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

Batches = Callable[[int], Iterable[Any]]


@dataclass(frozen=True)
class Epoch:
    """One line of the curves. epoch counts from 0; score is None without validation."""

    epoch: int
    rate: float
    loss: float
    score: float | None


@dataclass(frozen=True)
class History:
    """How a training went.

    epochs : the curves
    best : the epoch whose weights the network has in the end: the best score, else the last
    stopped : whether the score had not risen for so long that the rest was left out
    """

    epochs: tuple[Epoch, ...]
    best: int
    stopped: bool


def train(
    network: Any,
    batches: Batches,
    loss: Callable[[Any, Any], Any],
    *,
    epochs: int,
    parameters: Iterable[Any] | None = None,
    rate: float = 1e-3,
    decay: float = 1.0,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    validate: Callable[[Any], float] | None = None,
    patience: int = 3,
    folder: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    resume: bool = True,
    seed: int = 0,
    verbose: bool = True,
) -> History:
    """Stochastic gradient descent with momentum on ``loss(network, batch)``.

    network : an ``nn.Module``; batch normalisation keeps its statistics, which small batches would blur
    batches : epoch -> what the loss takes, one after the other; must depend on the epoch alone, so that a
        resumed training is the one that was not interrupted
    parameters : what changes, or groups of it as torch.optim takes them (rates in groups are relative to ``rate``)
    decay : the rate of epoch e is rate decay^e
    validate : network -> a score, larger is better, before the first and after each epoch
    patience : epochs without a better score after which training stops
    folder : keeps ``last.safetensors``, from which a later call with the same folder goes on, and
        ``best.safetensors``, the weights, which ``Extractor`` reads; None for neither
    architecture : name that is stored with the weights
    seed : of dropout
    In the end the network has the best weights and is in inference mode. Raises ValueError for a loss that is not
    finite; FileFormatError for a checkpoint of another training.
    """
    count, waits = as_count(epochs, "epochs"), as_count(patience, "patience")
    first = as_number(rate, "rate", least=0)
    shrink = as_number(decay, "decay", least=0, most=1)
    seed = as_count(seed, "seed", least=0)
    groups = _groups(network, parameters, first)
    optimiser = torch.optim.SGD(
        [{k: v for k, v in group.items() if k != "share"} for group in groups],
        lr=first, momentum=momentum, weight_decay=weight_decay,
    )  # fmt: skip
    curves: list[Epoch] = []
    best, best_score = -1, None if validate is None else float(validate(network.eval()))
    kept = _copied(network)
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    if folder is not None and resume and exists(folder, "last.safetensors"):
        state = load_checkpoint(Path(folder) / "last.safetensors", network, optimiser)
        curves = [Epoch(**line) for line in state["curves"]]
        best, best_score = state["best"], state["best_score"]
        if exists(folder, "best.safetensors"):
            kept = _read(Path(folder) / "best.safetensors")
    while len(curves) < count and not _waited(curves, best, waits, validate):
        epoch = len(curves)
        for group, of in zip(optimiser.param_groups, groups):
            group["lr"] = first * shrink**epoch * of["share"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 1_000_003 + epoch)
            mean = _epoch(network, batches(epoch), loss, optimiser, f"epoch {epoch}", verbose)
        network.eval()
        score = None if validate is None else float(validate(network))
        curves.append(Epoch(epoch, first * shrink**epoch, mean, score))
        if score is None or best_score is None or score > best_score:
            best, best_score, kept = epoch, score, _copied(network)
            if folder is not None:
                save_weights(Path(folder) / "best.safetensors", network, architecture)
        if folder is not None:
            state = {"curves": [asdict(e) for e in curves], "best": best, "best_score": best_score}
            save_checkpoint(Path(folder) / "last.safetensors", network, optimiser, state)
    network.load_state_dict(kept)
    network.eval()
    return History(tuple(curves), best, _waited(curves, best, waits, validate))


def _epoch(
    network: Any, batches: Iterable[Any], loss: Any, optimiser: Any, what: str, verbose: bool
) -> float:
    """One pass; returns the mean loss."""
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    total, seen = 0.0, 0
    for batch in progress(batches, what, verbose=verbose):
        optimiser.zero_grad(set_to_none=True)
        value = loss(network, batch)
        if not bool(torch.isfinite(value)):
            raise ValueError(
                f"rate: the loss is {float(value.detach())} after {seen} batches: try a smaller rate"
            )
        value.backward()
        optimiser.step()
        total, seen = total + float(value.detach()), seen + 1
    if not seen:
        raise ValueError("batches: expected at least one an epoch, got none")
    return total / seen


def _groups(network: Any, parameters: Iterable[Any] | None, rate: float) -> list[dict[str, Any]]:
    """Groups of parameters, each with its share of the rate."""
    given = list(network.parameters() if parameters is None else parameters)
    if not given or not isinstance(given[0], dict):
        given = [{"params": given}]
    groups = [{"share": group.get("lr", 1.0), "params": list(group["params"])} for group in given]
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(True)
        group["lr"] = rate * group["share"]
    return groups


def _waited(curves: list[Epoch], best: int, patience: int, validate: Any) -> bool:
    return validate is not None and len(curves) - 1 - best >= patience


def _copied(network: Any) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _read(path: Path) -> dict[str, Any]:
    from kinfold.features.weights import read_weights

    return read_weights(path).tensors
