"""Precision and recall along a ranked list."""

from __future__ import annotations

import os

import numpy as np

from kinfold.base.extras import require
from kinfold.evaluate.average_precision import average_precision
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import BLUE, GREEN, GREY, INK

# Of the first ten: which are right. Five right ones exist, the last is never found.
_RIGHT = np.array([1, 0, 1, 1, 0, 0, 1, 0, 0, 0], bool)
_POSITIVES = 5


def ranked_list(path: str | os.PathLike[str]) -> None:
    """Each right answer in a ranked list is a step of recall; precision falls with each wrong one.

    Average precision is the area under the line, here by trapezoids as in Oxford's protocol; filled in, precision at
    a recall is the best at any larger one.
    """
    found = np.cumsum(_RIGHT)
    ranks = np.arange(1, len(_RIGHT) + 1)
    precision, recall = found / ranks, found / _POSITIVES
    positives = np.append(np.flatnonzero(_RIGHT), len(_RIGHT))
    plain, filled = (
        average_precision(np.arange(len(_RIGHT)), positives, convention=name)
        for name in ("trapezoid", "interpolated")
    )
    figure = require("matplotlib.figure").Figure(figsize=(7.2, 3.2), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.3])
    for rank, good in zip(ranks, _RIGHT):
        left.barh(rank, 1, height=0.8, color=GREEN if good else "#e2e0d8")
        left.text(
            1.06, rank, f"P {precision[rank - 1]:.2f}  R {recall[rank - 1]:.2f}", va="center",
            fontsize=8, color="#33342e",
        )  # fmt: skip
    left.set(ylim=(10.6, 0.4), xlim=(0, 1.8), xticks=[], yticks=ranks)
    left.set_title("ranked list, right answers green", fontsize=9, color="#33342e")
    x, y = np.concatenate([[0], recall]), np.concatenate([[1], precision])
    best = np.maximum.accumulate(y[::-1])[::-1]
    right.fill_between(x, best, step="pre", color="#cfe0ee")
    right.plot(x, y, "-", color=BLUE, lw=1.6)
    right.plot(recall[_RIGHT], precision[_RIGHT], "o", ms=5, color=INK)
    right.axvline(1, color=GREY, lw=0.8, ls="--")
    right.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
    right.set_title(
        f"average precision {plain:.3f}; filled in {filled:.3f}", fontsize=9, color="#33342e"
    )
    for axes in (left, right):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    write_png(path, figure)
