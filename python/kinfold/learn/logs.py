"""Curves of a training as they grow: a table that any program reads, and TensorBoard's own files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from kinfold.base.arrays import as_choice
from kinfold.base.extras import require
from kinfold.io.atomic import write_text

LOGS = ("csv", "tensorboard")


@dataclass(frozen=True)
class Epoch:
    """One line of the curves. epoch counts from 0; score is None without validation."""

    epoch: int
    rate: float
    loss: float
    score: float | None


class Logs:
    """Writes what is asked for into a folder, after each epoch.

    kinds : "csv" for ``curves.csv``, whole after each epoch; "tensorboard" for event files in ``tensorboard``
    done : epochs of an earlier run, after which this one goes on
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, kinds: Iterable[str], *, done: int = 0
    ) -> None:
        names = [as_choice(kind, "logs", LOGS) for kind in kinds]
        self._folder = None if folder is None else Path(folder)
        self._csv = "csv" in names
        self._board: Any = None
        if "tensorboard" in names:
            if self._folder is None:
                raise ValueError("logs: expected a folder for those of tensorboard")
            require("tensorboard")
            writer = require("torch.utils.tensorboard").SummaryWriter
            self._board = writer(str(self._folder / "tensorboard"), purge_step=done)

    def write(self, curves: Sequence[Epoch]) -> None:
        """The curves up to the epoch that has just ended."""
        if self._csv and self._folder is not None:
            write_text(self._folder / "curves.csv", as_csv(curves))
        if self._board is not None:
            last = asdict(curves[-1])
            for name in ("rate", "loss", "score"):
                if last[name] is not None:
                    self._board.add_scalar(name, last[name], last["epoch"])
            self._board.flush()

    def close(self) -> None:
        """Nothing follows."""
        if self._board is not None:
            self._board.close()


def as_csv(curves: Sequence[Epoch]) -> str:
    """A line of names, and one for each epoch; numbers read back as they are, a score that there is not is empty."""
    names = [field.name for field in fields(Epoch)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for line in curves:
        values = [getattr(line, name) for name in names]
        writer.writerow(["" if value is None else repr(value) for value in values])
    return file.getvalue()
