"""The curves of a training as a picture. Needs the extra plot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kinfold.base.extras import require
from kinfold.report.figure import write_png


def write_curves(path: str | os.PathLike[str], epochs: Sequence[Any]) -> None:
    """Write a PNG of loss and score by epoch, the best score marked.

    epochs : ``History.epochs`` of ``learn.loop.train``
    Raises ValueError where there is none, MissingExtraError without matplotlib.
    """
    if not epochs:
        raise ValueError("epochs: expected at least one")
    figure = require("matplotlib.figure").Figure(figsize=(7, 3.6), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    at = [line.epoch + 1 for line in epochs]
    axes.plot(at, [line.loss for line in epochs], "o-", ms=3, color="#c2571a", label="loss")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="#e2e0d8", lw=0.6)
    scored = [line for line in epochs if line.score is not None]
    lines = axes.get_lines()
    if scored:
        right = axes.twinx()
        right.plot(
            [line.epoch + 1 for line in scored], [line.score for line in scored], "s-", ms=3,
            color="#1f5f8b", label="score",
        )  # fmt: skip
        best = max(scored, key=lambda line: line.score)
        right.plot(best.epoch + 1, best.score, "o", ms=10, mfc="none", mec="#1f5f8b")
        right.set_ylabel("score")
        lines = [*lines, right.get_lines()[0]]
    axes.legend(handles=list(lines), frameon=False, loc="center right")
    write_png(path, figure)
