"""The one loop that changes weights: epochs, optimiser, curves, checkpoints, early stopping."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import as_choice, as_count, as_number
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.base.state import add_prefix, strip_prefix
from kinfold.features.weights import state_arrays
from kinfold.learn.checkpoint import (
    Arrays,
    exists,
    load_all,
    restore,
    save_checkpoint,
    save_weights,
)  # fmt: skip
from kinfold.learn.logs import Epoch, Logs
from kinfold.learn.optimiser import grouped, make_optimiser
from kinfold.learn.parallel import Group
from kinfold.learn.schedule import SCHEDULES, rate_share

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

PRECISIONS = ("float32", "bfloat16", "float16")
_CHECKPOINT, _WEIGHTS = "last.safetensors", "best.safetensors"


@dataclass(frozen=True)
class History:
    """How a training went.

    epochs : the curves
    best : the epoch whose weights the network has in the end: the best score, else the last
    stopped : whether the score had not risen for so long that the rest was left out
    before : the score before the first epoch; None without validation
    """

    epochs: tuple[Epoch, ...]
    best: int
    stopped: bool
    before: float | None = None


@dataclass
class _Run:
    """How far a training is, and all that the next batch depends on beside network and optimiser.

    before : the score before the first epoch
    curves, best, best_score, kept : the epochs that are over, the best of them, and the network's state after it
    mined : what the epoch learns from
    batches, total : of the epoch that is not over: batches done, and the sum of their losses
    random : state of torch's generator then
    """

    before: float | None
    best_score: float | None
    kept: Arrays
    curves: list[Epoch] = field(default_factory=list)
    best: int = -1
    mined: Arrays | None = None
    batches: int = 0
    total: float = 0.0
    random: Arrays = field(default_factory=dict)


def train(
    network: Any,
    batches: Callable[..., Iterable[Any]],
    loss: Callable[[Any, Any], Any],
    *,
    epochs: int,
    parameters: Iterable[Any] | None = None,
    optimiser: str = "sgd",
    rate: float = 1e-3,
    schedule: str = "exponential",
    decay: float = 1.0,
    step: int = 1,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    clip: float | None = None,
    accumulate: int = 1,
    precision: str = "float32",
    statistics: bool = False,
    mine: Callable[[Any, int, Arrays | None], Arrays] | None = None,
    validate: Callable[[Any], float] | None = None,
    patience: int = 3,
    folder: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    resume: bool = True,
    save_every: float = 60.0,
    logs: Iterable[str] = ("csv",),
    seed: int = 0,
    verbose: bool = True,
) -> History:
    """Descend along the gradient of ``loss(network, batch)``.

    network : an ``nn.Module``, on the device on which it is
    batches : epoch -> what the loss takes, one after the other; must depend on the epoch alone, and with ``mine``,
        (epoch, mined) on what was mined too, so that a training that goes on is the one that was not interrupted
    loss : the mean over a batch's rows. It should call the network once
    parameters : what changes, or groups of it as torch.optim takes them (rates in groups are relative to ``rate``)
    optimiser : "sgd", "adam" or "adamw"; momentum is the first beta of the latter
    schedule, decay, step : how the rate falls, see ``learn.schedule``: "exponential" rate decay^epoch, "step",
        "cosine", "constant"
    clip : gradients longer than this are shortened to it
    accumulate : batches whose gradients make one step: their mean
    precision : of the forward pass: "bfloat16" or "float16" by torch's autocast; weights stay float32
    statistics : whether batch normalisation learns them, as networks from nothing must; else it keeps those that it
        has, which small batches would blur
    mine : (network in inference mode, epoch, what it gave last or None) -> arrays by name, before each epoch. They are
        kept in the checkpoint
    validate : network -> a score, larger is better, before the first and after each epoch
    patience : epochs without a better score after which training stops
    folder : keeps ``last.safetensors``, from which a later call with the same folder goes on to the same bits, even
        after a kill within an epoch; ``best.safetensors``, the weights, which ``Extractor`` reads (see
        checkpoint.save_weights); and the logs. None for none
    architecture : name that is stored with the weights
    save_every : seconds between checkpoints within an epoch
    logs : "csv" and "tensorboard", see ``learn.logs``
    seed : of dropout, and of miners that draw
    In the end the network has the best weights and is in inference mode. Where torch.distributed has a process group,
    each process takes its share of every batch and the first writes, see ``learn.parallel``.
    Raises ValueError for a loss that is not finite; FileFormatError for a checkpoint of another training.
    """
    count, waits = as_count(epochs, "epochs"), as_count(patience, "patience")
    first = as_number(rate, "rate", least=0)
    falls = as_choice(schedule, "schedule", SCHEDULES)
    shrink = as_number(decay, "decay", least=0, most=1)
    width = as_count(step, "step")
    seed = as_count(seed, "seed", least=0)
    pause = as_number(save_every, "save_every", least=0)
    groups, shares = grouped(network, parameters)
    descent = make_optimiser(
        optimiser, groups, rate=first,
        momentum=as_number(momentum, "momentum", least=0, most=1),
        weight_decay=as_number(weight_decay, "weight_decay", least=0),
    )  # fmt: skip
    group = Group()

    def scored() -> float | None:
        if validate is None:
            return None
        score = float(validate(network.eval())) if group.rank == 0 else None
        told: float = group.told(score)
        return told

    descends = _Descent(
        group.wrapped(network), loss, descent, group,
        accumulate=as_count(accumulate, "accumulate"),
        clip=None if clip is None else as_number(clip, "clip", least=0, open=True),
        precision=as_choice(precision, "precision", PRECISIONS), statistics=bool(statistics),
    )  # fmt: skip

    place = None if folder is None else Path(folder)
    if place is not None and resume and exists(place, _CHECKPOINT):
        run = _loaded(place / _CHECKPOINT, network, descends)
    else:
        before = scored()
        run = _Run(before, before, state_arrays(network))
    if group.rank > 0:
        place, logs = None, ()  # the first process writes
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    written = Logs(place, logs, done=len(run.curves))

    def saved() -> None:
        if place is not None:
            _save(place / _CHECKPOINT, network, descends, run)

    began, earlier = time.monotonic(), len(run.curves)
    try:
        while len(run.curves) < count and not _waited(run, waits, validate):
            epoch = len(run.curves)
            share = rate_share(falls, epoch, count, decay=shrink, step=width)
            for of, relative in zip(descent.param_groups, shares):
                of["lr"] = first * share * relative
            if not run.batches and mine is not None:
                with torch.no_grad():
                    run.mined = mine(network.eval(), epoch, run.mined)
            given = batches(epoch) if mine is None else batches(epoch, run.mined)
            what = f"epoch {epoch + 1} of {count}" + _left(
                time.monotonic() - began, epoch - earlier, count - epoch
            )
            with torch.random.fork_rng(devices=_devices(network)):
                torch.manual_seed(seed * 1_000_003 + epoch)
                mean = descends.epoch(given, run, saved, pause, what, verbose and group.rank == 0)
            network.eval()
            score = scored()
            run.curves.append(Epoch(epoch, first * share, mean, score))
            run.batches, run.total, run.random = 0, 0.0, {}
            if score is None or run.best_score is None or score > run.best_score:
                run.best, run.best_score, run.kept = epoch, score, state_arrays(network)
                if place is not None:
                    save_weights(place / _WEIGHTS, network, architecture)
            saved()
            written.write(run.curves)
    finally:
        written.close()
    restore(network, run.kept)
    network.eval()
    return History(tuple(run.curves), run.best, _waited(run, waits, validate), run.before)


class _Descent:
    """One epoch of steps."""

    def __init__(
        self, network: Any, loss: Any, optimiser: Any, group: Group, *, accumulate: int,
        clip: float | None, precision: str, statistics: bool,
    ) -> None:  # fmt: skip
        self.network, self.loss, self.optimiser, self.group = network, loss, optimiser, group
        self.length: int | None = (
            None  # batches of the last epoch: of this one too, as far as is known
        )
        self.accumulate, self.clip, self.statistics = accumulate, clip, statistics
        self.device = next(network.parameters()).device.type
        self.dtype = None if precision == "float32" else getattr(torch, precision)
        # Gradients of half precision underflow unless they are scaled up.
        self.scaler = torch.amp.GradScaler(self.device, enabled=precision == "float16")

    def epoch(
        self, batches: Iterable[Any], run: _Run, saved: Callable[[], None], pause: float,
        what: str, verbose: bool,
    ) -> float:  # fmt: skip
        """The rest of an epoch; returns the mean loss of all of it."""
        self._mode()
        todo = iter(progress(batches, what, verbose=verbose, total=self.length))
        done = sum(1 for _ in itertools.islice(todo, run.batches))
        if run.random:
            _set_random(run.random)
        last = time.monotonic()
        waiting = 0
        for batch in todo:
            value = self._backward(self.group.share(batch), done)
            done, waiting = done + 1, waiting + 1
            run.total += value
            if waiting == self.accumulate:
                self._step(waiting)
                waiting = 0
                if time.monotonic() - last >= pause:
                    run.batches, run.random = done, _random(self.network)
                    saved()
                    last = time.monotonic()
        if waiting:
            self._step(waiting)
        if not done:
            raise ValueError("batches: expected at least one an epoch, got none")
        self.length = done
        return run.total / done

    def _mode(self) -> None:
        self.network.train()
        if not self.statistics:
            for module in self.network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.eval()
        self.optimiser.zero_grad(set_to_none=True)

    def _backward(self, batch: Any, done: int) -> float:
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
            value = self.loss(self.network, batch)
        mean = self.group.mean(float(value.detach()))
        if not np.isfinite(mean):
            raise ValueError(f"rate: the loss is {mean} after {done} batches: try a smaller rate")
        self.scaler.scale(value).backward()
        return mean

    def _step(self, batches: int) -> None:
        self.scaler.unscale_(self.optimiser)
        parameters = [
            p for g in self.optimiser.param_groups for p in g["params"] if p.grad is not None
        ]
        if batches > 1:
            for parameter in parameters:
                parameter.grad /= batches
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)


def _save(path: Path, network: Any, descent: _Descent, run: _Run) -> None:
    state = {
        "curves": [asdict(line) for line in run.curves], "best": run.best,
        "best_score": run.best_score, "before": run.before, "batches": run.batches,
        "total": run.total, "mined": run.mined is not None, "scaler": descent.scaler.state_dict(),
    }  # fmt: skip
    # Where nothing was learnt since the best epoch, the network is that of it.
    best = {} if run.best == len(run.curves) - 1 and not run.batches else run.kept
    more = {
        **add_prefix("best", best), **add_prefix("mined", run.mined or {}),
        **add_prefix("random", run.random),
    }  # fmt: skip
    save_checkpoint(path, network, descent.optimiser, state, more)


def _loaded(path: Path, network: Any, descent: _Descent) -> _Run:
    state, more = load_all(path, network, descent.optimiser)
    try:
        if state["scaler"]:
            descent.scaler.load_state_dict(state["scaler"])
        return _Run(
            state["before"], state["best_score"],
            strip_prefix("best", more) or state_arrays(network),
            [Epoch(**line) for line in state["curves"]], state["best"],
            strip_prefix("mined", more) if state["mined"] else None, state["batches"],
            state["total"], strip_prefix("random", more),
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise FileFormatError(f"{path}: no checkpoint of a training: {error}") from error


def _left(seconds: float, done: int, todo: int) -> str:
    """How long the epochs that are left will take, as those did that are done."""
    return f", {seconds / done * todo / 60:.0f} min left" if done else ""


def _waited(run: _Run, patience: int, validate: Any) -> bool:
    return validate is not None and len(run.curves) - 1 - run.best >= patience


def _devices(network: Any) -> list[Any]:
    """The accelerators whose generators an epoch draws from."""
    device = next(network.parameters()).device
    return [device] if device.type == "cuda" else []


def _random(network: Any) -> Arrays:
    states = {"cpu": torch.get_rng_state().numpy()}
    for device in _devices(network):
        states["cuda"] = torch.cuda.get_rng_state(device).numpy()
    return states


def _set_random(states: Arrays) -> None:
    torch.set_rng_state(torch.from_numpy(np.array(states["cpu"])))
    if "cuda" in states:
        torch.cuda.set_rng_state(torch.from_numpy(np.array(states["cuda"])))
